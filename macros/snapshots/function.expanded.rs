#[doc = " Charges the card."]
pub async fn charge_card(order: Context<Order>, cents: &Output<PriceCart>) -> StepResult<Receipt> {
    pay(&order.card, **cents).await
}
#[doc = " Charges the card."]
#[doc = ""]
#[doc = "The step that runs [`charge_card`](fn@charge_card)."]
#[derive(:: core :: fmt :: Debug, :: core :: clone :: Clone, :: core :: marker :: Copy)]
pub struct ChargeCard;
#[allow(deprecated)]
const _: () = {
    struct __Takes(::core::marker::PhantomData<fn() -> ChargeCard>);
    #[automatically_derived]
    impl ::tasker::__private::Takes for __Takes {
        type Arguments = (Context<Order>, (Output<PriceCart>, ()));
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
            retry_limit: 5,
            retryable: ::tasker::__private::Policy::DEFAULT.retryable,
            skippable: true,
            timeout_seconds: ::tasker::__private::Policy::DEFAULT.timeout_seconds,
        };
        const TAKES: ::tasker::__private::Taken = ::tasker::__private::Taken::by::<__Takes>();
        fn from_config(
            config: &::tasker::__private::Value,
        ) -> ::core::result::Result<Self, ::tasker::__private::Misfit> {
            let _ = config;
            ::core::result::Result::Ok(ChargeCard)
        }
        fn config_schema() -> ::core::option::Option<::tasker::__private::Value> {
            #[allow(unused_imports)]
            use ::tasker::__private::{BySchema as _, WithoutSchema as _};
            (&::tasker::__private::SchemaOf::<Self>::NEW).schema()
        }
    }
    #[automatically_derived]
    impl ::tasker::__private::Step for ChargeCard {
        type Context = ::tasker::__private::Value;
        type Output = <StepResult<Receipt> as ::tasker::__private::IntoStepResult>::Output;
        async fn process(
            &self,
            __attempt: &::tasker::__private::StepContext<Self>,
        ) -> ::tasker::__private::StepResult<<Self as ::tasker::__private::Step>::Output> {
            let (__argument_0, (__argument_1, ())) =
                ::tasker::__private::arguments::<__Takes, Self>(__attempt)?;
            <StepResult<Receipt> as ::tasker::__private::IntoStepResult>::into_step_result(
                ::tasker::__private::sendable(charge_card(__argument_0, &__argument_1)).await,
            )
        }
    }
    #[automatically_derived]
    impl ::tasker::__private::serde::Serialize for ChargeCard {
        fn serialize<S: ::tasker::__private::serde::Serializer>(
            &self,
            serializer: S,
        ) -> ::core::result::Result<S::Ok, S::Error> {
            serializer.serialize_unit()
        }
    }
    ::tasker::__private::inventory::submit! { :: tasker :: __private :: LinkedHandler (< ChargeCard as :: tasker :: __private :: Step > :: ENTRY) }
};
