//! The macros of tasker: `#[step]`, `#[derive(StepHandler)]`, `#[derive(Workflow)]` and `#[derive(Fail)]`.
//!
//! Use them through the facade crate `tasker`, which re-exports them beside the traits that they implement.

mod expand;
mod expanded;
mod facade;
mod fallback;
mod parse;
mod validate;

use proc_macro::TokenStream;

/// Makes a step of an async function, or of an `impl` block with an async method `process`.
///
/// Of the function `price_cart` it makes a type `PriceCart`, which stands for the step wherever one is named: in
/// `Output<PriceCart>`, in `steps(PriceCart)`. The function stays what it was, and a test may call it. What it takes is
/// what the step declares: it waits for the steps whose `Output` it takes.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tasker::prelude::*;
///
/// #[derive(Serialize, Deserialize)]
/// struct Order {
///     cents: Vec<u64>,
/// }
///
/// /// Prices the cart. An empty cart can never succeed, so it is not retried.
/// #[step]
/// async fn price_cart(order: Context<Order>) -> StepResult<u64> {
///     if order.cents.is_empty() {
///         return Err(StepError::permanent("the cart is empty"));
///     }
///     Ok(order.cents.iter().sum())
/// }
///
/// /// A handler with a configuration: its fields are the step's `handler_config`.
/// #[derive(Serialize, Deserialize)]
/// struct ChargeCard {
///     gateway: String,
/// }
///
/// #[step(retry_limit = 5, timeout_seconds = 30)]
/// impl ChargeCard {
///     async fn process(&self, cents: Output<PriceCart>) -> StepResult<String> {
///         Ok(format!("{} cents by {}", *cents, self.gateway))
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// assert_eq!(price_cart(Context(Order { cents: vec![2, 3] })).await.unwrap(), 5);
/// let handler = ChargeCard { gateway: "visa".into() };
/// assert_eq!(handler.process(Output(5)).await.unwrap(), "5 cents by visa");
/// # }
/// ```
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `name = "price"` | the name under which templates find it, and of the step unless the workflow gives another; the function's by default |
/// | `type = Price` | the type that is made of a function |
/// | `retry_limit = 5` | how many attempts there may be; 3 by default |
/// | `retryable = false` | a failed attempt is not followed by another |
/// | `skippable` | a request may pass over the step |
/// | `timeout_seconds = 30` | how long an attempt may take |
/// | `crate = path` | where the facade is, when it is renamed or re-exported |
///
/// Functions cannot be generic; `impl` blocks can, and are then registered with `Handlers::with`.
#[proc_macro_attribute]
pub fn step(options: TokenStream, item: TokenStream) -> TokenStream {
    expanded::step(options.into(), item.into()).into()
}

/// Declares a type as a step handler, whose `impl Step` you write yourself: for the hooks, and for generic handlers.
///
/// The options are those of [`macro@step`] but `type`, and what the step takes:
///
/// | option | what `process` may read |
/// |---|---|
/// | `depends_on(P, …)` | `step.output_of::<P>()`: waits for the step that `P` runs |
/// | `optional(P, …)` | `step.optional_output_of::<P>()`: of a step that may be skipped, or is not there |
/// | `all(P, …)` | `step.outputs_of::<P>()`: of all steps that `P` runs |
/// | `state(T, …)` | `step.state::<T>()`: a shared resource of the engine |
/// | `spawns(P, …)` | `step.spawn::<P>()`: adds steps while it runs |
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use tasker::prelude::*;
/// # #[step] async fn price_cart() -> StepResult<u64> { Ok(250) }
///
/// #[derive(StepHandler, Serialize, Deserialize)]
/// #[step(retry_limit = 5, depends_on(PriceCart))]
/// struct ChargeCard {
///     gateway: String,
/// }
///
/// impl Step for ChargeCard {
///     type Context = serde_json::Value;
///     type Output = String;
///
///     async fn process(&self, step: &StepContext<Self>) -> StepResult<String> {
///         let cents = step.output_of::<PriceCart>()?;
///         Ok(format!("{cents} cents by {}", self.gateway))
///     }
/// }
/// # let _ = Handlers::new().with::<ChargeCard>();
/// ```
#[proc_macro_derive(StepHandler, attributes(step))]
pub fn step_handler(item: TokenStream) -> TokenStream {
    expanded::derived(item.into(), expanded::step_handler).into()
}

