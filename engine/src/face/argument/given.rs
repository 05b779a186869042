//! What a step is given without waiting for another: the context, its configuration, the engine's resources, the
//! attempt.

use std::any::type_name;
use std::ops::Deref;
use std::sync::Arc;

use super::{Argument, Readable, wrapper};
use crate::face::context::{AnyContext, On, Payload};
use crate::face::step::decode_config;
use crate::handler::{decode, fits};
use crate::known_keys::decode_known;
use crate::{BAD_INPUT, Call, Needs, StepError, StepResult, TypeKey};

wrapper! {
    /// What the workflow works on, whole. Every step of one workflow that takes it takes the same type.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// # #[derive(serde::Serialize, serde::Deserialize)] struct Order { cents: Vec<u64> }
    /// #[step]
    /// async fn price_cart(order: Context<Order>) -> StepResult<u64> {
    ///     Ok(order.cents.iter().sum())
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// // A step is a plain function: a test calls it.
    /// assert_eq!(price_cart(Context(Order { cents: vec![2, 3] })).await.unwrap(), 5);
    /// # }
    /// ```
    Context
}
impl<T: Payload> Argument for Context<T> {
    type On = On<T>;
    type Dependencies = ();
    fn declare(_: &mut Needs) {}
    fn extract(call: &Call) -> StepResult<Self> {
        call.context().map(Context)
    }
}

wrapper! {
    /// Those fields of the context that the step needs, whatever the workflow works on.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// # #[derive(serde::Deserialize)] struct Billing { card: String }
    /// #[step]
    /// async fn check_card(Part(Billing { card }): Part<Billing>) -> StepResult<bool> {
    ///     Ok(card.len() == 16)
    /// }
    /// # let _ = CheckCard;
    /// ```
    Part
}
impl<T: Readable> Argument for Part<T> {
    type On = AnyContext;
    type Dependencies = ();
    fn declare(needs: &mut Needs) {
        needs.context.push(fits::<T>);
    }
    fn extract(call: &Call) -> StepResult<Self> {
        call.context().map(Part)
    }
}

wrapper! {
    /// The step's `handler_config`, for a step that is a function.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// # #[derive(serde::Serialize, serde::Deserialize)] struct Limits { rows: u64 }
    /// #[step]
    /// async fn fetch(limits: Config<Limits>) -> StepResult<u64> {
    ///     Ok(limits.rows)
    /// }
    /// let definition =
    ///     Definition::builder("reports", "fetch", "1.0.0").step("fetch", Fetch).config(Limits { rows: 9 }).build()?;
    /// assert_eq!(definition.template().step_templates[0].handler_config["rows"], 9);
    /// # Ok::<(), tasker::BuildErrors>(())
    /// ```
    Config
}

impl<T: Readable> Argument for Config<T> {
    type On = AnyContext;
    type Dependencies = ();
    fn declare(needs: &mut Needs) {
        needs.config.push(|config| decode_config(config, decode_known::<T>).map(drop));
    }
    fn extract(call: &Call) -> StepResult<Self> {
        let config = decode_config(call.raw_config(), decode);
        config
            .map(Config)
            .map_err(|misfit| StepError::permanent(format!("handler_config: {misfit}")).class(BAD_INPUT))
    }
}

/// A shared resource of the engine: a pool, an HTTP client. A workflow that takes one which the engine lacks is refused
/// when a task is started.
///
/// ```
/// use tasker::prelude::*;
/// struct Rates { vat_percent: u64 }
///
/// #[step]
/// async fn vat(rates: State<Rates>) -> StepResult<u64> {
///     Ok(rates.vat_percent)
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(vat(State::new(Rates { vat_percent: 19 })).await.unwrap(), 19);
/// # }
/// ```
#[derive(Debug)]
pub struct State<T>(pub Arc<T>);

impl<T> State<T> {
    /// For calling a step from a test.
    pub fn new(resource: T) -> Self {
        Self(Arc::new(resource))
    }
}

impl<T> Clone for State<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Deref for State<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Send + Sync + 'static> Argument for State<T> {
    type On = AnyContext;
    type Dependencies = ();
    fn declare(needs: &mut Needs) {
        needs.states.push(TypeKey::of::<T>());
    }
    fn extract(call: &Call) -> StepResult<Self> {
        let missing = || {
            StepError::permanent(format!("the engine has no State<{}>", type_name::<T>())).class(BAD_INPUT)
        };
        call.state().map(State).ok_or_else(missing)
    }
}

/// The attempt itself: its number, its idempotency key, the engine's time. In the signature of a step: `call: &Call`.
impl Argument for Call {
    type On = AnyContext;
    type Dependencies = ();
    fn declare(_: &mut Needs) {}
    fn extract(call: &Call) -> StepResult<Self> {
        Ok(call.clone())
    }
}
