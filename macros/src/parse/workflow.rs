//! The options of a workflow, and its list of steps.

use proc_macro2::{Span, TokenStream};
use syn::ext::IdentExt;
use syn::parse::{Parse, ParseStream};
use syn::{Error, Expr, Ident, LitBool, LitStr, Path, Result, Token, Type, braced, token};

use super::{Options, flag, list, value};

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
            let text =
                format!("a step is a handler, `{first}`, or one with its configuration, `{first} {{ … }}`");
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
