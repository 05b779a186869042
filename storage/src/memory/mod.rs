//! Tasks in the memory of one process: the strict oracle.
//!
//! It gives the answers that any other backend has to give, audit trail included, by the functions of
//! [`tasker_engine::decide`]. Nothing outlives the process.
//!
//! ```text
//! store ── tasks ── task ┬─ graph (shared by all tasks of a definition, until a step is spawned)
//!   │                    ├─ steps, and how they stand, counted
//!   │                    ├─ trail (the rows of the task and its steps)
//!   └─ sets ◀── follow ──┴─ wake
//! ```
//!
//! A call costs what it touches: an outcome its step and the edges to the steps below it, whatever the size of the task.
//! Tasks that are wanted, or that have a limit, are judged in full, and cost as much as they have steps that can move.

mod advance;
mod catalogue;
mod choose;
mod claim;
mod create;
#[cfg(feature = "defects")]
pub mod defects;
#[cfg(not(feature = "defects"))]
#[expect(unreachable_pub, reason = "it is public where tests ask for it")]
mod defects;
mod graph;
mod intervene;
mod load;
mod notes;
mod record;
mod records;
mod rescue;
mod rows;
mod settle;
mod spawn;
mod step;
mod store;
mod task;
mod wakes;
mod work;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard};

use tasker_engine::payload::Limits;
use tasker_engine::records::Records;
use tasker_engine::{
    Advance, Beat, BoundTemplate, Creation, Detail, Due, HandedBack, Intervened, Intervention, NewTask,
    Progress, Rescue, Rescued, Storage, StorageError, Swept, TaskId, TaskRecord, Timestamp,
};

use store::Store;

/// Keeps tasks in memory. Clones share them.
///
/// ```
/// use tasker_engine::{Storage, Timestamp};
/// use tasker_storage::memory::MemoryStorage;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), tasker_engine::StorageError> {
/// let storage = MemoryStorage::new();
/// assert!(storage.due(Timestamp::EPOCH, 10).await?.wakes.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryStorage {
    /// Guards everything. Taken once a call, and never held while something is awaited: so every call is atomic, and
    /// there is one order of all of them.
    store: Arc<Mutex<Store>>,
}

impl MemoryStorage {
    /// An empty storage.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty storage with limits of its own for the values in it.
    pub fn with_limits(limits: Limits) -> Self {
        Self { store: Arc::new(Mutex::new(Store::new(limits))) }
    }

    /// Loses the wake of a task, as a fault would: for tests of the sweep, since no call of the contract loses one.
    #[cfg(any(test, feature = "conformance"))]
    pub fn lose_wake(&self, task: TaskId) {
        self.store().touch(task, Timestamp::EPOCH, |task, _| task.wake.clear());
    }

    /// Makes a draft of a pending task, as an application does that has a row of its own for it; no call of the contract
    /// makes one.
    #[cfg(any(test, feature = "conformance"))]
    pub fn make_draft(&self, task: TaskId) {
        self.store().touch(task, Timestamp::EPOCH, |task, pen| task.make_draft(pen));
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().expect("nothing panics while it holds the store")
    }
}

impl std::fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStorage").finish_non_exhaustive()
    }
}

impl Storage for MemoryStorage {
    async fn learn(&self, definitions: &[Arc<BoundTemplate>], now: Timestamp) -> Result<(), StorageError> {
        self.store().learn(definitions, now)
    }

    async fn create(&self, tasks: Vec<NewTask>, now: Timestamp) -> Result<Vec<Creation>, StorageError> {
        self.store().create(tasks, now)
    }

    async fn advance(&self, call: Advance) -> Result<Vec<Progress>, StorageError> {
        Ok(self.store().advance(call))
    }

    async fn intervene(&self, act: Intervention) -> Result<Intervened, StorageError> {
        self.store().intervene(&act)
    }

    async fn beat(&self, beat: Beat) -> Result<Vec<HandedBack>, StorageError> {
        self.store().beat(&beat)
    }

    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Rescued>, StorageError> {
        Ok(self.store().rescue(rescue))
    }

    async fn due(&self, now: Timestamp, limit: usize) -> Result<Due, StorageError> {
        Ok(self.store().due(now, limit))
    }

    async fn sweep(
        &self,
        now: Timestamp,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Swept, StorageError> {
        Ok(self.store().sweep(now, after, limit))
    }

    async fn load(&self, tasks: &[TaskId], detail: Detail) -> Result<Vec<TaskRecord>, StorageError> {
        Ok(self.store().load(tasks, detail))
    }

    fn records(&self) -> Option<&dyn Records> {
        Some(self)
    }
}
