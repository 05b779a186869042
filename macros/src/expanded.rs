//! From tokens to tokens, through all rooms: what the entry points call, and what the snapshots show.

use proc_macro2::TokenStream;
use syn::DeriveInput;

use crate::fallback::{self, Refused};
use crate::parse::{StepItem, StepOptions, WorkflowOptions, attributes};
use crate::{expand, validate};

pub(crate) fn step(options: TokenStream, item: TokenStream) -> TokenStream {
    let options: StepOptions = match syn::parse2(options) {
        Ok(options) => options,
        Err(error) => return fallback::beside(&item, &error),
    };
    match syn::parse2(item.clone()) {
        Ok(StepItem::Function(function)) => match validate::function(options, &function) {
            Ok((step, refused)) => fallback::with(expand::function(&function, &step), &refused),
            Err(unsound) => fallback::function(&function, &unsound),
        },
        Ok(StepItem::Impl(block)) => match validate::block(options, &block) {
            Ok((step, refused)) => fallback::with(expand::block(&block, &step), &refused),
            Err(unsound) => fallback::block(&block, &unsound),
        },
        Err(error) => fallback::beside(&item, &error),
    }
}

/// What a derive makes of an item.
pub(crate) fn derived(item: TokenStream, derive: fn(&DeriveInput) -> TokenStream) -> TokenStream {
    syn::parse2(item).map_or_else(|error| error.to_compile_error(), |item| derive(&item))
}

pub(crate) fn step_handler(item: &DeriveInput) -> TokenStream {
    let (options, mut refused) = attributes::<StepOptions>(&item.attrs, "step");
    let step = validate::handler(options, item, &mut refused);
    fallback::with(expand::handler(item, &step), &refused)
}

pub(crate) fn workflow(item: &DeriveInput) -> TokenStream {
    let (options, mut refused) = attributes::<WorkflowOptions>(&item.attrs, "workflow");
    let expanded = match validate::workflow(options, item, &mut refused) {
        Ok(workflow) => expand::workflow(item, &workflow),
        Err(private) => fallback::workflow(item, &private),
    };
    fallback::with(expanded, &refused)
}

pub(crate) fn fail(item: &DeriveInput) -> TokenStream {
    let mut refused = Refused::default();
    let fail = validate::fail(item, &mut refused);
    fallback::with(expand::fail(item, &fail), &refused)
}

#[cfg(test)]
mod tests;
