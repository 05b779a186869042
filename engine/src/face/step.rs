//! Typed handlers, and the one adapter that erases them.

use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use serde_json::Value;

use super::argument::{Arguments, Readable};
use super::context::{ContextRule, Payload, WorksOn};
use super::graph::{DependencyTree, HandlerId, Tree};
use super::step_context::StepContext;
use crate::known_keys::decode_known;
use crate::{
    Call, DefinitionBuilder, DynHandler, Entry, Fits, Handlers, IntoHandler, Misfit, Needs, Place, Policy,
    ResultExt, StepName, StepResult, TypeKey,
};

/// What a handler says about itself. Written by `#[step]` and `#[derive(StepHandler)]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not declared as a step",
    label = "not declared as a step",
    note = "write `#[step]` on an async function and use the CamelCase type it makes, or `#[derive(StepHandler)]` on `{Self}`"
)]
pub trait Declared: Sized + Send + Sync + 'static {
    /// The name under which templates find it.
    const NAME: &'static str;
    /// What tells it apart while compiling.
    const ID: HandlerId;
    /// Where it stands.
    const PLACE: Place;
    /// What it says about attempts.
    const POLICY: Policy;

    /// What it takes.
    const TAKES: Taken;

    /// Makes it from its `handler_config`.
    ///
    /// # Errors
    /// When the configuration does not fit.
    fn from_config(config: &Value) -> Result<Self, Misfit>;

    /// The JSON Schema of its `handler_config`, where its type derives one.
    fn config_schema() -> Option<Value>;
}

/// The arguments of a step. Implemented for a private type beside the step, so that a public step may take what is
/// private; and the only mention of the arguments, so that a mistake in one is one error.
#[doc(hidden)]
pub trait Takes {
    /// The arguments.
    type Arguments: Arguments;
}

/// What a step takes, as a value.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    pub(super) dependencies: Tree,
    declare: fn(&mut Needs),
    context: fn() -> Option<(TypeKey, Fits)>,
}

impl Taken {
    /// Of these arguments.
    pub const fn by<T: Takes>() -> Self {
        Self {
            dependencies: <T::Arguments as Arguments>::Dependencies::TREE,
            declare: T::Arguments::declare,
            context: <T::Arguments as Arguments>::On::need,
        }
    }
}

/// Takes the arguments of an attempt.
#[doc(hidden)]
pub fn arguments<T: Takes, S>(step: &StepContext<S>) -> StepResult<T::Arguments> {
    T::Arguments::extract(step)
}

/// Can be a step of a workflow on that context. A step is one or not by what it takes: see [`TakesOn`].
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step",
    label = "not a step of a workflow on `{C}`",
    note = "name the CamelCase type that `#[step]` makes of a function, or write `#[derive(StepHandler)]` on `{Self}`"
)]
pub trait StandsIn<C> {}

/// Are arguments of a step that can be one of a workflow on that context.
#[doc(hidden)]
pub trait TakesOn<C> {}
impl<T: Takes, C> TakesOn<C> for T where <T::Arguments as Arguments>::On: WorksOn<C> {}

/// A handler, typed. `#[step]` writes it; implement it yourself, beside `#[derive(StepHandler)]`, for the hooks and for
/// generic handlers.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tasker::prelude::*;
/// # #[derive(Serialize, Deserialize)] struct Order { cents: u64 }
/// # #[step] async fn price_cart(order: Context<Order>) -> StepResult<u64> { Ok(order.cents) }
///
/// /// Its fields are the step's `handler_config`.
/// #[derive(StepHandler, Serialize, Deserialize)]
/// #[step(retry_limit = 5, depends_on(PriceCart))]
/// struct ChargeCard {
///     gateway: String,
/// }
///
/// impl Step for ChargeCard {
///     type Context = Order;
///     type Output = String;
///
///     async fn process(&self, step: &StepContext<Self>) -> StepResult<String> {
///         let cents = step.output_of::<PriceCart>()?;
///         Ok(format!("{cents} cents by {}", self.gateway))
///     }
/// }
///
/// #[derive(Workflow)]
/// #[workflow(context = Order, steps(PriceCart, charge = ChargeCard { gateway: "visa".into() }))]
/// struct Checkout;
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let report = Engine::in_memory().start::<Checkout>(Order { cents: 7 }).await?.finished().await?;
/// assert_eq!(report.output::<ChargeCard>()?, "7 cents by visa");
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a step",
    label = "not a step",
    note = "name the CamelCase type that `#[step]` makes of a function, or write `impl Step for {Self}` beside `#[derive(StepHandler)]`"
)]
pub trait Step: Declared {
    /// As what [`StepContext::context`] reads the context; any JSON for a step that is a function.
    type Context: Payload;
    /// What it yields.
    type Output: Payload;

