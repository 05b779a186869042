//! Syntax into our own structs, with the spans of what was written.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, Expr, Ident, Item, ItemFn, ItemImpl, LitBool, LitInt, LitStr, Path, Result, Token, Type, braced,
    parenthesized, token,
};

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
        let _ = input.parse::<proc_macro2::TokenTree>();
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

/// The options of a workflow.
#[derive(Default)]
pub(crate) struct WorkflowOptions {
    pub(crate) facade: Option<Path>,
    pub(crate) namespace: Option<LitStr>,
    pub(crate) name: Option<LitStr>,
    pub(crate) version: Option<LitStr>,
    pub(crate) description: Option<LitStr>,
    pub(crate) context: Option<Type>,
    pub(crate) hooks: Option<Expr>,
    pub(crate) one_step_at_a_time: Option<LitBool>,
    pub(crate) steps: Vec<Listed>,
}

impl Options for WorkflowOptions {
    const KNOWN: &'static [&'static str] = &[
        "namespace",
        "name",
        "version",
        "context",
        "steps",
        "description",
        "one_step_at_a_time",
        "hooks",
        "crate",
    ];

    fn take(&mut self, key: &Ident, input: ParseStream<'_>) -> Option<Result<()>> {
        Some(match key.to_string().as_str() {
            "crate" => value(&mut self.facade, key, input),
            "namespace" => value(&mut self.namespace, key, input),
            "name" => value(&mut self.name, key, input),
            "version" => value(&mut self.version, key, input),
            "description" => value(&mut self.description, key, input),
            "context" => value(&mut self.context, key, input),
            "hooks" => value(&mut self.hooks, key, input),
            "one_step_at_a_time" => flag(&mut self.one_step_at_a_time, key, input),
            "steps" => list(&mut self.steps, input),
            _ => return None,
        })
    }
}

/// A step of a workflow: `[name =] Handler [{ fields }] [after(step, …)]`.
pub(crate) struct Listed {
    pub(crate) name: Option<StepName>,
    pub(crate) handler: Path,
    /// What stands between the braces.
    pub(crate) fields: Option<TokenStream>,
    pub(crate) after: Vec<StepRef>,
}

/// The name of a step, as an identifier or as a text.
pub(crate) struct StepName {
    pub(crate) text: String,
    pub(crate) span: Span,
}

impl Parse for StepName {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitStr) {
            let text: LitStr = input.parse()?;
            return Ok(Self { text: text.value(), span: text.span() });
        }
        let ident = input.call(Ident::parse_any)?;
        Ok(Self { text: ident.unraw().to_string(), span: ident.span() })
    }
}

impl Parse for Listed {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let is_named = (input.peek(Ident::peek_any) || input.peek(LitStr)) && input.peek2(Token![=]);
        let name = if is_named {
            let name = input.parse()?;
            input.parse::<Token![=]>()?;
            Some(name)
        } else {
            None
        };
        let handler: Path = input.parse()?;
        if input.peek(token::Paren) {
            let first = handler.segments.first().map(|first| first.ident.to_string()).unwrap_or_default();
            let text = format!("a step is a handler, `{first}`, or one with its configuration, `{first} {{ … }}`");
            return Err(Error::new_spanned(handler, text));
        }
        let fields = if input.peek(token::Brace) {
            let content;
            braced!(content in input);
            Some(content.parse()?)
        } else {
            None
        };
        let mut after = vec![];
        if input.peek(Ident) {
            let word: Ident = input.parse()?;
            if word != "after" {
                return Err(Error::new(word.span(), "expected `,` or `after(step, …)`"));
            }
            list(&mut after, input)?;
        }
        Ok(Self { name, handler, fields, after })
    }
}

/// A step of the same workflow, by its name or by its handler.
pub(crate) enum StepRef {
    Name(LitStr),
    Path(Path),
}

impl Parse for StepRef {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        if input.peek(LitStr) { input.parse().map(Self::Name) } else { input.parse().map(Self::Path) }
    }
}

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
