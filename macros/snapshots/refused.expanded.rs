fn price_cart(order: &mut Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}
#[doc = ""]
#[doc = "The step that runs [`price_cart`](fn@price_cart)."]
#[derive(:: core :: fmt :: Debug, :: core :: clone :: Clone, :: core :: marker :: Copy)]
struct PriceCart;
const _: () = {
    struct __Takes(::core::marker::PhantomData<fn() -> PriceCart>);
    #[automatically_derived]
    impl ::tasker::__private::Takes for __Takes {
        type Arguments = ();
    }
    #[automatically_derived]
    impl<__Context> ::tasker::__private::StandsIn<__Context> for PriceCart where
        __Takes: ::tasker::__private::TakesOn<__Context>
    {
    }
    #[automatically_derived]
    impl ::tasker::__private::Declared for PriceCart {
        const NAME: &'static ::core::primitive::str = "price_cart";
        const ID: ::tasker::__private::HandlerId = ::tasker::__private::HandlerId::new(
            ::core::module_path!(),
            "PriceCart",
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
            ::core::unreachable!("this was refused while compiling")
        }
        fn config_schema() -> ::core::option::Option<::tasker::__private::Value> {
            #[allow(unused_imports)]
            use ::tasker::__private::{BySchema as _, WithoutSchema as _};
            (&::tasker::__private::SchemaOf::<Self>::NEW).schema()
        }
    }
    #[automatically_derived]
    impl ::tasker::__private::Step for PriceCart {
        type Context = ::tasker::__private::Value;
        type Output = <StepResult<u64> as ::tasker::__private::IntoStepResult>::Output;
        async fn process(
            &self,
            _: &::tasker::__private::StepContext<Self>,
        ) -> ::tasker::__private::StepResult<Self::Output> {
            ::core::unreachable!("this was refused while compiling")
        }
    }
};
::core::compile_error! { "there is no option `retries`; there are `name`, `type`, `retry_limit`, `retryable`, `skippable`, `timeout_seconds`, `depends_on`, `optional`, `all`, `state`, `spawns`, `crate`" }
::core::compile_error! { "a step cannot change what others gave it; take it by value" }
::core::compile_error! { "a step is an `async fn`" }
