//! Typed workflows, and what their tasks and reports know by type.

use serde::de::DeserializeOwned;

use super::context::Payload;
use super::graph::{Node, hash};
use super::step::{Declared, StandsIn, Step};
use crate::{
    BuildErrors, Definition, DefinitionBuilder, Dynamic, Engine, EngineError, EngineTypes, IntoHandler,
    Report, StepName, Task,
};

/// A workflow as a type. Written by `#[derive(Workflow)]`.
///
/// ```
/// use tasker::prelude::*;
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Order { cents: u64 }
/// #[step]
/// async fn price_cart(order: Context<Order>) -> StepResult<u64> {
///     Ok(order.cents)
/// }
/// #[step]
/// async fn charge_card(cents: Output<PriceCart>) -> StepResult<String> {
///     Ok(format!("charged {} cents", *cents))
/// }
///
/// #[derive(Workflow)]
/// #[workflow(namespace = "shop", name = "checkout", version = "1.0.0", context = Order, steps(PriceCart, ChargeCard))]
/// struct Checkout;
///
/// let definition = Checkout::definition()?;
/// assert_eq!(definition.full_name(), "shop/checkout 1.0.0");
/// assert_eq!(definition.template().step_templates[1].depends_on_steps, ["price_cart"]);
/// # Ok::<(), tasker::BuildErrors>(())
/// ```
///
/// A parent that is not listed does not compile:
///
/// ```compile_fail,E0080
/// # use tasker::prelude::*;
/// # #[step] async fn price_cart() -> StepResult<u64> { Ok(1) }
/// # #[step] async fn charge_card(cents: Output<PriceCart>) -> StepResult<u64> { Ok(*cents) }
/// #[derive(Workflow)]
/// #[workflow(context = serde_json::Value, steps(ChargeCard))]
/// struct Checkout;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a workflow",
    label = "not a workflow",
    note = "write `#[derive(Workflow)]` and `#[workflow(context = …, steps(…))]` on `{Self}`"
)]
pub trait Workflow: Sized + 'static {
    /// What it works on.
    type Context: Payload;
    /// Its namespace.
    const NAMESPACE: &'static str;
    /// Its name within the namespace.
    const NAME: &'static str;
    /// Its version.
    const VERSION: &'static str;

    /// The same, to be changed before it is built.
    fn builder() -> DefinitionBuilder;

    /// The same, checked. Built once a process, unless the workflow is generic.
    ///
    /// # Errors
    /// All that the compiler could not see: ambiguous inputs, configurations that do not fit.
    fn definition() -> Result<Definition, BuildErrors> {
        Self::builder().build()
    }
}

/// A workflow has steps that `P` runs.
///
/// ```
/// use tasker::Lists;
/// use tasker::prelude::*;
/// # #[step] async fn price_cart() -> StepResult<u64> { Ok(1) }
///
/// #[derive(Workflow)]
/// #[workflow(context = serde_json::Value, steps(PriceCart, again = PriceCart))]
/// struct Checkout;
///
/// assert_eq!(<Checkout as Lists<PriceCart>>::NAMES, Some(&["price_cart", "again"][..]));
/// ```
#[diagnostic::on_unimplemented(
    message = "the workflow `{Self}` has no step `{P}`",
    label = "not a step of `{Self}`",
    note = "add it: `steps({P}, …)` of `{Self}`; a step that is added while a task runs is read with `output_of(name)`"
)]
pub trait Lists<P> {
    /// How many: [`Once`] or [`Several`].
    type Times: Times<P, Self>;

    /// Their names; `None` when they are known only at run time.
    const NAMES: Option<&'static [&'static str]>;
}

/// A handler that runs one step.
#[derive(Debug)]
pub struct Once;

/// A handler that runs several steps.
#[derive(Debug)]
pub struct Several;

/// How many steps a handler runs.
pub trait Times<P, W: ?Sized> {}
impl<P, W: ?Sized> Times<P, W> for Once {}
impl<P, W: ?Sized> Times<P, W> for Several {}

/// A handler that runs one step, so that its output needs no name.
#[diagnostic::on_unimplemented(
    message = "`{P}` runs several steps of `{W}`",
    label = "which of them?",
    note = "read one by its name: `output_at::<{P}>(\"…\")`"
)]
pub trait OnlyOnce<P, W: ?Sized> {}
impl<P, W: ?Sized> OnlyOnce<P, W> for Once {}

impl<P> Lists<P> for Dynamic {
    type Times = Once;
    const NAMES: Option<&'static [&'static str]> = None;
}

/// The step at one place of a workflow's list. Written by `#[derive(Workflow)]`: all that it makes names a handler here
/// and nowhere else, so that a mistake in one is one error.
#[doc(hidden)]
pub trait StepAt<const PLACE: usize> {
    /// What the workflow works on.
    type Context;
    /// What runs it.
    type Handler: Step + StandsIn<Self::Context>;
    /// Its name: the handler's, unless the workflow gives it another.
    const STEP: &'static str = <Self::Handler as Declared>::NAME;
    /// How the workflow writes it.
    const SAYS: &'static str;
    /// The places of the steps that it waits for besides those whose output it takes.
    const AFTER: &'static [usize] = &[];
}

