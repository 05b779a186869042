//! What an error type says of its variants.

use proc_macro2::Span;
use syn::parse::{Parse, ParseStream};
use syn::{Ident, LitInt, LitStr, Path, Result};

use super::{Options, once, value};

/// What an error type, or one of its variants, says about the next attempt.
#[derive(Default)]
pub(crate) struct FailOptions {
    pub(crate) facade: Option<Path>,
    pub(crate) permanent: Option<Span>,
    pub(crate) retryable: Option<Span>,
    pub(crate) retry_after_seconds: Option<Seconds>,
    pub(crate) code: Option<LitStr>,
    pub(crate) class: Option<LitStr>,
}

/// A wait: a number, or the field that holds it.
#[derive(Clone)]
pub(crate) enum Seconds {
    Number(LitInt),
    Field(Ident),
}

impl Parse for Seconds {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitInt) {
            return input.parse().map(Self::Number);
        }
        if input.peek(Ident) {
            return input.parse().map(Self::Field);
        }
        Err(input.error("expected whole seconds, as `30`, or the name of a field that holds them"))
    }
}

impl Options for FailOptions {
    const KNOWN: &'static [&'static str] =
        &["permanent", "retryable", "retry_after_seconds", "code", "class", "crate"];

    fn take(&mut self, key: &Ident, input: ParseStream<'_>) -> Option<Result<()>> {
        Some(match key.to_string().as_str() {
            "crate" => value(&mut self.facade, key, input),
            "permanent" => once(&mut self.permanent, key, key.span()),
            "retryable" => once(&mut self.retryable, key, key.span()),
            "retry_after_seconds" => value(&mut self.retry_after_seconds, key, input),
            "code" => value(&mut self.code, key, input),
            "class" => value(&mut self.class, key, input),
            _ => return None,
        })
    }
}
