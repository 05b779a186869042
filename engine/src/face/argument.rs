//! Arguments: what a step takes is what it declares.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::context::{AnyContext, ContextRule, MergeContext, On, Payload};
use super::graph::{AllOf, DependencyTree, MaybeOf, OutputOf};
use super::step::{Step, decode_config};
use crate::handler::{Spawning, ask_for, fits};
use crate::{
    Arity, BAD_INPUT, Call, Entry, InputKey, InputNeed, MISSING_OUTPUT, Needs, ResultExt, SpawnRequest,
    StepError, StepName, StepResult, TypeKey,
};

/// What a step may take.
///
/// Arguments declare and extract: what a step takes is told to the compiler and to the definition before anything runs,
/// and it is all that the step can reach. Write your own from those that are there:
///
/// ```
/// use tasker::prelude::*;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Serialize, Deserialize)] struct Order { customer: String }
///
/// /// Whose order it is, in lower case.
/// struct Customer(String);
///
/// impl Argument for Customer {
///     type On = <Context<Order> as Argument>::On;
///     type Dependencies = <Context<Order> as Argument>::Dependencies;
///     fn declare(needs: &mut Needs) {
///         Context::<Order>::declare(needs);
///     }
///     fn extract(call: &Call) -> StepResult<Self> {
///         let order = Context::<Order>::extract(call)?;
///         Ok(Self(order.customer.to_lowercase()))
///     }
/// }
///
/// #[step]
/// async fn greet(customer: Customer) -> StepResult<String> {
///     Ok(format!("good day, {}", customer.0))
/// }
/// # let _ = Greet;
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a step",
    label = "nothing that a step can be given",
    note = "a step may take `Context<T>`, `Part<T>`, `Output<OtherStep>`, `Option<Output<OtherStep>>`, `Outputs<OtherStep>`, `Input<T>`, `Spawn<OtherStep>`, `State<T>`, `Config<T>`, `Call`",
    note = "implement `tasker::Argument` to add your own"
)]
pub trait Argument: Sized + Send {
    /// On which context it insists: [`AnyContext`], or [`On`] a type.
    type On: ContextRule;

    /// Of which steps it takes the output; `()` of none.
    type Dependencies: DependencyTree;

    /// Tells what it needs.
    fn declare(needs: &mut Needs);

    /// Takes it from the attempt that is about to run.
    ///
    /// # Errors
    /// When it is not there, or does not fit: the attempt fails without a call of the step.
    fn extract(call: &Call) -> StepResult<Self>;
}

/// All arguments of a step: pairs of an [`Argument`] and the rest, `()` at the end.
pub trait Arguments: Sized + Send {
    /// On which context they insist together.
    type On: ContextRule;

    /// Of which steps they take the output.
    type Dependencies: DependencyTree;

    /// Tells what they need.
    fn declare(needs: &mut Needs);

    /// Takes them, in order.
    ///
    /// # Errors
    /// The first argument's that fails.
    fn extract(call: &Call) -> StepResult<Self>;
}

impl Arguments for () {
    type On = AnyContext;
    type Dependencies = ();
    fn declare(_: &mut Needs) {}
    fn extract(_: &Call) -> StepResult<Self> {
        Ok(())
    }
}

impl<A: Argument, R: Arguments> Arguments for (A, R)
where
    A::On: MergeContext<R::On>,
{
    type On = <A::On as MergeContext<R::On>>::Both;
    type Dependencies = (A::Dependencies, R::Dependencies);
    fn declare(needs: &mut Needs) {
        A::declare(needs);
        R::declare(needs);
    }
    fn extract(call: &Call) -> StepResult<Self> {
        Ok((A::extract(call)?, R::extract(call)?))
    }
}

/// What can be read from JSON: a configuration, a part of a context. Every owned type that derives `Deserialize` is one.
///
/// ```
/// use tasker::Readable;
///
/// #[derive(serde::Deserialize)]
/// struct Billing {
///     card: String,
/// }
///
/// fn is_readable<T: Readable>() {}
/// is_readable::<Billing>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be read from JSON",
    label = "cannot be read from JSON",
    note = "write `#[derive(serde::Deserialize)]` on `{Self}`; it must also own what it holds: `Send + 'static`"
)]
pub trait Readable: DeserializeOwned + Send + 'static {}

