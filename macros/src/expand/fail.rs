//! Errors that say whether there may be another attempt.

use proc_macro2::TokenStream;
use quote::{quote, quote_spanned};
use syn::DeriveInput;

use crate::facade::Private;
use crate::parse::Seconds;
use crate::validate::{Fail, FailArm, Verdict};

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
                ::std::time::Duration::from_secs(::core::convert::Into::<::core::primitive::u64>::into(*#field))
            };
            (Some(quote!(#field,)), quote!({ let wait = #wait; #error::retry_after(wait, self) }))
        }
    };
    let (code, class) = (code.iter(), class.iter());
    quote!(#variant { #bound .. } => #made #(.code(#code))* #(.class(#class))*,)
}
