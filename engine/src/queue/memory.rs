//! Hints in the memory of one process.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Delivery, Enqueue, Interest, Queue, QueueError};
use crate::{Clock, Condition, DynClock, Wake};

/// More hints than that are not kept, so that an engine from which nobody receives stays as small as it is. The next
/// receiver is told that it missed some.
const KEPT: usize = 10_000;

/// Hints in the memory of one process. Clones share them.
#[derive(Clone)]
pub struct MemoryQueue {
    clock: Arc<dyn DynClock>,
    hints: Arc<Condition<Hints>>,
}

#[derive(Default)]
struct Hints {
    wakes: VecDeque<Wake>,
    missed: bool,
}

impl Hints {
    fn add(&mut self, wakes: &[Wake]) {
        if self.wakes.len() + wakes.len() > KEPT {
            self.wakes.clear();
            self.missed = true;
        } else {
            self.wakes.extend(wakes);
        }
    }

    fn take(&mut self, limit: usize) -> Option<(Vec<Wake>, bool)> {
        let count = limit.max(1).min(self.wakes.len());
        let missed = std::mem::take(&mut self.missed);
        (count > 0 || missed).then(|| (self.wakes.drain(..count).collect(), missed))
    }
}

impl MemoryQueue {
    /// An empty queue whose receivers live by that clock.
    pub fn new(clock: Arc<dyn DynClock>) -> Self {
        Self { clock, hints: Arc::default() }
    }
}

impl Enqueue for MemoryQueue {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        if !wakes.is_empty() {
            self.hints.change(&self.clock, |hints| hints.add(wakes));
        }
        Ok(())
    }
}

impl Queue for MemoryQueue {
    async fn receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        let ((wakes, missed), busy) = self.hints.until(|hints| hints.take(interest.limit)).await;
        Ok(Delivery { wakes, missed, busy })
    }

    async fn try_receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        let taken = self.hints.peek(|hints| hints.take(interest.limit));
        let (wakes, missed) = taken.unwrap_or_default();
        Ok(Delivery { wakes, missed, busy: Clock::busy(&self.clock) })
    }

    /// A hint is gone when it was received.
    async fn ack(&self, _: &[Wake]) -> Result<(), QueueError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SystemClock, TaskId, Timestamp};

    #[tokio::test]
    async fn a_queue_that_nobody_receives_from_stays_small_and_says_what_it_dropped() {
        let queue = MemoryQueue::new(Arc::new(SystemClock::default()));
        for task in 0..3 * 10_000 {
            let wake = Wake { due: Timestamp::EPOCH, task: TaskId(task), generation: 1 };
            queue.enqueue(&[wake]).await.unwrap();
            assert!(queue.hints.peek(|hints| hints.wakes.len()) <= KEPT);
        }
        assert!(queue.receive(Interest::of(1)).await.unwrap().missed);
        assert!(!queue.receive(Interest::of(1)).await.unwrap().missed);
    }
}
