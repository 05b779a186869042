//! Queues carry hints that a task can move. They are never the truth: losing, doubling or delaying a hint changes
//! nothing but time, because the storage keeps every wake.

use std::collections::VecDeque;
use std::error::Error;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use crate::{Busy, Clock, DynClock, Wake};

/// Takes hints: all that a foreign queue must offer. Its own workers then call
/// [`Engine::handle`](crate::Engine::handle).
pub trait Enqueue: Send + Sync + 'static {
    /// Takes note of wakes, which may be due later. May be called again with the same ones.
    fn enqueue(&self, wakes: &[Wake]) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// A queue that a [`Worker`](crate::Worker) of ours receives from.
pub trait Queue: Enqueue {
    /// Waits for hints; at most `limit` at a time, at least one. Whether a hint is due yet is for the receiver to judge.
    ///
    /// # Cancel safety
    /// Dropping the future loses no hint.
    fn receive(&self, limit: usize) -> impl Future<Output = Result<Delivery, QueueError>> + Send;

    /// Forgets a wake that was received, in the generation received; a newer one stays.
    fn ack(&self, wake: Wake) -> impl Future<Output = Result<(), QueueError>> + Send;
}

/// Hints, and a guard that keeps a simulated clock still until they were looked at.
#[derive(Debug)]
pub struct Delivery {
    /// The hints.
    pub wakes: Vec<Wake>,
    /// [`Busy::unneeded`] where the queue knows no clock.
    pub busy: Busy,
}

/// The queue could not be reached. Nothing is lost: the storage keeps the wakes.
#[derive(Debug, thiserror::Error)]
#[error("queue is unavailable")]
pub struct QueueError(#[source] pub Box<dyn Error + Send + Sync>);

/// Hints in the memory of one process.
#[derive(Clone)]
pub struct MemoryQueue {
    clock: Arc<dyn DynClock>,
    /// Guards the hints and who waits for them; held for a few instructions.
    state: Arc<Mutex<QueueState>>,
}

#[derive(Default)]
struct QueueState {
    wakes: VecDeque<Wake>,
    waiting: Vec<(u64, Waker)>,
    next_receiver: u64,
    /// Held on behalf of a receiver that was woken and has not run yet.
    busy: Option<Busy>,
}

impl MemoryQueue {
    /// An empty queue whose receivers live by that clock.
    pub fn new(clock: Arc<dyn DynClock>) -> Self {
        Self { clock, state: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().expect("nothing panics while it holds the queue")
    }
}

impl Enqueue for MemoryQueue {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        let mut state = self.lock();
        state.wakes.extend(wakes);
        let waiting = std::mem::take(&mut state.waiting);
        if !waiting.is_empty() && state.busy.is_none() {
            state.busy = Some(self.clock.busy());
        }
        drop(state);
        waiting.into_iter().for_each(|(_, waker)| waker.wake());
        Ok(())
    }
}

impl Queue for MemoryQueue {
    async fn receive(&self, limit: usize) -> Result<Delivery, QueueError> {
        Ok(Receiving { queue: self, limit: limit.max(1), id: None }.await)
    }

    /// A hint is gone when it was received.
    async fn ack(&self, _: Wake) -> Result<(), QueueError> {
        Ok(())
    }
}

struct Receiving<'a> {
    queue: &'a MemoryQueue,
    limit: usize,
    id: Option<u64>,
}

impl Future for Receiving<'_> {
    type Output = Delivery;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Delivery> {
        let mut state = self.queue.lock();
        if state.wakes.is_empty() {
            let id = self.id.unwrap_or(state.next_receiver);
            state.next_receiver = state.next_receiver.max(id + 1);
            state.waiting.retain(|(other, _)| *other != id);
            state.waiting.push((id, context.waker().clone()));
            drop(state);
            self.id = Some(id);
            return Poll::Pending;
        }
        let count = self.limit.min(state.wakes.len());
        let wakes = state.wakes.drain(..count).collect();
        let busy = state.busy.take().unwrap_or_default();
        Poll::Ready(Delivery { wakes, busy })
    }
}

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        let Some(id) = self.id else { return };
        let mut state = self.queue.lock();
        state.waiting.retain(|(other, _)| *other != id);
        let busy = if state.waiting.is_empty() { state.busy.take() } else { None };
        drop(state);
        drop(busy);
    }
}
