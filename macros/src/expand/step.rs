//! Steps: what a handler declares, and how it is called.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::{ToTokens, format_ident, quote, quote_spanned};
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Fields, Ident, ItemFn, ItemImpl, parse_quote};

use super::local;
use crate::facade::Private;
use crate::validate::{Argument, Called, Declaration, Handler, Policy};

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
    let kept = function
        .attrs
        .iter()
        .filter(|attribute| attribute.path().is_ident("doc") || attribute.path().is_ident("cfg"));
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
    let (parameters, own, conditions) = generics.split_for_impl();
    let takes = takes(handler, arguments);
    let type_name = ident.to_string();
    let is_generic = !generics.params.is_empty();
    let configured = arguments.iter().map(|argument| &argument.ty).filter(|ty| is_config((*ty).clone()));
    let policy = policy(&handler.policy, private);
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
        #takes
        #[automatically_derived]
        impl #parameters #private::Declared for #self_type #conditions {
            const NAME: &'static ::core::primitive::str = #name;
            #place
            const POLICY: #private::Policy = #policy;
            const TAKES: #private::Taken = #private::Taken::by::<__Takes #own>();
            fn from_config(config: &#private::Value) -> ::core::result::Result<Self, #private::Misfit> {
                let _ = config;
                #from_config
            }
            fn config_schema() -> ::core::option::Option<#private::Value> {
                #[allow(unused_imports)]
                use #private::{BySchema as _, WithoutSchema as _};
                (&#private::SchemaOf::<Self>::NEW).schema()
                    #(.or_else(|| (&#private::SchemaOf::<#configured>::NEW).schema()))*
            }
        }
    }
}

/// `impl Takes` for a private type: a public step may take what is private. It is the only mention of the arguments'
/// types but for the function's own.
fn takes(handler: &Handler, arguments: &[Argument]) -> TokenStream {
    let Handler { private, self_type, generics, .. } = handler;
    let (parameters, own, conditions) = generics.split_for_impl();
    let arguments = arguments.iter().map(|argument| {
        // There, `Self` would be another.
        (with_self(argument.ty.clone(), self_type), argument.span)
    });
    let arguments = nested(arguments);
    let mut with_context = generics.clone();
    with_context.params.push(parse_quote!(__Context));
    with_context
        .make_where_clause()
        .predicates
        .push(parse_quote!(__Takes #own: #private::TakesOn<__Context>));
    let (context, _, on_context) = with_context.split_for_impl();
    quote! {
        struct __Takes #parameters (::core::marker::PhantomData<fn() -> #self_type>) #conditions;
        #[automatically_derived]
        impl #parameters #private::Takes for __Takes #own #conditions {
            type Arguments = #arguments;
        }
        #[automatically_derived]
        impl #context #private::StandsIn<__Context> for #self_type #on_context {}
    }
}

/// Whether it is written `Config<…>`. Other arguments' types are not named once more: a mistake in one would be two.
fn is_config(ty: TokenStream) -> bool {
    let words =
        ty.into_iter().take_while(|token| !matches!(token, TokenTree::Punct(mark) if mark.as_char() == '<'));
    words.last().is_some_and(|word| matches!(word, TokenTree::Ident(word) if word == "Config"))
}

fn with_self(tokens: TokenStream, self_type: &TokenStream) -> TokenStream {
    let tokens = tokens.into_iter().map(|token| match token {
        TokenTree::Ident(word) if word == "Self" => self_type.clone(),
        TokenTree::Group(group) => {
            let mut inside = Group::new(group.delimiter(), with_self(group.stream(), self_type));
            inside.set_span(group.span());
            TokenTree::from(inside).into()
        }
        token => token.into(),
    });
    tokens.collect()
}

fn policy(policy: &Policy, private: &Private) -> TokenStream {
    let Policy { retry_limit, retryable, skippable, timeout_seconds } = policy;
    let or_default = |given: Option<TokenStream>, field: &str| {
        let field = format_ident!("{field}");
        given.unwrap_or_else(|| quote!(#private::Policy::DEFAULT.#field))
    };
    let retry_limit = or_default(retry_limit.as_ref().map(ToTokens::to_token_stream), "retry_limit");
    let retryable = or_default(retryable.as_ref().map(ToTokens::to_token_stream), "retryable");
    let skippable = or_default(skippable.as_ref().map(ToTokens::to_token_stream), "skippable");
    let some = |seconds| quote!(::core::option::Option::Some(#seconds));
    let timeout_seconds = or_default(timeout_seconds.as_ref().map(some), "timeout_seconds");
    quote! {
        #private::Policy {
            retry_limit: #retry_limit,
            retryable: #retryable,
            skippable: #skippable,
            timeout_seconds: #timeout_seconds,
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
    let (parameters, own, conditions) = generics.split_for_impl();
    let span = output.span();
    let names: Vec<_> = arguments
        .iter()
        .enumerate()
        .map(|(place, argument)| local(&format!("argument_{place}"), argument.span))
        .collect();
    let at_arguments = arguments.first().map_or(span, |first| first.span);
    let pattern = nested(names.iter().map(|name| (name.to_token_stream(), at_arguments)));
    let attempt = local("attempt", span);
    let at_arguments_private = private.at(at_arguments);
    let extracted = quote_spanned! {at_arguments=>
        let #pattern = #at_arguments_private::arguments::<__Takes #own, Self>(#attempt)?;
    };
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
                #attempt: &#private::StepContext<Self>,
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
