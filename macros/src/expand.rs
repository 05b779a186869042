//! Sound items into tokens.
//!
//! Generated code names everything by absolute paths, sits in `const _: () = { … };`, and gives every mention of
//! something that the user wrote the user's span: so an error of its type lands where it was written, and rustc merges
//! equal errors at equal places.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, Ident, ItemFn, ItemImpl, Path, PathArguments};

use crate::facade::Private;
use crate::parse::Seconds;
use crate::validate::{
    Argument, Called, Declaration, Fail, FailArm, Handler, Policy, Verdict, Workflow,
};

/// `#[step] async fn`.
pub(crate) fn function(function: &ItemFn, step: &Called) -> TokenStream {
    let Called { handler, .. } = step;
    let Handler { private, ident, conditions, .. } = handler;
    let made = step_type(function, handler);
    let declared = declared(handler, &handler.arguments, &quote!(::core::result::Result::Ok(#ident)));
    let name = &function.sig.ident;
    let implemented = implemented(step, &quote!(#name), &[], name.span());
    let linked = linked(handler);
    quote! {
        #function
        #made
        #(#conditions)*
        #[allow(deprecated)]
        const _: () = {
            #declared
            #implemented
            #[automatically_derived]
            impl #private::serde::Serialize for #ident {
                fn serialize<S: #private::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    serializer.serialize_unit()
                }
            }
            #linked
        };
    }
}

/// The type that stands for a function, with the function's documentation.
pub(crate) fn step_type(function: &ItemFn, handler: &Handler) -> TokenStream {
    let (ident, visibility) = (&handler.ident, &function.vis);
    let kept = function.attrs.iter().filter(|attribute| {
        attribute.path().is_ident("doc") || attribute.path().is_ident("cfg")
    });
    let name = &function.sig.ident;
    let note = format!("The step that runs [`{name}`](fn@{name}).");
    quote! {
        #(#kept)*
        #[doc = ""]
        #[doc = #note]
        #[derive(::core::fmt::Debug, ::core::clone::Clone, ::core::marker::Copy)]
        #visibility struct #ident;
    }
}

/// `#[step] impl`.
pub(crate) fn block(block: &ItemImpl, step: &Called) -> TokenStream {
    let Called { handler, .. } = step;
    let Handler { private, self_type, ident, conditions, .. } = handler;
    let from_config = from_config(ident.span(), private);
    let declared = declared(handler, &handler.arguments, &from_config);
    let implemented = implemented(step, &quote!(<#self_type>::process), &[quote!(self)], ident.span());
    let linked = linked(handler);
    quote! {
        #block
        #(#conditions)*
        #[allow(deprecated)]
        const _: () = {
            #declared
            #implemented
            #linked
        };
    }
}

/// `#[derive(StepHandler)]`.
pub(crate) fn handler(item: &DeriveInput, handler: &Handler) -> TokenStream {
    let Handler { private, ident, .. } = handler;
    let is_unit = matches!(&item.data, Data::Struct(data) if matches!(data.fields, Fields::Unit));
    let from_config =
        if is_unit { quote!(::core::result::Result::Ok(Self)) } else { from_config(ident.span(), private) };
    let declared = declared(handler, &handler.arguments, &from_config);
    let markers = markers(handler);
    let linked = linked(handler);
    quote! {
        const _: () = {
            #declared
            #markers
            #linked
        };
    }
}

fn from_config(span: Span, private: &Private) -> TokenStream {
    let private = private.at(span);
    quote_spanned!(span=> #private::config_of::<Self>(config))
}

/// `impl DependsOn` and the like: what `process` may read.
fn markers(handler: &Handler) -> TokenStream {
    let Handler { private, self_type, generics, declarations, .. } = handler;
    let (parameters, _, conditions) = generics.split_for_impl();
    let markers = declarations.iter().map(|Declaration { marker, of }| {
        let span = of.span();
        let (marker, private) = (Ident::new(marker, span), private.at(span));
        quote_spanned! {span=>
            #[automatically_derived]
            impl #parameters #private::#marker<#of> for #self_type #conditions {}
        }
    });
    quote!(#(#markers)*)
}

/// `impl Declared`.
pub(crate) fn declared(handler: &Handler, arguments: &[Argument], from_config: &TokenStream) -> TokenStream {
    let Handler { private, ident, self_type, generics, name, .. } = handler;
    let (parameters, _, conditions) = generics.split_for_impl();
    let type_name = ident.to_string();
    let is_generic = !generics.params.is_empty();
    let policy = policy(&handler.policy, private);
    let arguments = nested(arguments.iter().map(|argument| (argument.ty.clone(), argument.span)));
    // The place is that of the user's name.
    let place = quote_spanned! {ident.span()=>
        const ID: #private::HandlerId = #private::HandlerId::new(
            ::core::module_path!(), #type_name, ::core::line!(), ::core::column!(), #is_generic,
        );
        const PLACE: #private::Place = #private::Place {
            module: ::core::module_path!(), file: ::core::file!(), line: ::core::line!(),
        };
    };
    quote! {
        #[automatically_derived]
        impl #parameters #private::Declared for #self_type #conditions {
            const NAME: &'static str = #name;
            #place
            const POLICY: #private::Policy = #policy;
            type Arguments = #arguments;
            fn from_config(config: &#private::Value) -> ::core::result::Result<Self, #private::Misfit> {
                let _ = config;
                #from_config
            }
        }
    }
}

fn policy(policy: &Policy, private: &Private) -> TokenStream {
    let Policy { retry_limit, retryable, skippable, timeout_seconds } = policy;
    let retry_limit = retry_limit.iter();
    let retryable = retryable.iter();
    let skippable = skippable.iter();
    let timeout_seconds = timeout_seconds.iter();
    quote! {
        #private::Policy {
            #(retry_limit: #retry_limit,)*
            #(retryable: #retryable,)*
            #(skippable: #skippable,)*
            #(timeout_seconds: ::core::option::Option::Some(#timeout_seconds),)*
            ..#private::Policy::DEFAULT
        }
    }
}

/// `(first, (second, ()))`.
fn nested(items: impl DoubleEndedIterator<Item = (TokenStream, Span)>) -> TokenStream {
    items.rev().fold(quote!(()), |rest, (item, span)| quote_spanned!(span=> (#item, #rest)))
}

/// `impl Step`: takes the arguments and calls.
fn implemented(step: &Called, callee: &TokenStream, first: &[TokenStream], callee_span: Span) -> TokenStream {
    let Called { handler, output } = step;
    let Handler { private, self_type, generics, arguments, .. } = handler;
    let (parameters, _, conditions) = generics.split_for_impl();
    let span = output.span();
    let names: Vec<_> =
        arguments.iter().enumerate().map(|(place, argument)| format_ident!("argument_{place}", span = argument.span)).collect();
    let at_arguments = arguments.first().map_or(span, |first| first.span);
    let pattern = nested(names.iter().map(|name| (name.to_token_stream(), at_arguments)));
    let extracted = quote_spanned!(at_arguments=> let #pattern = step.arguments()?;);
    let passed = names.iter().zip(arguments).map(|(name, argument)| {
        if argument.by_reference { quote_spanned!(span=> &#name) } else { name.to_token_stream() }
    });
    let passed = first.iter().cloned().chain(passed);
    // A future that cannot be sent is reported at the user's name.
    let at_callee = private.at(callee_span);
    let call = quote_spanned!(callee_span=> #at_callee::sendable(#callee(#(#passed),*)));
    let private = private.at(span);
    // All of it has the span of the result: what is wrong with that is then reported once.
    quote_spanned! {span=>
        #[automatically_derived]
        impl #parameters #private::Step for #self_type #conditions {
            type Context = #private::Value;
            type Output = <#output as #private::IntoStepResult>::Output;
            async fn process(
                &self,
                step: &#private::StepContext<Self>,
            ) -> #private::StepResult<<Self as #private::Step>::Output> {
                #extracted
                <#output as #private::IntoStepResult>::into_step_result(#call.await)
            }
        }
    }
}

/// Generic handlers cannot be linked: there is no telling which of them are used.
fn linked(handler: &Handler) -> TokenStream {
    let Handler { private, self_type, ident, generics, .. } = handler;
    if !generics.params.is_empty() {
        return TokenStream::new();
    }
    let at_ident = private.at(ident.span());
    let entry = quote_spanned!(ident.span()=> <#self_type as #at_ident::Step>::ENTRY);
    quote! {
        #private::inventory::submit! { #private::LinkedHandler(#entry) }
    }
}

/// Beyond that many steps the graph is left to `build()`: judging it takes rustc time that grows with the square.
const JUDGED: usize = 400;

/// `#[derive(Workflow)]`.
pub(crate) fn workflow(item: &DeriveInput, workflow: &Workflow) -> TokenStream {
    let Workflow { private, namespace, name, version, context, .. } = workflow;
    let ident = &item.ident;
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    let is_generic = !item.generics.params.is_empty();
    let builder = builder(workflow);
    let definition = (!is_generic).then(|| remembered(private));
    let listed = listed(item, workflow);
    let lists = lists(item, workflow);
    let judged = (!is_generic && workflow.steps.len() <= JUDGED).then(|| judged(ident, workflow));
    let linked = (!is_generic).then(|| linked_workflow(ident, private));
    quote! {
        const _: () = {
            #[automatically_derived]
            impl #parameters #private::Workflow for #ident #arguments #conditions {
                type Context = #context;
                const NAMESPACE: &'static str = #namespace;
                const NAME: &'static str = #name;
                const VERSION: &'static str = #version;
                fn builder() -> #private::DefinitionBuilder {
                    #builder
                }
                #definition
            }
            #listed
            #lists
            #judged
            #linked
        };
    }
}

fn builder(workflow: &Workflow) -> TokenStream {
    let Workflow { private, description, hooks, one_step_at_a_time, steps, .. } = workflow;
    let description = description.iter();
    let hooks = hooks.iter();
    let one_step_at_a_time = one_step_at_a_time.then(|| quote!(let builder = builder.one_step_at_a_time();));
    let added = steps.iter().enumerate().map(|(place, step)| {
        let span = step.handler.span();
        let private = private.at(span);
        let add = match &step.fields {
            None => quote_spanned!(span=> #private::listed::<Self, #place>(builder)),
            Some(fields) => {
                let constructor = as_expression(&step.handler);
                quote_spanned!(span=> #private::listed_value::<Self, #place>(builder, #constructor { #fields }))
            }
        };
        let after = (!step.after.is_empty()).then(|| {
            let names = step.after.iter().map(|place| step_name(*place, &private));
            quote!(let builder = builder.after([#(#names),*]);)
        });
        quote!(let builder = #add; #after)
    });
    quote! {
        let builder = #private::Definition::builder(Self::NAMESPACE, Self::NAME, Self::VERSION);
        let builder = builder.context::<Self::Context>();
        #(let builder = builder.description(#description);)*
        #(let builder = builder.hooks(#hooks);)*
        #one_step_at_a_time
        #(#added)*
        builder
    }
}

fn step_name(place: usize, private: &Private) -> TokenStream {
    quote!(<Self as #private::StepAt<#place>>::STEP)
}

/// `impl StepAt` for each step: the only mention of its handler.
fn listed(item: &DeriveInput, workflow: &Workflow) -> TokenStream {
    let Workflow { private, steps, .. } = workflow;
    let ident = &item.ident;
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    let listed = steps.iter().enumerate().map(|(place, step)| {
        let (handler, says) = (&step.handler, step.says());
        let name = step.name.as_ref().map(|name| quote!(const STEP: &'static str = #name;));
        let after = &step.after;
        let after = (!after.is_empty()).then(|| quote!(const AFTER: &'static [usize] = &[#(#after),*];));
        let span = handler.span();
        let private = private.at(span);
        quote_spanned! {span=>
            #[automatically_derived]
            impl #parameters #private::StepAt<#place> for #ident #arguments #conditions {
                type Handler = #handler;
                const SAYS: &'static str = #says;
                #name
                #after
            }
        }
    });
    quote!(#(#listed)*)
}

/// `Echo<Order>` as `Echo::<Order>`.
fn as_expression(path: &Path) -> Path {
    let mut path = path.clone();
    for segment in &mut path.segments {
        if let PathArguments::AngleBracketed(arguments) = &mut segment.arguments {
            arguments.colon2_token.get_or_insert_default();
        }
    }
    path
}

/// Built once a process.
fn remembered(private: &Private) -> TokenStream {
    quote! {
        fn definition() -> ::core::result::Result<#private::Definition, #private::BuildErrors> {
            static DEFINITION: ::std::sync::OnceLock<::core::result::Result<#private::Definition, #private::BuildErrors>> =
                ::std::sync::OnceLock::new();
            DEFINITION.get_or_init(|| Self::builder().build()).clone()
        }
    }
}

/// `impl Lists` for each handler, with the names of its steps.
fn lists(item: &DeriveInput, workflow: &Workflow) -> TokenStream {
    let Workflow { private, steps, .. } = workflow;
    let ident = &item.ident;
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    let mut by_handler: Vec<(String, Vec<usize>)> = vec![];
    for (place, step) in steps.iter().enumerate() {
        let written = step.handler.to_token_stream().to_string();
        match by_handler.iter_mut().find(|(other, _)| *other == written) {
            Some((_, places)) => places.push(place),
            None => by_handler.push((written, vec![place])),
        }
    }
    let lists = by_handler.iter().map(|(_, places)| {
        let first = places[0];
        let times = if places.len() == 1 { quote!(Once) } else { quote!(Several) };
        let span = steps[first].handler.span();
        let private = private.at(span);
        let names = places.iter().map(|place| step_name(*place, &private));
        quote_spanned! {span=>
            #[automatically_derived]
            impl #parameters #private::Lists<<Self as #private::StepAt<#first>>::Handler>
                for #ident #arguments #conditions
            {
                type Times = #private::#times;
                const NAMES: ::core::option::Option<&'static [&'static str]> =
                    ::core::option::Option::Some(&[#(#names),*]);
            }
        }
    });
    quote!(#(#lists)*)
}

/// The graph, judged by the compiler, at the span of each step.
fn judged(ident: &Ident, workflow: &Workflow) -> TokenStream {
    let Workflow { private, steps, .. } = workflow;
    let (count, type_name) = (steps.len(), ident.to_string());
    let nodes = (0..count).map(|place| quote!(#private::node_at::<#ident, #place>()));
    let verdicts = steps.iter().enumerate().map(|(place, step)| {
        quote_spanned! {step.handler.span()=>
            const _: () = if let ::core::option::Option::Some(text) =
                #private::judge(STEPS, &CYCLE, #place, #type_name)
            {
                ::core::panic!("{}", text.as_str())
            };
        }
    });
    quote! {
        const STEPS: &[#private::Node; #count] = &[#(#nodes),*];
        const CYCLE: ::core::option::Option<#private::Problem> = #private::find_cycle(STEPS);
        #(#verdicts)*
    }
}

fn linked_workflow(ident: &Ident, private: &Private) -> TokenStream {
    let place = quote_spanned! {ident.span()=>
        #private::Place { module: ::core::module_path!(), file: ::core::file!(), line: ::core::line!() }
    };
    quote! {
        #private::inventory::submit! {
            #private::LinkedWorkflow {
                type_name: ::core::stringify!(#ident),
                place: #place,
                definition: <#ident as #private::Workflow>::definition,
            }
        }
    }
}

/// `#[derive(Fail)]`.
pub(crate) fn fail(item: &DeriveInput, fail: &Fail) -> TokenStream {
    let (ident, private) = (&item.ident, &fail.private);
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    let arms = fail.arms.iter().map(|arm| fail_arm(arm, private));
    quote! {
        #[automatically_derived]
        impl #parameters #private::Fail for #ident #arguments #conditions {
            fn fail(self) -> #private::StepError {
                match &self {
                    #(#arms)*
                }
            }
        }
    }
}

fn fail_arm(arm: &FailArm, private: &Private) -> TokenStream {
    let FailArm { variant, verdict, code, class } = arm;
    let error = quote!(#private::StepError);
    let (bound, made) = match verdict {
        Verdict::Chain => (None, quote!(#error::from(self))),
        Verdict::Permanent => (None, quote!(#error::permanent(self))),
        Verdict::Retryable => (None, quote!(#error::retryable(self))),
        Verdict::RetryAfter(Seconds::Number(seconds)) => {
            (None, quote!(#error::retry_after(::std::time::Duration::from_secs(#seconds), self)))
        }
        Verdict::RetryAfter(Seconds::Field(field)) => {
            let wait = quote_spanned! {field.span()=>
                ::std::time::Duration::from_secs(::core::convert::Into::<u64>::into(*#field))
            };
            (Some(quote!(#field,)), quote!({ let wait = #wait; #error::retry_after(wait, self) }))
        }
    };
    let (code, class) = (code.iter(), class.iter());
    quote!(#variant { #bound .. } => #made #(.code(#code))* #(.class(#class))*,)
}
