//! Every refusal that the syntax alone allows, all of them reported together; what is left is sound to expand.

mod fail;
mod step;
mod workflow;

use syn::LitStr;

pub(crate) use fail::{Fail, FailArm, Verdict, fail};
pub(crate) use step::{Argument, Called, Declaration, Handler, Policy, Unsound, block, function, handler};
pub(crate) use workflow::{Workflow, workflow};

use crate::fallback::Refused;

/// A text that must fit its column.
fn text(literal: &LitStr, max: usize, refused: &mut Refused) {
    let text = literal.value();
    let length = text.chars().count();
    if text.trim().is_empty() || text.contains('\0') {
        refused.at(literal, "this is blank, or contains U+0000");
    } else if length > max {
        refused.at(literal, format!("this has {length} characters, at most {max} are allowed"));
    }
}