/// Adds a listed step with the defaults of its configuration.
#[doc(hidden)]
#[must_use]
pub fn listed<W: StepAt<PLACE>, const PLACE: usize>(builder: DefinitionBuilder) -> DefinitionBuilder {
    builder.handler::<W::Handler>(W::STEP)
}

/// Adds a listed step with its configuration.
#[doc(hidden)]
#[must_use]
pub fn listed_value<W: StepAt<PLACE>, const PLACE: usize>(
    builder: DefinitionBuilder,
    handler: W::Handler,
) -> DefinitionBuilder
where
    W::Handler: IntoHandler,
{
    builder.step(W::STEP, handler)
}

/// A listed step, as the compiler judges it.
#[doc(hidden)]
pub const fn node_at<W: StepAt<PLACE>, const PLACE: usize>() -> Node {
    Node {
        name: W::STEP,
        name_hash: hash(W::STEP, 0),
        says: W::SAYS,
        handler: W::Handler::ID,
        takes: &W::Handler::TAKES.dependencies,
        after: W::AFTER,
        skippable: W::Handler::POLICY.skippable,
    }
}

impl<T: EngineTypes> Engine<T> {
    /// Starts a task of a typed workflow.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// # #[derive(serde::Serialize, serde::Deserialize)] struct Sum { number: u64 }
    /// # #[step] async fn double(sum: Context<Sum>) -> StepResult<u64> { Ok(sum.number * 2) }
    ///
    /// #[derive(Workflow)]
    /// #[workflow(context = Sum, steps(Double))]
    /// struct Sums;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///
    /// let task = Engine::in_memory().start::<Sums>(Sum { number: 21 }).await?;
    /// assert_eq!(task.finished().await?.output::<Double>()?, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When the workflow cannot be built, a resource is missing, or the storage fails. Nothing is stored then.
    pub async fn start<W: Workflow>(&self, context: W::Context) -> Result<Task<W, T>, EngineError> {
        let definition = W::definition()?;
        self.start_definition(&definition, context).await.map(Task::of)
    }
}

impl<W> Report<W> {
    /// What the step that `P` runs yielded. Compiles only for a handler that runs one step of the workflow.
    ///
    /// ```compile_fail,E0277
    /// # use tasker::prelude::*;
    /// # #[step] async fn price_cart() -> StepResult<u64> { Ok(1) }
    /// # #[step] async fn other() -> StepResult<u64> { Ok(1) }
    /// # #[derive(Workflow)] #[workflow(context = serde_json::Value, steps(PriceCart))] struct Checkout;
    /// fn read(report: Report<Checkout>) -> Result<u64, EngineError> {
    ///     report.output::<Other>()
    /// }
    /// ```
    ///
    /// # Errors
    /// When the step is not complete. Of a workflow known only at run time: when it has no such step, or several.
    pub fn output<P: Step>(&self) -> Result<P::Output, EngineError>
    where
        W: Lists<P>,
        W::Times: OnlyOnce<P, W>,
    {
        match <W as Lists<P>>::NAMES {
            Some([name]) => self.output_of(name),
            _ => self.only_output(P::NAME),
        }
    }

    /// What the step of that name yielded, which `P` runs.
    ///
    /// ```
    /// # use tasker::prelude::*;
    /// # #[derive(serde::Serialize, serde::Deserialize)] struct Sum { number: u64 }
    /// # #[step] async fn double(sum: Context<Sum>) -> StepResult<u64> { Ok(sum.number * 2) }
    /// #[derive(Workflow)]
    /// #[workflow(context = Sum, steps(Double, again = Double))]
    /// struct Sums;
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    ///
    /// let report = Engine::in_memory().start::<Sums>(Sum { number: 21 }).await?.finished().await?;
    /// assert_eq!(report.output_at::<Double>("again")?, 42);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// When there is no such step, another handler runs it, or it is not complete.
    pub fn output_at<P: Step>(&self, name: &str) -> Result<P::Output, EngineError>
    where
        W: Lists<P>,
    {
        let names = self.run_by(P::NAME);
        if names.iter().any(|found| **found == *name) {
            return self.output_of(name);
        }
        Err(self.no_output(match &names[..] {
            [] => format!("no step is run by `{}`", P::NAME),
            names => format!("`{}` runs no step `{name}`, but {}", P::NAME, named(names)),
        }))
    }

    fn only_output<O: DeserializeOwned>(&self, handler: &str) -> Result<O, EngineError> {
        match &self.run_by(handler)[..] {
            [name] => self.output_of(name),
            [] => Err(self.no_output(format!("no step is run by `{handler}`"))),
            names => Err(self.no_output(format!(
                "`{handler}` runs {}; read one by its name with `output_at`",
                named(names)
            ))),
        }
    }

    /// The steps that a handler runs. A template may name it by its whole path.
    fn run_by(&self, handler: &str) -> Vec<&StepName> {
        let steps = self.steps().iter();
        let of_it = steps.filter(|step| step.binding.handler.rsplit("::").next() == Some(handler));
        of_it.map(|step| &step.name).collect()
    }

    fn no_output(&self, message: String) -> EngineError {
        EngineError::Output { task: self.record().id, message }
    }
}

fn named(names: &[&StepName]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
