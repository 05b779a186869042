//! Sound items into tokens.
//!
//! Generated code names everything by absolute paths, sits in `const _: () = { … };`, and gives every mention of
//! something that the user wrote the user's span: so an error of its type lands where it was written, and rustc merges
//! equal errors at equal places.

mod fail;
mod step;
mod workflow;

use proc_macro2::Span;
use quote::format_ident;
use syn::Ident;

pub(crate) use fail::fail;
pub(crate) use step::{block, declared, function, handler, step_type};
pub(crate) use workflow::workflow;

/// A variable, under a name that is nobody else's. With the hygiene of a macro, errors would tell of the macro.
fn local(name: &str, span: Span) -> Ident {
    format_ident!("__{name}", span = span)
}
