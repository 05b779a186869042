//! What the long form is given: the attempt, and what it declared.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serialize;

use super::argument::{Argument, Output, Outputs, Spawn, State};
use super::step::Step;
use crate::{Call, StepResult};

/// Declares that a step waits for the one that `P` runs, and reads its output.
#[diagnostic::on_unimplemented(
    message = "`{Self}` reads the output of `{P}` without waiting for it",
    label = "`{P}` is not a declared dependency of `{Self}`",
    note = "declare it: `#[step(depends_on({P}))]` on `{Self}`"
)]
pub trait DependsOn<P> {}

/// Declares that a step reads the output of the one that `P` runs, if it has any.
#[diagnostic::on_unimplemented(
    message = "`{Self}` reads the output of `{P}` without waiting for it",
    label = "`{P}` is not a declared, optional dependency of `{Self}`",
    note = "declare it: `#[step(optional({P}))]` on `{Self}`"
)]
pub trait MayDependOn<P> {}

/// Declares that a step reads the outputs of all steps that `P` runs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` reads the outputs of `{P}` without waiting for them",
    label = "`{P}` is not among the declared dependencies of `{Self}`",
    note = "declare it: `#[step(all({P}))]` on `{Self}`"
)]
pub trait DependsOnAll<P> {}

/// Declares that a step takes a shared resource.
#[diagnostic::on_unimplemented(
    message = "`{Self}` takes the shared resource `{T}` without saying so",
    label = "`{T}` is not declared as a resource of `{Self}`",
    note = "declare it: `#[step(state({T}))]` on `{Self}`, so that an engine without one refuses the workflow at once"
)]
pub trait Uses<T> {}

/// Declares that a step may add steps that `P` runs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` adds steps of `{P}` without saying so",
    label = "`{P}` is not declared as a handler whose steps `{Self}` adds",
    note = "declare it: `#[step(spawns({P}))]` on `{Self}`"
)]
pub trait Spawns<P> {}

/// What [`Step::process`] is given: the attempt, and what the step declared. Derefs to the [`Call`].
///
/// ```
/// use tasker::prelude::*;
/// # #[step] async fn price_cart() -> StepResult<u64> { Ok(250) }
/// # #[step] async fn gift_wrap() -> StepResult<String> { Ok("red".into()) }
/// struct Gateway;
///
/// #[derive(StepHandler)]
/// #[step(depends_on(PriceCart), optional(GiftWrap), state(Gateway))]
/// struct ChargeCard;
///
/// impl Step for ChargeCard {
///     type Context = serde_json::Value;
///     type Output = String;
///
///     async fn process(&self, step: &StepContext<Self>) -> StepResult<String> {
///         let cents: u64 = step.output_of::<PriceCart>()?;
///         let paper: Option<String> = step.optional_output_of::<GiftWrap>()?;
///         let _gateway: State<Gateway> = step.state()?;
///         Ok(format!("{cents} cents, wrapped in {paper:?}, attempt {}", step.attempt()))
///     }
/// }
/// # #[derive(Workflow)]
/// # #[workflow(context = serde_json::Value, steps(PriceCart, ChargeCard))]
/// # struct Checkout;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let engine = Engine::in_memory().state(Gateway);
/// # let report = engine.start::<Checkout>(serde_json::json!({})).await?.finished().await?;
/// # assert_eq!(report.output::<ChargeCard>()?, "250 cents, wrapped in None, attempt 1");
/// # Ok(()) }
/// ```
pub struct StepContext<S> {
    call: Call,
    of: PhantomData<fn() -> S>,
}

impl<S> Deref for StepContext<S> {
    type Target = Call;
    fn deref(&self) -> &Call {
        &self.call
    }
}

impl<S> fmt::Debug for StepContext<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StepContext<{}>(step {})", type_name::<S>(), self.call.step())
    }
}

impl<S> StepContext<S> {
    pub(super) const fn new(call: Call) -> Self {
        Self { call, of: PhantomData }
    }
}

impl<S: Step> StepContext<S> {
    /// What the workflow works on.
    ///
    /// # Errors
    /// Permanent, with the path, when it does not fit.
    pub fn context(&self) -> StepResult<S::Context> {
        self.call.context()
    }

    /// The output of the step that `P` runs.
    ///
    /// # Errors
    /// Permanent, when it has none, or it does not fit.
    pub fn output_of<P: Step>(&self) -> StepResult<P::Output>
    where
        S: DependsOn<P>,
    {
        Output::<P>::extract(&self.call).map(|output| output.0)
    }

    /// The output of the step that `P` runs; `None` when it has none.
    ///
    /// # Errors
    /// Permanent, when it does not fit.
    pub fn optional_output_of<P: Step>(&self) -> StepResult<Option<P::Output>>
    where
        S: MayDependOn<P>,
    {
        Option::<Output<P>>::extract(&self.call).map(|output| output.map(|output| output.0))
    }

    /// The outputs of all steps that `P` runs.
    ///
    /// # Errors
    /// Permanent, when one does not fit.
    pub fn outputs_of<P: Step>(&self) -> StepResult<Outputs<P>>
    where
        S: DependsOnAll<P>,
    {
        Outputs::extract(&self.call)
    }

    /// A shared resource of the engine.
    ///
    /// # Errors
    /// Permanent, when this process has none.
    pub fn state<T: Send + Sync + 'static>(&self) -> StepResult<State<T>>
    where
        S: Uses<T>,
    {
        State::extract(&self.call)
    }

    /// Adds steps to the task.
    ///
    /// # Errors
    /// Never.
    pub fn spawn<P: Step + Serialize>(&self) -> StepResult<Spawn<P>>
    where
        S: Spawns<P>,
    {
        Spawn::extract(&self.call)
    }
}
