//! A runtime whose tasks are run one at a time, or until none has anything to do.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;

/// No process polls its tasks as often before it rests, unless it spins.
const MOST_POLLS: u32 = 100_000;

pub(crate) struct Turns {
    runtime: Runtime,
    last: Arc<Last>,
    /// Whether there may be more to do than what came from outside since.
    is_midway: bool,
}

/// A task that stands in line when it is called. The line is first come, first served: who is polled next after it was
/// called stood there alone, and nobody else has anything to do.
#[derive(Default)]
struct Last {
    called: Notify,
    polled: AtomicBool,
}

/// It polled its tasks so often and did not come to rest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Restless {
    pub(crate) polls: u32,
}

impl Turns {
    pub(crate) fn new() -> Self {
        let runtime = Builder::new_current_thread()
            // After each task the simulation goes on, and may turn to another process.
            .event_interval(1)
            .build()
            .expect("a runtime without drivers starts");
        let last = Arc::new(Last::default());
        let mut turns = Self { runtime, last: Arc::clone(&last), is_midway: false };
        turns.spawn(async move {
            loop {
                last.called.notified().await;
                last.polled.store(true, Ordering::Relaxed);
            }
        });
        turns.step();
        turns.is_midway = false;
        turns
    }

    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime.spawn(work));
    }

    /// Whether some task may have something to do.
    pub(crate) fn is_due(&self) -> bool {
        self.is_midway || self.runtime.metrics().global_queue_depth() > 0
    }

    /// Polls one task.
    pub(crate) fn step(&mut self) {
        let mut polled = false;
        self.runtime.block_on(poll_fn(|context| {
            if std::mem::replace(&mut polled, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }));
        self.is_midway = true;
    }

    /// Polls tasks until there is nothing to do.
    ///
    /// # Errors
    /// When that does not end.
    pub(crate) fn run_to_rest(&mut self) -> Result<(), Restless> {
        let metrics = self.runtime.metrics();
        let (mut polls, mut in_line, mut just_called) = (0, false, false);
        self.runtime.block_on(poll_fn(|context| {
            // Since the last look one task was polled, or none.
            if self.last.polled.swap(false, Ordering::Relaxed) {
                if just_called && metrics.global_queue_depth() == 0 {
                    return Poll::Ready(Ok(()));
                }
                in_line = false;
            }
            if polls == MOST_POLLS {
                return Poll::Ready(Err(Restless { polls }));
            }
            polls += 1;
            just_called = !std::mem::replace(&mut in_line, true);
            if just_called {
                self.last.called.notify_one();
            }
            context.waker().wake_by_ref();
            Poll::Pending
        }))?;
        self.is_midway = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU32;

    use tokio::sync::oneshot;
    use tokio::task::yield_now;

    use super::*;

    #[test]
    fn a_step_polls_one_task_and_rest_is_when_none_is_left() {
        let mut turns = Turns::new();
        let count = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&count);
        turns.spawn(async move {
            for _ in 0..10 {
                counted.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        });
        assert!(turns.is_due());
        turns.step();
        turns.step();
        assert_eq!(count.load(Ordering::Relaxed), 2);
        turns.run_to_rest().unwrap();
        assert_eq!((count.load(Ordering::Relaxed), turns.is_due()), (10, false));
    }

    #[test]
    fn whoever_waits_rests_until_it_is_woken() {
        let mut turns = Turns::new();
        let (wake, woken) = oneshot::channel::<()>();
        turns.spawn(async move { drop(woken.await) });
        turns.run_to_rest().unwrap();
        assert!(!turns.is_due());
        drop(wake);
        assert!(turns.is_due());
        turns.run_to_rest().unwrap();
        assert!(!turns.is_due());
    }

    #[test]
    fn whoever_spins_is_found_out() {
        let mut turns = Turns::new();
        turns.spawn(async {
            loop {
                yield_now().await;
            }
        });
        assert_eq!(turns.run_to_rest(), Err(Restless { polls: MOST_POLLS }));
    }
}
