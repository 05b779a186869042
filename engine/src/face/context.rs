//! What steps and workflows work on, told to the compiler.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::handler::fits;
use crate::{Fits, TypeKey};

/// What is stored: the context of a workflow, the output of a step. Every owned type with serde's two derives is one.
///
/// ```
/// use tasker::Payload;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Cart {
///     total_cents: u64,
/// }
///
/// fn is_payload<T: Payload>() {}
/// is_payload::<Cart>();
/// is_payload::<Option<Vec<Cart>>>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be stored: contexts and outputs go through JSON",
    label = "cannot be written to JSON and read back",
    note = "write `#[derive(serde::Serialize, serde::Deserialize)]` on `{Self}`",
    note = "it must also own what it holds: `Send + Sync + 'static`"
)]
pub trait Payload: Serialize + DeserializeOwned + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Payload for T {}

/// Works on any context.
#[derive(Debug)]
pub struct AnyContext;

/// Works on a `C`, and nothing else.
#[derive(Debug)]
pub struct On<C>(PhantomData<fn() -> C>);

/// On what something works: [`AnyContext`], or [`On`] a type.
pub trait ContextRule {
    /// As what the context is read.
    type Type: Payload;

    /// The same, for checks at run time.
    fn need() -> Option<(TypeKey, Fits)>;
}

impl ContextRule for AnyContext {
    type Type = Value;
    fn need() -> Option<(TypeKey, Fits)> {
        None
    }
}

impl<C: Payload> ContextRule for On<C> {
    type Type = C;
    fn need() -> Option<(TypeKey, Fits)> {
        Some((TypeKey::of::<C>(), fits::<C>))
    }
}

/// On what two arguments of one step work together.
#[diagnostic::on_unimplemented(
    message = "one step cannot work on two contexts",
    label = "these arguments want different contexts",
    note = "give every `Context<…>` of the step the same type, or take `Part<…>` to read a part of it"
)]
pub trait MergeContext<Other> {
    /// On what.
    type Both: ContextRule;
}

impl<R: ContextRule> MergeContext<R> for AnyContext {
    type Both = R;
}
impl<C: Payload> MergeContext<AnyContext> for On<C> {
    type Both = Self;
}
impl<C: Payload> MergeContext<Self> for On<C> {
    type Both = Self;
}

/// Can stand in a workflow whose context is a `C`.
pub trait WorksOn<C> {}
impl<C> WorksOn<C> for AnyContext {}
impl<D: SameContext<C>, C> WorksOn<C> for On<D> {}

/// Is the same type.
#[diagnostic::on_unimplemented(
    message = "the step works on `{Self}`, and its workflow on `{C}`",
    label = "works on another context than its workflow",
    note = "let the step take `Context<{C}>`, or `Part<…>` to read a part of any context"
)]
pub trait SameContext<C> {}
#[diagnostic::do_not_recommend]
impl<C> SameContext<C> for C {}
