//! What can be a workflow.

use heck::ToSnakeCase;
use proc_macro2::TokenStream;
use quote::ToTokens;
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{DeriveInput, Expr, LitStr, Path, Type};

use super::text;
use crate::facade::Private;
use crate::fallback::Refused;
use crate::parse::{Listed, StepRef, WorkflowOptions};

/// A workflow that can be expanded.
pub(crate) struct Workflow {
    pub(crate) private: Private,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: Option<LitStr>,
    pub(crate) context: Type,
    pub(crate) hooks: Option<Expr>,
    pub(crate) one_step_at_a_time: bool,
    pub(crate) steps: Vec<WorkflowStep>,
}

/// A step of a workflow.
pub(crate) struct WorkflowStep {
    /// Its name, when the workflow gives it one.
    pub(crate) name: Option<String>,
    pub(crate) handler: Path,
    pub(crate) fields: Option<TokenStream>,
    /// Places of steps that it waits for.
    pub(crate) after: Vec<usize>,
}

impl WorkflowStep {
    /// How messages call it: as the user wrote it.
    pub(crate) fn says(&self) -> String {
        self.name.clone().unwrap_or_else(|| written(&self.handler))
    }
}

fn written(path: &Path) -> String {
    path.to_token_stream().to_string().replace(' ', "")
}

/// `#[derive(Workflow)]`; only where the facade is when there is nothing to check its steps against.
pub(crate) fn workflow(
    options: WorkflowOptions,
    item: &DeriveInput,
    refused: &mut Refused,
) -> Result<Workflow, Private> {
    for (literal, max) in [(&options.namespace, 64), (&options.name, 64), (&options.description, 255)] {
        if let Some(literal) = literal {
            text(literal, max, refused);
        }
    }
    if let Some(version) = &options.version
        && !is_version(&version.value())
    {
        refused.at(version, "a version is three dotted numbers of at most 16 characters, as `1.0.0`");
    }
    let steps = steps(options.steps, refused);
    let Some(context) = options.context else {
        refused.fatal(&item.ident, "say what the workflow works on: `#[workflow(context = Order, …)]`");
        return Err(Private::under(options.facade.as_ref()));
    };
    let or = |literal: Option<LitStr>, default: String| literal.map_or(default, |literal| literal.value());
    Ok(Workflow {
        private: Private::under(options.facade.as_ref()),
        namespace: or(options.namespace, "default".to_owned()),
        name: or(options.name, item.ident.unraw().to_string().to_snake_case()),
        version: or(options.version, "0.1.0".to_owned()),
        description: options.description,
        context,
        hooks: options.hooks,
        one_step_at_a_time: options.one_step_at_a_time.is_some_and(|flag| flag.value),
        steps,
    })
}

fn is_version(text: &str) -> bool {
    let number = |part: &str| part.parse::<u32>().is_ok_and(|number| number.to_string() == part);
    let parts: Vec<_> = text.split('.').collect();
    parts.len() == 3 && parts.into_iter().all(number) && text.len() <= 16
}

fn steps(listed: Vec<Listed>, refused: &mut Refused) -> Vec<WorkflowStep> {
    let (mut steps, references): (Vec<_>, Vec<_>) = listed
        .into_iter()
        .map(|Listed { name, handler, fields, after }| {
            if let Some(name) = name.as_ref().filter(|name| !fits(&name.text)) {
                refused.at_span(name.span, "a step's name has between 1 and 128 characters");
            }
            let name = name.map(|name| name.text);
            (WorkflowStep { name, handler, fields, after: vec![] }, after)
        })
        .unzip();
    let places = |after: Vec<StepRef>| after.iter().filter_map(|step| place(step, &steps, refused)).collect();
    let after: Vec<Vec<usize>> = references.into_iter().map(places).collect();
    for (step, after) in steps.iter_mut().zip(after) {
        step.after = after;
    }
    steps
}

fn fits(name: &str) -> bool {
    !name.trim().is_empty() && name.chars().count() <= 128
}

/// The place of a step that `after` names: by its own name, or by its handler where that runs no other.
fn place(reference: &StepRef, steps: &[WorkflowStep], refused: &mut Refused) -> Option<usize> {
    let (named, span) = match reference {
        StepRef::Name(name) => (name.value(), name.span()),
        StepRef::Path(path) => (written(path), path.span()),
    };
    let by_name = steps.iter().position(|step| step.name.as_ref() == Some(&named));
    let by_handler = (0..steps.len()).filter(|place| written(&steps[*place].handler) == named);
    match (by_name, &by_handler.collect::<Vec<_>>()[..]) {
        (Some(place), _) => Some(place),
        (None, [place]) => Some(*place),
        (None, [first, ..]) => {
            let text = format!("`{named}` runs several steps of this workflow; write the name of one");
            refused.at_span(span, text);
            Some(*first)
        }
        (None, []) => {
            let all = steps.iter().map(|step| format!("`{}`", step.says())).collect::<Vec<_>>().join(", ");
            refused.at_span(span, format!("`{named}` is not a step of this workflow; there are {all}"));
            None
        }
    }
}
