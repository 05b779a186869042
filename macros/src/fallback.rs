//! What is left of an item that was refused: the item, the refusals, and a stand-in for what the macro would have made,
//! so that one mistake is one error.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::{DeriveInput, Error, ItemFn, ItemImpl};

use crate::expand;
use crate::facade::Private;
use crate::validate::{Handler, Unsound};

/// Refusals, reported together.
#[derive(Default)]
pub(crate) struct Refused {
    error: Option<Error>,
    fatal: bool,
}

impl Refused {
    /// The item can be expanded all the same.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, text: impl std::fmt::Display) {
        self.add(Error::new_spanned(tokens, text));
    }

    pub(crate) fn at_span(&mut self, span: Span, text: impl std::fmt::Display) {
        self.add(Error::new(span, text));
    }

    /// The item cannot be expanded.
    pub(crate) fn fatal(&mut self, at: impl At, text: impl std::fmt::Display) {
        self.fatal = true;
        self.add(at.error(text.to_string()));
    }

    pub(crate) fn add(&mut self, error: Error) {
        match &mut self.error {
            Some(first) => first.combine(error),
            none => *none = Some(error),
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.fatal |= other.fatal;
        if let Some(error) = other.error {
            self.add(error);
        }
    }

    pub(crate) const fn is_fatal(&self) -> bool {
        self.fatal
    }
}

/// Where something is refused: tokens, or a span.
pub(crate) trait At {
    fn error(self, text: String) -> Error;
}

impl<T: ToTokens> At for &T {
    fn error(self, text: String) -> Error {
        Error::new_spanned(self, text)
    }
}

impl At for Span {
    fn error(self, text: String) -> Error {
        Error::new(self, text)
    }
}

/// What was expanded, with the refusals.
pub(crate) fn with(expanded: TokenStream, refused: &Refused) -> TokenStream {
    let errors = refused.error.as_ref().map(Error::to_compile_error);
    quote!(#expanded #errors)
}

/// An item that is nothing that we know, with the refusal.
pub(crate) fn beside(item: &TokenStream, error: &Error) -> TokenStream {
    let error = error.to_compile_error();
    quote!(#item #error)
}

/// A function that cannot be a step.
pub(crate) fn function(function: &ItemFn, unsound: &Unsound) -> TokenStream {
    let stand_in = unsound.handler.as_ref().map(|handler| {
        let made = expand::step_type(function, handler);
        let stub = stub(handler, unsound);
        quote!(#made #stub)
    });
    with(quote!(#function #stand_in), &unsound.refused)
}

/// An `impl` block that cannot be a step.
pub(crate) fn block(block: &ItemImpl, unsound: &Unsound) -> TokenStream {
    let stand_in = unsound.handler.as_ref().map(|handler| match &block.trait_ {
        None => stub(handler, unsound),
        // `impl Step` is there, and only the declaration is not.
        Some(_) => {
            let declared = expand::declared(handler, &[], &never());
            quote!(const _: () = { #declared };)
        }
    });
    with(quote!(#block #stand_in), &unsound.refused)
}

/// Declares the step without arguments, and never runs.
fn stub(handler: &Handler, unsound: &Unsound) -> TokenStream {
    let Handler { private, self_type, generics, .. } = handler;
    let (parameters, _, conditions) = generics.split_for_impl();
    let output = match &unsound.output {
        Some(output) => quote!(<#output as #private::IntoStepResult>::Output),
        None => quote!(#private::Value),
    };
    let never = never();
    let declared = expand::declared(handler, &[], &never);
    quote! {
        const _: () = {
            #declared
            #[automatically_derived]
            impl #parameters #private::Step for #self_type #conditions {
                type Context = #private::Value;
                type Output = #output;
                async fn process(&self, _: &#private::StepContext<Self>) -> #private::StepResult<Self::Output> {
                    #never
                }
            }
        };
    }
}

fn never() -> TokenStream {
    quote!(::core::unreachable!("this was refused while compiling"))
}

/// A workflow without a context: it works on any JSON.
pub(crate) fn workflow(item: &DeriveInput, private: &Private) -> TokenStream {
    let (ident, never) = (&item.ident, never());
    let (parameters, arguments, conditions) = item.generics.split_for_impl();
    quote! {
        const _: () = {
            #[automatically_derived]
            impl #parameters #private::Workflow for #ident #arguments #conditions {
                type Context = #private::Value;
                const NAMESPACE: &'static ::core::primitive::str = "";
                const NAME: &'static ::core::primitive::str = "";
                const VERSION: &'static ::core::primitive::str = "";
                fn builder() -> #private::DefinitionBuilder {
                    #never
                }
            }
        };
    }
}
