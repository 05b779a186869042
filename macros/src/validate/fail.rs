//! What an error can say.

use proc_macro2::{Span, TokenStream};
use quote::quote;
use syn::{Data, DeriveInput, Fields, LitStr};

use crate::facade::Private;
use crate::fallback::Refused;
use crate::parse::{FailOptions, Seconds, attributes};

/// What an error type says of each of its variants.
pub(crate) struct Fail {
    pub(crate) private: Private,
    pub(crate) arms: Vec<FailArm>,
}

/// One variant.
pub(crate) struct FailArm {
    /// `Self::Declined`, or `Self`.
    pub(crate) variant: TokenStream,
    pub(crate) verdict: Verdict,
    pub(crate) code: Option<LitStr>,
    pub(crate) class: Option<LitStr>,
}

/// What is to be done.
pub(crate) enum Verdict {
    /// What the chain of sources says.
    Chain,
    Permanent,
    Retryable,
    RetryAfter(Seconds),
}

/// `#[derive(Fail)]`.
pub(crate) fn fail(item: &DeriveInput, refused: &mut Refused) -> Fail {
    let (whole, more) = attributes::<FailOptions>(&item.attrs, "fail");
    refused.extend(more);
    let arms = match &item.data {
        Data::Enum(data) => {
            let arms = data.variants.iter().map(|variant| {
                let (own, more) = attributes::<FailOptions>(&variant.attrs, "fail");
                refused.extend(more);
                if let Some(facade) = &own.facade {
                    refused.at(facade, "`crate` stands on the type");
                }
                let ident = &variant.ident;
                arm(quote!(Self::#ident), &variant.fields, own, &whole, refused)
            });
            arms.collect()
        }
        Data::Struct(data) => vec![arm(quote!(Self), &data.fields, FailOptions::default(), &whole, refused)],
        Data::Union(data) => {
            refused.fatal(&data.union_token, "an error is a struct or an enum");
            vec![]
        }
    };
    Fail { private: Private::under(whole.facade.as_ref()), arms }
}

fn arm(
    variant: TokenStream,
    fields: &Fields,
    own: FailOptions,
    whole: &FailOptions,
    refused: &mut Refused,
) -> FailArm {
    let mut verdict = match verdict(&own, refused) {
        Verdict::Chain => self::verdict(whole, &mut Refused::default()),
        said => said,
    };
    if let Verdict::RetryAfter(Seconds::Field(field)) = &verdict
        && !fields.iter().any(|found| found.ident.as_ref() == Some(field))
    {
        refused.at(field, format!("there is no field `{field}` here that could hold the seconds"));
        verdict = Verdict::Chain;
    }
    let (code, class) = (own.code.or_else(|| whole.code.clone()), own.class.or_else(|| whole.class.clone()));
    FailArm { variant, verdict, code, class }
}

fn verdict(options: &FailOptions, refused: &mut Refused) -> Verdict {
    let after = options.retry_after_seconds.clone();
    let said = [options.permanent.is_some(), options.retryable.is_some(), after.is_some()];
    if said.into_iter().filter(|said| *said).count() > 1 {
        let spans = [options.retryable, options.permanent].into_iter().flatten();
        let span = spans.last().unwrap_or_else(Span::call_site);
        refused.at_span(span, "say one of `permanent`, `retryable`, `retry_after_seconds`");
    }
    if let Some(Seconds::Number(number)) = &after
        && let Err(error) = number.base10_parse::<u64>()
    {
        refused.add(error);
    }
    match (options.permanent, options.retryable, after) {
        (Some(_), ..) => Verdict::Permanent,
        (_, _, Some(seconds)) => Verdict::RetryAfter(seconds),
        (_, Some(_), _) => Verdict::Retryable,
        (None, None, None) => Verdict::Chain,
    }
}
