//! What a step takes of the steps it waits for.

use std::any::type_name;
use std::fmt;
use std::ops::Deref;

use serde::de::DeserializeOwned;

use super::{Argument, Readable, wrapper};
use crate::face::context::AnyContext;
use crate::face::graph::{AllOf, MaybeOf, OutputOf};
use crate::face::step::Step;
use crate::{
    Arity, Call, InputKey, InputNeed, MISSING_OUTPUT, Needs, StepError, StepName, StepResult, TypeKey,
};

/// The output of the step that `P` runs. Taking it is what makes a step wait.
///
/// Where that step may be skipped, take `Option<Output<P>>`: `None` when there is no output, while JSON's null is one.
///
/// ```
/// use tasker::prelude::*;
/// #[step]
/// async fn price_cart() -> StepResult<u64> {
///     Ok(250)
/// }
/// #[step]
/// async fn charge_card(cents: Output<PriceCart>) -> StepResult<String> {
///     Ok(format!("charged {} cents", *cents))
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(charge_card(Output(250)).await.unwrap(), "charged 250 cents");
/// # }
/// ```
///
/// `P` is the type that `#[step]` makes, not the function:
///
/// ```compile_fail
/// # use tasker::prelude::*;
/// # #[step] async fn price_cart() -> StepResult<u64> { Ok(250) }
/// #[step]
/// async fn charge_card(cents: Output<price_cart>) -> StepResult<u64> {
///     Ok(*cents)
/// }
/// ```
pub struct Output<P: Step>(pub P::Output);

impl<P: Step> Deref for Output<P> {
    type Target = P::Output;
    fn deref(&self) -> &P::Output {
        &self.0
    }
}

impl<P: Step<Output: fmt::Debug>> fmt::Debug for Output<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Output").field(&self.0).finish()
    }
}

impl<P: Step<Output: Clone>> Clone for Output<P> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// The outputs of all steps that `P` runs, with the steps' names, in the order of the steps: those of the template,
/// then those spawned. Steps without an output are left out.
///
/// ```
/// use tasker::prelude::*;
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Fetch { shard: u64 }
///
/// #[step]
/// impl Fetch {
///     async fn process(&self) -> StepResult<u64> {
///         Ok(self.shard * 10)
///     }
/// }
/// #[step]
/// async fn join(rows: Outputs<Fetch>) -> StepResult<u64> {
///     Ok(rows.values().sum())
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let rows = Outputs(vec![("fetch_1".into(), 10), ("fetch_2".into(), 20)]);
/// assert_eq!(join(rows).await.unwrap(), 30);
/// # }
/// ```
pub struct Outputs<P: Step>(pub Vec<(StepName, P::Output)>);

impl<P: Step> Outputs<P> {
    /// The outputs without the names.
    pub fn values(&self) -> impl Iterator<Item = &P::Output> {
        self.0.iter().map(|(_, output)| output)
    }

    /// The output of the step of that name.
    pub fn get(&self, step: &str) -> Option<&P::Output> {
        self.0.iter().find(|(name, _)| *name == *step).map(|(_, output)| output)
    }
}

impl<P: Step> Deref for Outputs<P> {
    type Target = [(StepName, P::Output)];
    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl<P: Step> IntoIterator for Outputs<P> {
    type Item = (StepName, P::Output);
    type IntoIter = std::vec::IntoIter<Self::Item>;
    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<P: Step<Output: fmt::Debug>> fmt::Debug for Outputs<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outputs").field(&self.0).finish()
    }
}

wrapper! {
    /// The output of the one parent that yields a `T`, whichever handler made it.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// # #[derive(serde::Serialize, serde::Deserialize)] struct Page { rows: u64 }
    /// /// Counts behind any step that yields a `Page`.
    /// #[step]
    /// async fn count(page: Input<Page>) -> StepResult<u64> {
    ///     Ok(page.rows)
    /// }
    /// # let _ = Count;
    /// ```
    Input
}
impl<P: Step> Argument for Output<P> {
    type On = AnyContext;
    type Dependencies = OutputOf<P>;
    fn declare(needs: &mut Needs) {
        needs.inputs.push(handler_need::<P>(Arity::One));
    }
    fn extract(call: &Call) -> StepResult<Self> {
        let output = only(call, handler_key::<P>())?;
        output.map(Output).ok_or_else(|| missing(&format!("the output of `{}`", P::NAME)))
    }
}

impl<P: Step> Argument for Option<Output<P>> {
    type On = AnyContext;
    type Dependencies = MaybeOf<P>;
    fn declare(needs: &mut Needs) {
        needs.inputs.push(handler_need::<P>(Arity::Optional));
    }
    fn extract(call: &Call) -> StepResult<Self> {
        Ok(only(call, handler_key::<P>())?.map(Output))
    }
}

impl<P: Step> Argument for Outputs<P> {
    type On = AnyContext;
    type Dependencies = AllOf<P>;
    fn declare(needs: &mut Needs) {
        needs.inputs.push(handler_need::<P>(Arity::Many));
    }
    fn extract(call: &Call) -> StepResult<Self> {
        let outputs = call.input(handler_key::<P>()).map(|parent| {
            let output = parent.output()?;
            Ok(output.map(|output| (parent.name.clone(), output)))
        });
        outputs.filter_map(Result::transpose).collect::<StepResult<_>>().map(Outputs)
    }
}

impl<T: Readable> Argument for Input<T> {
    type On = AnyContext;
    type Dependencies = ();
    fn declare(needs: &mut Needs) {
        let (key, says) = (InputKey::Output(TypeKey::of::<T>()), format!("a `{}`", type_name::<T>()));
        needs.inputs.push(InputNeed { key, arity: Arity::One, says, handler: None });
    }
    fn extract(call: &Call) -> StepResult<Self> {
        let output = only(call, InputKey::Output(TypeKey::of::<T>()))?;
        output.map(Input).ok_or_else(|| missing(&format!("a `{}`", type_name::<T>())))
    }
}

fn handler_need<P: Step>(arity: Arity) -> InputNeed {
    let says = format!("the output of `{}`", P::NAME);
    InputNeed { key: handler_key::<P>(), arity, says, handler: Some(P::NAME) }
}

fn handler_key<P: Step>() -> InputKey {
    InputKey::Handler(TypeKey::of::<P>())
}

/// The output of the only parent that an input takes; `None` when it has none, or there is no such parent.
fn only<T: DeserializeOwned>(call: &Call, key: InputKey) -> StepResult<Option<T>> {
    call.input(key).next().map_or(Ok(None), |parent| parent.output())
}

fn missing(what: &str) -> StepError {
    StepError::permanent(format!("{what} is not there")).class(MISSING_OUTPUT)
}
