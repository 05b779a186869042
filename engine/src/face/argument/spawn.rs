//! Steps that a running step adds.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;

use super::Argument;
use crate::face::context::AnyContext;
use crate::face::step::Step;
use crate::handler::{Spawning, ask_for};
use crate::{Call, Entry, Needs, ResultExt, SpawnRequest, StepName, StepResult};

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
