//! Syntax into our own structs, with the spans of what was written.

mod fail;
mod step;
mod workflow;

use proc_macro2::{TokenStream, TokenTree};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::{Attribute, Error, Ident, LitBool, Result, Token, parenthesized};

pub(crate) use fail::{FailOptions, Seconds};
pub(crate) use step::{StepItem, StepOptions};
pub(crate) use workflow::{Listed, StepRef, WorkflowOptions};

use crate::fallback::Refused;

/// Options that are written `key`, `key = value` or `key(list)`.
pub(crate) trait Options: Default {
    const KNOWN: &'static [&'static str];

    /// Takes the value of one option; `None` when it is not known.
    fn take(&mut self, key: &Ident, input: ParseStream<'_>) -> Option<Result<()>>;

    /// Reads them all; one that is wrong does not hide the others.
    fn read(&mut self, input: ParseStream<'_>, refused: &mut Refused) {
        while !input.is_empty() {
            if let Err(error) = self.read_one(input) {
                refused.add(error);
                skip_to_comma(input);
            }
            if !input.is_empty()
                && let Err(error) = input.parse::<Token![,]>()
            {
                refused.add(error);
                skip_to_comma(input);
            }
        }
    }

    fn read_one(&mut self, input: ParseStream<'_>) -> Result<()> {
        let key = input.call(Ident::parse_any)?;
        self.take(&key, input).unwrap_or_else(|| Err(unknown(&key, Self::KNOWN)))
    }
}

fn skip_to_comma(input: ParseStream<'_>) {
    while !input.is_empty() && !input.peek(Token![,]) {
        let _ = input.parse::<TokenTree>();
    }
}

fn unknown(key: &Ident, known: &[&str]) -> Error {
    let list = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    Error::new(key.span(), format!("there is no option `{key}`; there are {list}"))
}

/// Reads the options in all attributes of that name.
pub(crate) fn attributes<O: Options>(attributes: &[Attribute], name: &str) -> (O, Refused) {
    let (mut options, mut refused) = (O::default(), Refused::default());
    for attribute in attributes.iter().filter(|attribute| attribute.path().is_ident(name)) {
        let read = attribute.parse_args_with(|input: ParseStream<'_>| {
            options.read(input, &mut refused);
            Ok(())
        });
        if let Err(error) = read {
            refused.add(error);
        }
    }
    (options, refused)
}

/// `= value`, once.
fn value<T: Parse>(slot: &mut Option<T>, key: &Ident, input: ParseStream<'_>) -> Result<()> {
    input.parse::<Token![=]>()?;
    once(slot, key, input.parse()?)
}

fn once<T>(slot: &mut Option<T>, key: &Ident, value: T) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(key.span(), format!("`{key}` is given twice"))),
    }
}

/// Nothing, or `= true` or `= false`.
fn flag(slot: &mut Option<LitBool>, key: &Ident, input: ParseStream<'_>) -> Result<()> {
    if input.peek(Token![=]) {
        return value(slot, key, input);
    }
    once(slot, key, LitBool::new(true, key.span()))
}

/// `(item, …)`, as often as one likes.
fn list<T: Parse>(items: &mut Vec<T>, input: ParseStream<'_>) -> Result<()> {
    let content;
    parenthesized!(content in input);
    let listed = Punctuated::<T, Token![,]>::parse_terminated(&content);
    // What is left unread would be reported, too.
    let _ = content.parse::<TokenStream>();
    items.extend(listed?);
    Ok(())
}
