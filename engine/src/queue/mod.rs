//! Queues carry hints that a task can move. They are never the truth: losing, doubling, delaying or reordering hints
//! changes nothing but time, because the storage keeps every wake.
//!
//! ```text
//!  whoever made a task movable ──enqueue──▶ queue ──receive──▶ Worker ──▶ run loop ──▶ storage
//!                                             ▲                              │
//!                                             └────────────ack───────────────┘   when the task was looked at
//!
//!  whoever made a task movable ──enqueue──▶ the host's queue ──▶ the host's worker ──▶ Engine::handle
//! ```
//!
//! A stranger can write a queue from this page alone, and knows that it is right when the conformance suite for queues
//! passes (feature `conformance` of `tasker-storage`, macro `queue_conformance!`).

mod foreign;
mod memory;

use std::collections::BTreeSet;
use std::error::Error;
use std::future::ready;
use std::sync::Arc;

pub use foreign::ForeignQueue;
pub use memory::MemoryQueue;

use crate::{Busy, DefinitionHash, Reenqueue, Wake, WorkerId};

/// Takes hints: all that a foreign queue must offer. Its own workers then call
/// [`Engine::handle`](crate::Engine::handle): see [`ForeignQueue`].
pub trait Enqueue: Send + Sync + 'static {
    /// Takes note of wakes, which may be due later. May be called again with the same ones, and with later ones of the
    /// same tasks. What it could not take is not lost: the storage keeps it.
    fn enqueue(&self, wakes: &[Wake]) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// A queue that a [`Worker`](crate::Worker) of ours receives from.
///
/// # Contract
///
/// - **At least once.** A wake that was enqueued is received by somebody, at the latest when it is due, unless the queue
///   breaks down. Twice is allowed, so is another order.
/// - **Without delay.** Who waits in `receive` is woken by whoever enqueues a wake that is due, in the same process or,
///   where the queue reaches so far, in another.
/// - **Early is allowed.** Whether a hint is due yet is for the receiver to judge.
/// - **Generations.** What is forgotten is forgotten in the generation that was received. One of a higher generation is
///   another hint.
pub trait Queue: Enqueue {
    /// Waits for hints: at least one, or the news that some were missed; at most as many as the receiver can take. A queue
    /// that can tell gives them in turns between namespaces.
    ///
    /// # Cancel safety
    /// Dropping the future loses no hint: what it held is received again, within a minute.
    fn receive(&self, interest: Interest) -> impl Future<Output = Result<Delivery, QueueError>> + Send;

    /// What [`receive`](Self::receive) would answer at this moment, without waiting for more: often nothing.
    ///
    /// A worker that is full asks so when places become free, before it gives them to the tasks that it runs already. A
    /// queue that never answers this has newcomers wait until those are done.
    ///
    /// # Cancel safety
    /// As of `receive`.
    fn try_receive(&self, interest: Interest) -> impl Future<Output = Result<Delivery, QueueError>> + Send;

    /// Forgets wakes whose tasks were looked at since they were received. What is never acknowledged may be received
    /// again.
    fn ack(&self, wakes: &[Wake]) -> impl Future<Output = Result<(), QueueError>> + Send;

    /// Gives wakes back that were received and that this receiver will not look at: it has no handlers for them, or it stops.
    /// Others may receive them at once. Where nothing is done, as by default, they are received again when the queue takes
    /// this receiver to be gone.
    fn release(&self, wakes: &[Wake]) -> impl Future<Output = Result<(), QueueError>> + Send {
        let _ = wakes;
        ready(Ok(()))
    }

    /// Whether [`receive`](Self::receive) finds every wake that the storage keeps, also those that nobody enqueued.
    /// Where it does not, a worker asks the storage itself, when it begins and every
    /// [`Settings::poll`](crate::Settings::poll).
    fn finds_stored_wakes(&self) -> bool {
        false
    }

    /// How later looks are spaced, if this is a queue of a host that has workers of its own.
    fn reenqueue(&self) -> Option<Reenqueue> {
        None
    }
}

/// What a receiver can take.
#[derive(Clone, Debug, Default)]
pub struct Interest {
    /// At most that many hints; at least one is meant where it says 0.
    pub limit: usize,
    /// Definitions that the receiver has no handlers for. A queue that can tell leaves their tasks to others, and parks
    /// those that nobody takes.
    pub unserved: Arc<BTreeSet<DefinitionHash>>,
    /// Who receives. What he left over for want of room is in line with him, and a queue that can tell keeps it for others.
    pub worker: Option<WorkerId>,
}

impl Interest {
    /// In so many hints, whatever they are about.
    pub fn of(limit: usize) -> Self {
        Self { limit, ..Self::default() }
    }
}

/// Hints, and a guard that keeps a simulated clock still until they were looked at.
#[derive(Debug, Default)]
pub struct Delivery {
    /// The hints.
    pub wakes: Vec<Wake>,
    /// Whether hints got lost that nobody knows of: the receiver asks the storage.
    pub missed: bool,
    /// [`Busy::unneeded`] where the queue knows no clock.
    pub busy: Busy,
}

/// The queue could not be reached. Nothing is lost: the storage keeps the wakes.
#[derive(Debug, thiserror::Error)]
#[error("queue is unavailable")]
pub struct QueueError(#[source] pub Box<dyn Error + Send + Sync>);
