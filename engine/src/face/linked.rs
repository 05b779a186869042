//! What the linker found: handlers and workflows of every crate that is named somewhere.

use std::fmt;

use crate::{BuildErrors, Definition, Entry, Handlers, Place};

/// A handler that its macro submitted.
pub struct LinkedHandler(pub fn() -> Entry);
inventory::collect!(LinkedHandler);

impl fmt::Debug for LinkedHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (self.0)().fmt(f)
    }
}

/// A workflow that its derive submitted: what a worker can run without being told.
///
/// A broken one stops nobody: its definition is built when it is wanted.
///
/// ```
/// use tasker::LinkedWorkflow;
/// use tasker::prelude::*;
/// # #[step] async fn price_cart() -> StepResult<u64> { Ok(1) }
///
/// #[derive(Workflow)]
/// #[workflow(namespace = "shop", context = serde_json::Value, steps(PriceCart))]
/// struct MailOrder;
///
/// let found = LinkedWorkflow::all().find(|linked| linked.type_name == "MailOrder").expect("it is linked");
/// assert_eq!((found.definition)()?.full_name(), "shop/mail_order 0.1.0");
/// # Ok::<(), tasker::BuildErrors>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct LinkedWorkflow {
    /// The type that declares it.
    pub type_name: &'static str,
    /// Where.
    pub place: Place,
    /// Builds it.
    pub definition: fn() -> Result<Definition, BuildErrors>,
}
inventory::collect!(LinkedWorkflow);

impl LinkedWorkflow {
    /// All that are linked into this program. A crate that no code names is not: write `use that_crate as _;`.
    pub fn all() -> impl Iterator<Item = &'static Self> {
        inventory::iter::<Self>()
    }
}

impl Handlers {
    /// All handlers that are linked into this program, except generic ones: see [`Handlers::with`].
    ///
    /// A crate that stands in `Cargo.toml` and that no code names is not linked: write `use my_handlers as _;`.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// #[step]
    /// async fn price_cart() -> StepResult<u64> {
    ///     Ok(1)
    /// }
    /// assert!(Handlers::linked().names().any(|name| *name == *"price_cart"));
    /// ```
    pub fn linked() -> Self {
        let mut handlers = Self::new();
        for LinkedHandler(entry) in inventory::iter::<LinkedHandler>() {
            handlers.insert_entry(entry());
        }
        handlers
    }
}
