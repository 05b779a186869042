const _: () = {
    #[automatically_derived]
    impl ::tasker::__private::Workflow for Shards {
        type Context = Window;
        const NAMESPACE: &'static ::core::primitive::str = "reports";
        const NAME: &'static ::core::primitive::str = "shards";
        const VERSION: &'static ::core::primitive::str = "1.0.0";
        fn builder() -> ::tasker::__private::DefinitionBuilder {
            let __builder =
                ::tasker::__private::Definition::builder(Self::NAMESPACE, Self::NAME, Self::VERSION);
            let __builder = __builder.context::<Self::Context>();
            let __builder =
                ::tasker::__private::listed_value::<__Steps, 0usize>(__builder, Fetch { shard: 1 });
            let __builder =
                ::tasker::__private::listed_value::<__Steps, 1usize>(__builder, Fetch { shard: 2 });
            let __builder = ::tasker::__private::listed::<__Steps, 2usize>(__builder);
            let __builder = ::tasker::__private::listed::<__Steps, 3usize>(__builder);
            let __builder = __builder.after([
                <__Steps as ::tasker::__private::StepAt<2usize>>::STEP,
                <__Steps as ::tasker::__private::StepAt<0usize>>::STEP,
            ]);
            __builder
        }
        fn definition()
        -> ::core::result::Result<::tasker::__private::Definition, ::tasker::__private::BuildErrors> {
            static DEFINITION: ::std::sync::OnceLock<
                ::core::result::Result<::tasker::__private::Definition, ::tasker::__private::BuildErrors>,
            > = ::std::sync::OnceLock::new();
            DEFINITION.get_or_init(|| Self::builder().build()).clone()
        }
    }
    struct __Steps(::core::marker::PhantomData<fn() -> Shards>);
    #[automatically_derived]
    impl ::tasker::__private::StepAt<0usize> for __Steps {
        type Context = <Shards as ::tasker::__private::Workflow>::Context;
        type Handler = Fetch;
        const SAYS: &'static ::core::primitive::str = "fetch_1";
        const STEP: &'static ::core::primitive::str = "fetch_1";
    }
    #[automatically_derived]
    impl ::tasker::__private::StepAt<1usize> for __Steps {
        type Context = <Shards as ::tasker::__private::Workflow>::Context;
        type Handler = Fetch;
        const SAYS: &'static ::core::primitive::str = "fetch_2";
        const STEP: &'static ::core::primitive::str = "fetch_2";
    }
    #[automatically_derived]
    impl ::tasker::__private::StepAt<2usize> for __Steps {
        type Context = <Shards as ::tasker::__private::Workflow>::Context;
        type Handler = Join;
        const SAYS: &'static ::core::primitive::str = "Join";
    }
    #[automatically_derived]
    impl ::tasker::__private::StepAt<3usize> for __Steps {
        type Context = <Shards as ::tasker::__private::Workflow>::Context;
        type Handler = Notify;
        const SAYS: &'static ::core::primitive::str = "Notify";
        const AFTER: &'static [::core::primitive::usize] = &[2usize, 0usize];
    }
    #[automatically_derived]
    #[allow(unused_parens)]
    impl ::tasker::__private::Lists<(Fetch)> for Shards {
        type Times = ::tasker::__private::Several;
        const NAMES: ::core::option::Option<&'static [&'static ::core::primitive::str]> =
            ::core::option::Option::Some(&[
                <__Steps as ::tasker::__private::StepAt<0usize>>::STEP,
                <__Steps as ::tasker::__private::StepAt<1usize>>::STEP,
            ]);
    }
    #[automatically_derived]
    #[allow(unused_parens)]
    impl ::tasker::__private::Lists<(Join)> for Shards {
        type Times = ::tasker::__private::Once;
        const NAMES: ::core::option::Option<&'static [&'static ::core::primitive::str]> =
            ::core::option::Option::Some(&[<__Steps as ::tasker::__private::StepAt<2usize>>::STEP]);
    }
    #[automatically_derived]
    #[allow(unused_parens)]
    impl ::tasker::__private::Lists<(Notify)> for Shards {
        type Times = ::tasker::__private::Once;
        const NAMES: ::core::option::Option<&'static [&'static ::core::primitive::str]> =
            ::core::option::Option::Some(&[<__Steps as ::tasker::__private::StepAt<3usize>>::STEP]);
    }
    const __GRAPH: &::tasker::__private::Graph<4usize> = &::tasker::__private::Graph::of([
        ::tasker::__private::node_at::<__Steps, 0usize>(),
        ::tasker::__private::node_at::<__Steps, 1usize>(),
        ::tasker::__private::node_at::<__Steps, 2usize>(),
        ::tasker::__private::node_at::<__Steps, 3usize>(),
    ]);
    const __CYCLE: ::core::option::Option<::tasker::__private::Problem> = __GRAPH.find_cycle();
    const _: () = if let ::core::option::Option::Some(text) = __GRAPH.judge(&__CYCLE, 0usize, "Shards") {
        ::core::panic!("{}", text.as_str())
    };
    const _: () = if let ::core::option::Option::Some(text) = __GRAPH.judge(&__CYCLE, 1usize, "Shards") {
        ::core::panic!("{}", text.as_str())
    };
    const _: () = if let ::core::option::Option::Some(text) = __GRAPH.judge(&__CYCLE, 2usize, "Shards") {
        ::core::panic!("{}", text.as_str())
    };
    const _: () = if let ::core::option::Option::Some(text) = __GRAPH.judge(&__CYCLE, 3usize, "Shards") {
        ::core::panic!("{}", text.as_str())
    };
    ::tasker::__private::inventory::submit! { :: tasker :: __private :: LinkedWorkflow { type_name : :: core :: stringify ! (Shards) , place : :: tasker :: __private :: Place { module : :: core :: module_path ! () , file : :: core :: file ! () , line : :: core :: line ! () } , definition : < Shards as :: tasker :: __private :: Workflow > :: definition , } }
};