    /// Does the work of one attempt.
    ///
    /// # Errors
    /// Says by its [`StepError`](crate::StepError) whether there may be another attempt.
    fn process(&self, step: &StepContext<Self>) -> impl Future<Output = StepResult<Self::Output>> + Send;

    /// What is stored of the output; the output itself by default. Whoever takes the output reads what is stored.
    ///
    /// # Errors
    /// As those of [`process`](Self::process).
    fn process_results(&self, step: &StepContext<Self>, output: Self::Output) -> StepResult<Value> {
        let _ = step;
        serde_json::to_value(output).permanent()
    }

    /// What is linked. It stands here so that a derive without `impl Step` is one error.
    #[doc(hidden)]
    const ENTRY: fn() -> Entry = Entry::of::<Self>;
}

/// The one adapter between typed and erased handlers.
struct Typed<H>(H);

#[async_trait]
impl<H: Step> DynHandler for Typed<H> {
    async fn call(&self, call: Call) -> StepResult<Value> {
        let step = StepContext::new(call);
        let output = self.0.process(&step).await?;
        self.0.process_results(&step, output)
    }
}

impl Entry {
    /// A typed handler with all that it declares.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// # #[step(retry_limit = 5)] async fn price_cart() -> StepResult<u64> { Ok(1) }
    /// let entry = tasker::Entry::of::<PriceCart>();
    /// assert_eq!((entry.name.as_str(), entry.policy.retry_limit), ("price_cart", 5));
    /// ```
    pub fn of<H: Step>() -> Self {
        let mut entry = Self::new(H::NAME, |config| Ok(Arc::new(Typed(H::from_config(config)?))));
        entry.place = Some(H::PLACE);
        entry.handler = Some(TypeKey::of::<H>());
        entry.output = Some(TypeKey::of::<H::Output>());
        entry.context = (H::TAKES.context)();
        entry.policy = H::POLICY;
        entry.config_schema = H::config_schema;
        (H::TAKES.declare)(&mut entry.needs);
        entry
    }
}

/// A typed handler as a value: its fields become the `handler_config`.
impl<H: Step + Serialize> IntoHandler for H {
    fn into_handler(self, _: &StepName) -> Result<(Entry, Value), String> {
        let config = serde_json::to_value(self).map_err(|error| error.to_string())?;
        Ok((Entry::of::<H>(), config))
    }
}

impl DefinitionBuilder {
    /// Adds a step that a typed handler runs with the defaults of its configuration.
    ///
    /// ```
    /// use tasker::prelude::*;
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Greet {
    ///     #[serde(default)]
    ///     loudly: bool,
    /// }
    /// #[step]
    /// impl Greet {
    ///     async fn process(&self) -> StepResult<String> {
    ///         Ok(if self.loudly { "HELLO".into() } else { "hello".into() })
    ///     }
    /// }
    /// let definition = Definition::builder("docs", "greeting", "1.0.0").handler::<Greet>("greet").build()?;
    /// assert!(definition.template().step_templates[0].handler_config.is_null());
    /// # Ok::<(), tasker::BuildErrors>(())
    /// ```
    #[must_use]
    pub fn handler<H: Step>(self, name: impl Into<StepName>) -> Self {
        self.step(name, Entry::of::<H>())
    }
}

impl Handlers {
    /// Adds a typed handler; for a generic one, which cannot be linked, this is the only way.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// # #[step] async fn price_cart() -> StepResult<u64> { Ok(1) }
    /// let handlers = Handlers::new().with::<PriceCart>();
    /// assert_eq!(handlers.names().map(|name| name.as_str()).collect::<Vec<_>>(), ["price_cart"]);
    /// ```
    #[must_use]
    pub fn with<H: Step>(mut self) -> Self {
        self.insert_entry(Entry::of::<H>());
        self
    }
}

/// Makes a handler of its configuration; of the defaults of its fields when there is none.
///
/// # Errors
/// When the configuration does not fit, or has a key that the handler does not know.
#[doc(hidden)]
pub fn config_of<H: Readable>(config: &Value) -> Result<H, Misfit> {
    decode_config(config, decode_known)
}

/// Without a configuration, null is tried first (for `()` and `Option`), then no field at all (for `#[serde(default)]`).
pub(super) fn decode_config<T>(config: &Value, decode: fn(&Value) -> Result<T, Misfit>) -> Result<T, Misfit> {
    match decode(config) {
        Err(_) if config.is_null() => decode(&Value::Object(serde_json::Map::new())),
        decoded => decoded,
    }
}

/// Refuses a future that cannot move between threads, where the caller's span is.
#[doc(hidden)]
pub fn sendable<F: Future + Send>(future: F) -> F {
    future
}
