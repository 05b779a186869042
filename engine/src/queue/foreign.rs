//! Queues of hosts that have workers of their own.

use std::future::pending;

use super::{Delivery, Enqueue, Interest, Queue, QueueError};
use crate::{Reenqueue, Wake};

/// A queue of a host that has workers of its own: Sidekiq, Celery, BullMQ, a table of jobs.
///
/// Whatever makes a task movable is told to it, with the moment from which the task is to be looked at; the host's worker
/// then calls [`Engine::handle`](crate::Engine::handle) with the task's id. A pass that leaves something to do
/// enqueues the next one, spaced as [`Reenqueue`] says, so that the host's job has nothing to do with the answer.
///
/// What such a queue loses, [`Engine::tend`](crate::Engine::tend) tells it again: let the host call it now and then.
///
/// A [`Worker`](crate::Worker) of ours receives nothing from it, and finds its work in the storage.
#[derive(Clone, Debug)]
pub struct ForeignQueue<E> {
    queue: E,
    spacing: Reenqueue,
}

impl<E: Enqueue> ForeignQueue<E> {
    /// With the reference's spacing.
    pub const fn new(queue: E) -> Self {
        Self { queue, spacing: Reenqueue::DEFAULT }
    }

    /// With another spacing.
    #[must_use]
    pub const fn spaced(mut self, spacing: Reenqueue) -> Self {
        self.spacing = spacing;
        self
    }
}

impl<E: Enqueue> Enqueue for ForeignQueue<E> {
    fn enqueue(&self, wakes: &[Wake]) -> impl Future<Output = Result<(), QueueError>> + Send {
        self.queue.enqueue(wakes)
    }
}

impl<E: Enqueue> Queue for ForeignQueue<E> {
    /// Never ready: the host's workers receive.
    fn receive(&self, _: Interest) -> impl Future<Output = Result<Delivery, QueueError>> + Send {
        pending()
    }

    async fn try_receive(&self, _: Interest) -> Result<Delivery, QueueError> {
        Ok(Delivery::default())
    }

    async fn ack(&self, _: &[Wake]) -> Result<(), QueueError> {
        Ok(())
    }

    fn reenqueue(&self) -> Option<Reenqueue> {
        Some(self.spacing)
    }
}