/// Makes a workflow of a type: its steps, checked by the compiler.
///
/// A step that takes the output of one that is not listed, steps that wait for each other, a doubled name, a step that
/// works on another context: each is a compile error that names the steps and says what to write.
///
/// ```
/// use tasker::prelude::*;
/// # #[derive(serde::Serialize, serde::Deserialize)] struct Window { rows: u64 }
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Fetch {
///     shard: u64,
/// }
///
/// #[step]
/// impl Fetch {
///     async fn process(&self, window: Context<Window>) -> StepResult<u64> {
///         Ok(window.rows * self.shard)
///     }
/// }
/// #[step]
/// async fn join(rows: Outputs<Fetch>) -> StepResult<u64> {
///     Ok(rows.values().sum())
/// }
///
/// #[derive(Workflow)]
/// #[workflow(namespace = "reports", name = "shards", version = "1.0.0", context = Window,
///     steps(fetch_1 = Fetch { shard: 1 }, fetch_2 = Fetch { shard: 2 }, Join))]
/// struct Shards;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let report = Engine::in_memory().start::<Shards>(Window { rows: 10 }).await?.finished().await?;
/// assert_eq!(report.output::<Join>()?, 30);
/// assert_eq!(report.output_at::<Fetch>("fetch_2")?, 20);
/// # Ok(()) }
/// ```
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `context = Order` | what it works on; required |
/// | `steps(…)` | its steps, in the order of their ids |
/// | `namespace = "shop"` | `default` by default |
/// | `name = "checkout"` | the type's name in snake case by default |
/// | `version = "1.0.0"` | `0.1.0` by default |
/// | `description = "…"` | for people |
/// | `one_step_at_a_time` | at most one step of a task is in progress at a time |
/// | `hooks = Expression` | code that is called when a task is planned and when it has settled |
/// | `crate = path` | where the facade is, when it is renamed or re-exported |
///
/// A step is a handler (`Join`), a handler with its configuration (`Fetch { shard: 1 }`), either with a name of its own
/// (`fetch_1 = …`), and either may wait for others whose output it does not take: `Notify after(Ship, fetch_1)`. Where
/// several steps yield what it takes, `after` says which is meant.
#[proc_macro_derive(Workflow, attributes(workflow))]
pub fn workflow(item: TokenStream) -> TokenStream {
    expanded::derived(item.into(), expanded::workflow).into()
}

/// Implements `tasker::Fail` for an error type: says of each variant whether the step may be tried again.
///
/// ```
/// use tasker::prelude::*;
///
/// #[derive(Debug, Fail)]
/// enum PaymentError {
///     #[fail(permanent, code = "PAYMENT_DECLINED")]
///     Declined(String),
///     #[fail(retry_after_seconds = 30)]
///     Busy,
///     #[fail(retry_after_seconds = seconds)]
///     Throttled { seconds: u64 },
///     /// May be tried again after the step's usual wait.
///     Network,
/// }
/// # impl std::fmt::Display for PaymentError {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str("no payment") }
/// # }
/// # impl std::error::Error for PaymentError {}
///
/// #[step]
/// async fn charge_card() -> Result<String, PaymentError> {
///     Err(PaymentError::Declined("stolen".into()))
/// }
/// # use tasker::Retry;
/// assert_eq!(PaymentError::Declined("stolen".into()).fail().retry(), Retry::Never);
/// assert_eq!(PaymentError::Throttled { seconds: 7 }.fail().retry(), Retry::After(std::time::Duration::from_secs(7)));
/// assert_eq!(PaymentError::Network.fail().retry(), Retry::Later);
/// # let _ = ChargeCard;
/// ```
///
/// # Options
///
/// | option | meaning |
/// |---|---|
/// | `permanent` | no other attempt |
/// | `retryable` | another attempt after the step's usual wait |
/// | `retry_after_seconds = 30` | another attempt after exactly that wait; a field of the variant may give it |
/// | `code = "…"` | a code that is stored with the failure |
/// | `class = "…"` | the class under which it is stored; the type's name by default |
/// | `crate = path` | on the type: where the facade is, when it is renamed or re-exported |
///
/// Options on the type hold for the variants that say nothing themselves. Without any, what is `Permanent` or
/// `RetryAfter` in the chain of sources decides, as it does for `?`.
#[proc_macro_derive(Fail, attributes(fail))]
pub fn fail(item: TokenStream) -> TokenStream {
    expanded::derived(item.into(), expanded::fail).into()
}