#[diagnostic::do_not_recommend]
impl<T: DeserializeOwned + Send + 'static> Readable for T {}

macro_rules! wrapper {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub struct $name<T>(pub T);

        impl<T> Deref for $name<T> {
            type Target = T;
            fn deref(&self) -> &T {
                &self.0
            }
        }
    };
}

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

/// Adds steps that `H` runs to the task, while it runs.
///
/// They are written when the attempt completes, so a failed attempt adds nothing, and a repeated one adds nothing twice.
/// Each waits for the step that asked; a step that takes `Outputs<H>` waits for all of them.
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
/// async fn plan(shards: Spawn<Fetch>) -> StepResult<()> {
///     for shard in 1..=3 {
///         shards.step(format!("fetch_{shard}"), Fetch { shard })?;
///     }
///     Ok(())
/// }
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// // In a test, it collects.
/// let shards = Spawn::collect();
/// plan(shards.clone()).await.unwrap();
/// assert_eq!(shards.names(), ["fetch_1", "fetch_2", "fetch_3"]);
/// # }
/// ```
pub struct Spawn<H> {
    to: Spawning,
    of: PhantomData<fn() -> H>,
}

impl<H: Step + Serialize> Spawn<H> {
    /// Collects what is asked for, for calling a step from a test.
    pub fn collect() -> Self {
        Self { to: Spawning::default(), of: PhantomData }
    }

    /// Adds a step. A name that the task has already adds nothing.
    ///
    /// # Errors
    /// When the name was asked for before in this attempt, or the handler cannot be written as JSON.
    pub fn step(&self, name: impl Into<StepName>, handler: H) -> StepResult<()> {
        self.step_after(name, handler, [] as [StepName; 0])
    }

    /// Adds a step that waits for others which were asked for earlier in this attempt.
    ///
    /// # Errors
    /// As [`step`](Self::step).
    pub fn step_after<I>(&self, name: impl Into<StepName>, handler: H, after: I) -> StepResult<()>
    where
        I: IntoIterator<Item: Into<StepName>>,
    {
        let config = serde_json::to_value(handler).permanent()?;
        let after = after.into_iter().map(Into::into).collect();
        ask_for(
            &self.to,
            SpawnRequest { name: name.into(), entry: Entry::of::<H>(), config, after, before: vec![] },
        )
    }

    /// The names asked for so far.
    pub fn names(&self) -> Vec<StepName> {
        let asked = self.to.lock().expect("nothing panics while it adds a step");
        asked.iter().map(|request| request.name.clone()).collect()
    }
}

impl<H> Clone for Spawn<H> {
    fn clone(&self) -> Self {
        Self { to: Arc::clone(&self.to), of: PhantomData }
    }
}

impl<H> fmt::Debug for Spawn<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Spawn<{}>", type_name::<H>())
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

impl<T: Payload> Argument for Context<T> {
    type On = On<T>;
    type Dependencies = ();
    fn declare(_: &mut Needs) {}
    fn extract(call: &Call) -> StepResult<Self> {
        call.context().map(Context)
    }
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

impl<T: Readable> Argument for Config<T> {
    type On = AnyContext;
    type Dependencies = ();
    fn declare(needs: &mut Needs) {
        needs.config.push(|config| decode_config::<T>(config).map(drop));
    }
    fn extract(call: &Call) -> StepResult<Self> {
        let config = decode_config(call.raw_config());
        config
            .map(Config)
            .map_err(|misfit| StepError::permanent(format!("handler_config: {misfit}")).class(BAD_INPUT))
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

impl<H: Step + Serialize> Argument for Spawn<H> {
    type On = AnyContext;
    type Dependencies = ();
    fn declare(needs: &mut Needs) {
        needs.spawns.push(Arc::new(Entry::of::<H>));
    }
    fn extract(call: &Call) -> StepResult<Self> {
        Ok(Self { to: Arc::clone(&call.spawned), of: PhantomData })
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
