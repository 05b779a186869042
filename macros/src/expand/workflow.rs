//! Workflows: the list of steps, and the compiler's judgement of it.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{DeriveInput, Ident, Path, PathArguments};

use super::local;
use crate::facade::Private;
use crate::validate::Workflow;

/// Beyond that many steps the graph is left to `build()`: judging them takes rustc seconds.
const JUDGED: usize = 1000;

/// `#[derive(Workflow)]`.
pub(crate) fn workflow(item: &DeriveInput, workflow: &Workflow) -> TokenStream {
    let Workflow { private, namespace, name, version, context, .. } = workflow;
    let ident = &item.ident;
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    let is_generic = !item.generics.params.is_empty();
    let definition = (!is_generic).then(|| remembered(private));
    let builder = builder(item, workflow);
    let listed = listed(item, workflow);
    let lists = lists(item, workflow);
    let judged = (!is_generic && workflow.steps.len() <= JUDGED).then(|| judged(ident, workflow));
    let linked = (!is_generic).then(|| linked_workflow(ident, private));
    quote! {
        const _: () = {
            #[automatically_derived]
            impl #parameters #private::Workflow for #ident #arguments #conditions {
                type Context = #context;
                const NAMESPACE: &'static ::core::primitive::str = #namespace;
                const NAME: &'static ::core::primitive::str = #name;
                const VERSION: &'static ::core::primitive::str = #version;
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

fn builder(item: &DeriveInput, workflow: &Workflow) -> TokenStream {
    let Workflow { private, description, hooks, one_step_at_a_time, steps, .. } = workflow;
    let builder = local("builder", Span::call_site());
    let list = list(item);
    let description = description.iter();
    let hooks = hooks.iter();
    let one_step_at_a_time =
        one_step_at_a_time.then(|| quote!(let #builder = #builder.one_step_at_a_time();));
    let added = steps.iter().enumerate().map(|(place, step)| {
        let span = step.handler.span();
        let private = private.at(span);
        let add = match &step.fields {
            None => quote_spanned!(span=> #private::listed::<#list, #place>(#builder)),
            Some(fields) => {
                let constructor = as_expression(&step.handler);
                quote_spanned!(span=> #private::listed_value::<#list, #place>(#builder, #constructor { #fields }))
            }
        };
        let after = (!step.after.is_empty()).then(|| {
            let names = step.after.iter().map(|place| step_name(*place, &list, &private));
            quote!(let #builder = #builder.after([#(#names),*]);)
        });
        quote!(let #builder = #add; #after)
    });
    quote! {
        let #builder = #private::Definition::builder(Self::NAMESPACE, Self::NAME, Self::VERSION);
        let #builder = #builder.context::<Self::Context>();
        #(let #builder = #builder.description(#description);)*
        #(let #builder = #builder.hooks(#hooks);)*
        #one_step_at_a_time
        #(#added)*
        #builder
    }
}

fn step_name(place: usize, list: &TokenStream, private: &Private) -> TokenStream {
    quote!(<#list as #private::StepAt<#place>>::STEP)
}

/// The type that stands for the list of steps. It is private: a public workflow may have private steps.
fn list(item: &DeriveInput) -> TokenStream {
    let (_, arguments, _) = item.generics.split_for_impl();
    quote!(__Steps #arguments)
}

/// `impl StepAt` for each step: the only mention of its handler.
fn listed(item: &DeriveInput, workflow: &Workflow) -> TokenStream {
    let Workflow { private, steps, .. } = workflow;
    let ident = &item.ident;
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    let list = list(item);
    let listed = steps.iter().enumerate().map(|(place, step)| {
        let (handler, says, after) = (&step.handler, step.says(), &step.after);
        let name = step.name.iter();
        let after = (!after.is_empty()).then(|| quote!([#(#after),*])).into_iter();
        let span = handler.span();
        let private = private.at(span);
        quote_spanned! {span=>
            #[automatically_derived]
            impl #parameters #private::StepAt<#place> for #list #conditions {
                type Context = <#ident #arguments as #private::Workflow>::Context;
                type Handler = #handler;
                const SAYS: &'static ::core::primitive::str = #says;
                #(const STEP: &'static ::core::primitive::str = #name;)*
                #(const AFTER: &'static [::core::primitive::usize] = &#after;)*
            }
        }
    });
    quote! {
        struct __Steps #parameters (::core::marker::PhantomData<fn() -> #ident #arguments>) #conditions;
        #(#listed)*
    }
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
    let list = list(item);
    let mut by_handler: Vec<(String, Vec<usize>)> = vec![];
    for (place, step) in steps.iter().enumerate() {
        let written = step.handler.to_token_stream().to_string();
        match by_handler.iter_mut().find(|(other, _)| *other == written) {
            Some((_, places)) => places.push(place),
            None => by_handler.push((written, vec![place])),
        }
    }
    let lists = by_handler.iter().map(|(_, places)| {
        let times = if places.len() == 1 { quote!(Once) } else { quote!(Several) };
        let handler = &steps[places[0]].handler;
        let span = handler.span();
        let private = private.at(span);
        let names = places.iter().map(|place| step_name(*place, &list, &private));
        quote_spanned! {span=>
            // In parentheses, a name that is no type is one error less.
            #[automatically_derived]
            #[allow(unused_parens)]
            impl #parameters #private::Lists<(#handler)> for #ident #arguments #conditions {
                type Times = #private::#times;
                const NAMES: ::core::option::Option<&'static [&'static ::core::primitive::str]> =
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
    let nodes = (0..count).map(|place| quote!(#private::node_at::<__Steps, #place>()));
    let verdicts = steps.iter().enumerate().map(|(place, step)| {
        quote_spanned! {step.handler.span()=>
            const _: () = if let ::core::option::Option::Some(text) =
                __GRAPH.judge(&__CYCLE, #place, #type_name)
            {
                ::core::panic!("{}", text.as_str())
            };
        }
    });
    quote! {
        const __GRAPH: &#private::Graph<#count> = &#private::Graph::of([#(#nodes),*]);
        const __CYCLE: ::core::option::Option<#private::Problem> = __GRAPH.find_cycle();
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
