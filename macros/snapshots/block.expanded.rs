impl<T: Payload> Fetch<T> {
    async fn process(&self, window: Context<T>, before: Option<Output<Self>>) -> Result<Page, FetchError> {
        self.get(window, before).await
    }
}
#[allow(deprecated)]
const _: () = {
    struct __Takes<T: Payload>(::core::marker::PhantomData<fn() -> Fetch<T>>);
    #[automatically_derived]
    impl<T: Payload> company::workflows::__private::Takes for __Takes<T> {
        type Arguments = (Context<T>, (Option<Output<Fetch<T>>>, ()));
    }
    #[automatically_derived]
    impl<T: Payload, __Context> company::workflows::__private::StandsIn<__Context> for Fetch<T> where
        __Takes<T>: company::workflows::__private::TakesOn<__Context>
    {
    }
    #[automatically_derived]
    impl<T: Payload> company::workflows::__private::Declared for Fetch<T> {
        const NAME: &'static ::core::primitive::str = "fetch";
        const ID: company::workflows::__private::HandlerId = company::workflows::__private::HandlerId::new(
            ::core::module_path!(),
            "Fetch",
            ::core::line!(),
            ::core::column!(),
            true,
        );
        const PLACE: company::workflows::__private::Place = company::workflows::__private::Place {
            module: ::core::module_path!(),
            file: ::core::file!(),
            line: ::core::line!(),
        };
        const POLICY: company::workflows::__private::Policy = company::workflows::__private::Policy {
            retry_limit: company::workflows::__private::Policy::DEFAULT.retry_limit,
            retryable: company::workflows::__private::Policy::DEFAULT.retryable,
            skippable: company::workflows::__private::Policy::DEFAULT.skippable,
            timeout_seconds: ::core::option::Option::Some(30),
        };
        const TAKES: company::workflows::__private::Taken =
            company::workflows::__private::Taken::by::<__Takes<T>>();
        fn from_config(
            config: &company::workflows::__private::Value,
        ) -> ::core::result::Result<Self, company::workflows::__private::Misfit> {
            let _ = config;
            company::workflows::__private::config_of::<Self>(config)
        }
        fn config_schema() -> ::core::option::Option<company::workflows::__private::Value> {
            #[allow(unused_imports)]
            use company::workflows::__private::{BySchema as _, WithoutSchema as _};
            (&company::workflows::__private::SchemaOf::<Self>::NEW).schema()
        }
    }
    #[automatically_derived]
    impl<T: Payload> company::workflows::__private::Step for Fetch<T> {
        type Context = company::workflows::__private::Value;
        type Output = <Result<Page, FetchError> as company::workflows::__private::IntoStepResult>::Output;
        async fn process(
            &self,
            __attempt: &company::workflows::__private::StepContext<Self>,
        ) -> company::workflows::__private::StepResult<<Self as company::workflows::__private::Step>::Output>
        {
            let (__argument_0, (__argument_1, ())) =
                company::workflows::__private::arguments::<__Takes<T>, Self>(__attempt)?;
            <Result<Page, FetchError> as company::workflows::__private::IntoStepResult>::into_step_result(
                company::workflows::__private::sendable(<Fetch<T>>::process(
                    self,
                    __argument_0,
                    __argument_1,
                ))
                .await,
            )
        }
    }
};
