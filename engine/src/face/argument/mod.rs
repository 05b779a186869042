//! Arguments: what a step takes is what it declares.

mod given;
mod output;
mod spawn;

use serde::de::DeserializeOwned;

pub use given::{Config, Context, Part, State};
pub use output::{Input, Output, Outputs};
pub use spawn::Spawn;

use super::context::{AnyContext, ContextRule, MergeContext};
use super::graph::DependencyTree;
use crate::{Call, Needs, StepResult};

/// A value in a wrapper that says where it comes from.
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
use wrapper;

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
    /// On which context it insists: [`AnyContext`] on none, or what `<Context<T> as Argument>::On` says.
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
