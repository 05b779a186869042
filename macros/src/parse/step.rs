//! What `#[step]` stands on, and its options.

use syn::parse::{Parse, ParseStream};
use syn::spanned::Spanned;
use syn::{Error, Ident, Item, ItemFn, ItemImpl, LitBool, LitInt, LitStr, Path, Result, Type};

use super::{Options, flag, list, value};
use crate::fallback::Refused;

/// What `#[step]` stands on.
pub(crate) enum StepItem {
    Function(Box<ItemFn>),
    Impl(Box<ItemImpl>),
}

impl Parse for StepItem {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        match input.parse()? {
            Item::Fn(function) => Ok(Self::Function(Box::new(function))),
            Item::Impl(block) => Ok(Self::Impl(Box::new(block))),
            other => Err(Error::new(
                other.span(),
                "`#[step]` stands on an `async fn`, or on `impl Handler { async fn process(&self, …) }`; for a type with \
                 its own `impl Step`, write `#[derive(StepHandler)]`",
            )),
        }
    }
}

/// The options of a step.
#[derive(Default)]
pub(crate) struct StepOptions {
    pub(crate) facade: Option<Path>,
    pub(crate) name: Option<LitStr>,
    pub(crate) type_name: Option<Ident>,
    pub(crate) retry_limit: Option<LitInt>,
    pub(crate) retryable: Option<LitBool>,
    pub(crate) skippable: Option<LitBool>,
    pub(crate) timeout_seconds: Option<LitInt>,
    pub(crate) depends_on: Vec<Type>,
    pub(crate) optional: Vec<Type>,
    pub(crate) all: Vec<Type>,
    pub(crate) state: Vec<Type>,
    pub(crate) spawns: Vec<Type>,
    pub(crate) refused: Refused,
}

impl Options for StepOptions {
    const KNOWN: &'static [&'static str] = &[
        "name",
        "type",
        "retry_limit",
        "retryable",
        "skippable",
        "timeout_seconds",
        "depends_on",
        "optional",
        "all",
        "state",
        "spawns",
        "crate",
    ];

    fn take(&mut self, key: &Ident, input: ParseStream<'_>) -> Option<Result<()>> {
        Some(match key.to_string().as_str() {
            "crate" => value(&mut self.facade, key, input),
            "name" => value(&mut self.name, key, input),
            "type" => value(&mut self.type_name, key, input),
            "retry_limit" => value(&mut self.retry_limit, key, input),
            "retryable" => flag(&mut self.retryable, key, input),
            "skippable" => flag(&mut self.skippable, key, input),
            "timeout_seconds" => value(&mut self.timeout_seconds, key, input),
            "depends_on" => list(&mut self.depends_on, input),
            "optional" => list(&mut self.optional, input),
            "all" => list(&mut self.all, input),
            "state" => list(&mut self.state, input),
            "spawns" => list(&mut self.spawns, input),
            _ => return None,
        })
    }
}

impl Parse for StepOptions {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let (mut options, mut refused) = (Self::default(), Refused::default());
        options.read(input, &mut refused);
        Ok(Self { refused, ..options })
    }
}
