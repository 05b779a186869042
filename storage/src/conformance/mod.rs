//! The suite that defines what a storage is.
//!
//! A backend says how to make a fresh [`Storage`](tasker_engine::Storage) (a [`Harness`]), and one line stamps every
//! case as a test of its own:
//!
//! ```
//! # #[cfg(feature = "memory")] mod tests {
//! use tasker_storage::conformance::Harness;
//! # use tasker_engine::TaskId;
//! # use tasker_storage::memory::MemoryStorage;
//!
//! struct Memory;
//!
//! impl Harness for Memory {
//!     type Storage = MemoryStorage;
//!     async fn storage(&self) -> MemoryStorage {
//!         MemoryStorage::new()
//!     }
//!     async fn lose_wake(&self, storage: &MemoryStorage, task: TaskId) {
//!         storage.lose_wake(task);
//!     }
//!     async fn make_draft(&self, storage: &MemoryStorage, task: TaskId) {
//!         storage.make_draft(task);
//!     }
//! }
//!
//! tasker_storage::storage_conformance!(memory, Memory);
//! # }
//! ```
//!
//! Every sentence of the contract has at least one case; the head of each file says which sentences it covers. A case
//! is an ordinary function over a [`Scene`]: a storage of its own, and words for what is done to it. It asserts variants
//! and values, never the text of an error and never elapsed time; all times are arguments. Whatever a case loads is
//! held to [`check`] first, so the rules of the audit trail hold in all of them.
//!
//! Two backends are compared by [`same_answers`]: random operations, the same answers up to a renaming of ids.
//!
//! Queues have a suite of their own: [`queue`].
//!
//! # What the suite cannot reach
//!
//! Some sentences speak of data that no call of the contract makes; the tests of a backend cover them with rows of
//! their own: claims that name no worker, unsettled steps below a cancelled one, blocked steps in `pending`,
//! results of a step that fails other than those of an earlier failure, a null retry limit, rows without a state before.

pub mod again;
pub mod bad_spawns;
pub mod beat;
pub mod check;
pub mod claims;
pub mod clashes;
pub mod create;
pub mod crowds;
pub mod due;
pub mod fence;
pub mod fixture;
pub mod graphs;
mod harness;
pub mod identity;
pub mod intervene;
pub mod late;
pub mod learn;
mod list;
pub mod load;
pub mod parking;
pub mod payload;
pub mod queue;
pub mod races;
pub mod record;
pub mod records;
pub mod replay;
pub mod rescue;
pub mod retries;
pub mod rooms;
pub mod same;
pub mod settle;
pub mod spawn;
pub mod step_acts;
pub mod sweep;
pub mod task_acts;
pub mod wakes;

pub use fixture::Scene;
pub use harness::{Case, Harness, Running, failing, run};
pub use list::{CASES, cases};
pub use queue::QueueHarness;
pub use same::{agreement, same_answers};
