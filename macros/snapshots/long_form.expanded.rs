const _: () = {
    struct __Takes(::core::marker::PhantomData<fn() -> ChargeCard>);
    #[automatically_derived]
    impl ::tasker::__private::Takes for __Takes {
        type Arguments = (
            ::tasker::__private::Context<<ChargeCard as ::tasker::__private::Step>::Context>,
            (
                ::tasker::__private::Output<PriceCart>,
                (
                    ::core::option::Option<::tasker::__private::Output<GiftWrap>>,
                    (::tasker::__private::State<Pool>, ()),
                ),
            ),
        );
    }
    #[automatically_derived]
    impl<__Context> ::tasker::__private::StandsIn<__Context> for ChargeCard where
        __Takes: ::tasker::__private::TakesOn<__Context>
    {
    }
    #[automatically_derived]
    impl ::tasker::__private::Declared for ChargeCard {
        const NAME: &'static ::core::primitive::str = "charge_card";
        const ID: ::tasker::__private::HandlerId = ::tasker::__private::HandlerId::new(
            ::core::module_path!(),
            "ChargeCard",
            ::core::line!(),
            ::core::column!(),
            false,
        );
        const PLACE: ::tasker::__private::Place = ::tasker::__private::Place {
            module: ::core::module_path!(),
            file: ::core::file!(),
            line: ::core::line!(),
        };
        const POLICY: ::tasker::__private::Policy = ::tasker::__private::Policy {
            retry_limit: ::tasker::__private::Policy::DEFAULT.retry_limit,
            retryable: ::tasker::__private::Policy::DEFAULT.retryable,
            skippable: ::tasker::__private::Policy::DEFAULT.skippable,
            timeout_seconds: ::tasker::__private::Policy::DEFAULT.timeout_seconds,
        };
        const TAKES: ::tasker::__private::Taken = ::tasker::__private::Taken::by::<__Takes>();
        fn from_config(
            config: &::tasker::__private::Value,
        ) -> ::core::result::Result<Self, ::tasker::__private::Misfit> {
            let _ = config;
            ::tasker::__private::config_of::<Self>(config)
        }
        fn config_schema() -> ::core::option::Option<::tasker::__private::Value> {
            #[allow(unused_imports)]
            use ::tasker::__private::{BySchema as _, WithoutSchema as _};
            (&::tasker::__private::SchemaOf::<Self>::NEW).schema()
        }
    }
    #[automatically_derived]
    impl ::tasker::__private::DependsOn<PriceCart> for ChargeCard {}
    #[automatically_derived]
    impl ::tasker::__private::MayDependOn<GiftWrap> for ChargeCard {}
    #[automatically_derived]
    impl ::tasker::__private::Uses<Pool> for ChargeCard {}
    ::tasker::__private::inventory::submit! { :: tasker :: __private :: LinkedHandler (< ChargeCard as :: tasker :: __private :: Step > :: ENTRY) }
};
