//! The suite that defines what a queue is.
//!
//! A queue carries hints of the wakes that a storage keeps. So a harness for queues is one for storages
//! ([`Harness`](super::Harness)) that also says how to make a queue for such a storage; whoever wrote only a queue takes
//! the storage in memory. One line stamps every case as a test of its own:
//!
//! ```
//! # #[cfg(feature = "memory")] mod tests {
//! use std::sync::Arc;
//!
//! use tasker_engine::{MemoryQueue, SimulatedClock};
//! use tasker_storage::conformance::{Harness, QueueHarness};
//! # use tasker_engine::TaskId;
//! # use tasker_storage::memory::MemoryStorage;
//!
//! struct Mine;
//!
//! # impl Harness for Mine {
//! #     type Storage = MemoryStorage;
//! #     async fn storage(&self) -> MemoryStorage {
//! #         MemoryStorage::new()
//! #     }
//! #     async fn lose_wake(&self, storage: &MemoryStorage, task: TaskId) {
//! #         storage.lose_wake(task);
//! #     }
//! #     async fn make_draft(&self, storage: &MemoryStorage, task: TaskId) {
//! #         storage.make_draft(task);
//! #     }
//! # }
//! impl QueueHarness for Mine {
//!     type Queue = MemoryQueue;
//!     async fn queue(&self, _: &MemoryStorage, clock: &SimulatedClock) -> MemoryQueue {
//!         MemoryQueue::new(Arc::new(clock.clone()))
//!     }
//!     async fn elsewhere(&self, queue: &MemoryQueue, _: &MemoryStorage, _: &SimulatedClock) -> MemoryQueue {
//!         queue.clone()
//!     }
//! }
//!
//! tasker_storage::queue_conformance!(mine, Mine);
//! # }
//! ```
//!
//! Every sentence of the contract of [`Queue`](tasker_engine::Queue) has a case. None asserts elapsed time: the
//! simulated clock stands still unless a case moves it, so what is received is received without delay. A hint that never
//! comes would be waited for for ever; a watchdog ends such a case after [`PATIENCE`].

mod cases;
mod list;
mod scene;

pub use cases::*;
pub use list::{QUEUE_CASES, queue_cases};
pub use scene::{PATIENCE, QueueCase, QueueHarness, QueueScene, failing_queue_cases, run_queue_case};
