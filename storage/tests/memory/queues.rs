//! The queue in memory, held to the suite for queues; and that suite, held to queues with deliberate defects.
//!
//! [`Keeping`] is a queue as a stranger may write one: it keeps what it handed out until it is acknowledged. Without a
//! defect it passes; with one, the case that is named must fail.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use tasker_engine::{
    Clock as _, Condition, Delivery, Enqueue, Interest, MemoryQueue, Queue, QueueError, SimulatedClock,
    TaskId, Timestamp, Wake,
};
use tasker_storage::conformance::queue::{QUEUE_CASES, failing_queue_cases, queue_cases};
use tasker_storage::conformance::{Harness, QueueHarness};
use tasker_storage::memory::MemoryStorage;

use crate::Memory;

impl QueueHarness for Memory {
    type Queue = MemoryQueue;

    async fn queue(&self, _: &MemoryStorage, clock: &SimulatedClock) -> MemoryQueue {
        MemoryQueue::new(Arc::new(clock.clone()))
    }

    async fn elsewhere(&self, queue: &MemoryQueue, _: &MemoryStorage, _: &SimulatedClock) -> MemoryQueue {
        queue.clone()
    }
}

tasker_storage::queue_conformance!(memory_queue, Memory);
tasker_storage::queue_conformance!(keeping_queue, Keeps(Defect::None));

/// What is wrong with a [`Keeping`] queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    None,
    /// Of what is enqueued in one call the last is lost.
    LosesTheLast,
    /// Whoever waits is not woken.
    WakesNobody,
    /// Whoever waits elsewhere is not woken.
    WakesNobodyElsewhere,
    /// A receiver is given all there is.
    IgnoresTheLimit,
    /// What a receiver was given is gone when it goes.
    LosesWhatADroppedReceiverHeld,
    /// What is due later is forgotten.
    ForgetsWhatIsDueLater,
    /// What was acknowledged is given again.
    ForgetsNothing,
    /// An older acknowledgement forgets a newer wake.
    ForgetsTheNewer,
    /// What was told before is a fault.
    RefusesWhatItKnows,
    /// A receiver is told where there is nothing to tell.
    TellsOfNothing,
    /// It says that it finds the storage's wakes, and does not.
    Boasts,
    /// The generation is lost on the way.
    DropsTheGeneration,
    /// A receiver that was woken does not keep the time.
    LetsTimeGo,
    /// Whoever asks without waiting is told nothing.
    GivesNothingWhenAsked,
    /// Whoever asks without waiting waits.
    WaitsWhenAsked,
}

struct Keeps(Defect);

impl Harness for Keeps {
    type Storage = MemoryStorage;

    async fn storage(&self) -> MemoryStorage {
        MemoryStorage::new()
    }

    async fn lose_wake(&self, storage: &MemoryStorage, task: TaskId) {
        storage.lose_wake(task);
    }

    async fn make_draft(&self, storage: &MemoryStorage, task: TaskId) {
        storage.make_draft(task);
    }
}

impl QueueHarness for Keeps {
    type Queue = Keeping;

    async fn queue(&self, _: &MemoryStorage, clock: &SimulatedClock) -> Keeping {
        Keeping { clock: clock.clone(), kept: Arc::default(), defect: self.0, elsewhere: false }
    }

    async fn elsewhere(&self, queue: &Keeping, _: &MemoryStorage, _: &SimulatedClock) -> Keeping {
        Keeping { elsewhere: true, ..queue.clone() }
    }
}

/// Keeps the newest wake of each task until it is acknowledged, and gives it again half a minute after it was given.
#[derive(Clone)]
struct Keeping {
    clock: SimulatedClock,
    kept: Arc<Condition<BTreeMap<TaskId, Kept>>>,
    defect: Defect,
    elsewhere: bool,
}

struct Kept {
    wake: Wake,
    /// Not given to anybody before.
    hidden_until: Timestamp,
}

impl Keeping {
    fn take(&self, kept: &mut BTreeMap<TaskId, Kept>, limit: usize) -> Option<Vec<Wake>> {
        let now = self.clock.now();
        let limit = if self.defect == Defect::IgnoresTheLimit { usize::MAX } else { limit.max(1) };
        let free = kept.values_mut().filter(|one| one.wake.due <= now && one.hidden_until <= now);
        let taken: Vec<Wake> = free
            .take(limit)
            .map(|one| {
                one.hidden_until = now + Duration::from_secs(30);
                one.wake
            })
            .collect();
        (!taken.is_empty()).then_some(taken)
    }

    /// When to look again although nobody enqueued anything.
    fn next(&self) -> Option<Timestamp> {
        let moment = |one: &Kept| one.wake.due.max(one.hidden_until);
        self.kept.peek(|kept| kept.values().map(moment).min())
    }

    async fn taken(&self, limit: usize) -> Delivery {
        loop {
            let next = self.next().unwrap_or(self.clock.now() + Duration::from_secs(1_000_000));
            let sleep = self.clock.sleep_until(next);
            let until = self.kept.until(|kept| self.take(kept, limit));
            tokio::select! {
                biased;
                (wakes, busy) = until => return Delivery { wakes, missed: false, busy },
                busy = sleep => {
                    if let Some(wakes) = self.kept.peek(|kept| self.take(kept, limit)) {
                        return Delivery { wakes, missed: false, busy };
                    }
                }
            }
        }
    }
}

/// A receiver on its way.
struct Going<'a> {
    queue: &'a Keeping,
    gone: bool,
}

impl Drop for Going<'_> {
    fn drop(&mut self) {
        if !self.gone && self.queue.defect == Defect::LosesWhatADroppedReceiverHeld {
            self.queue.kept.peek(BTreeMap::clear);
        }
    }
}

impl Enqueue for Keeping {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        let now = self.clock.now();
        let add = |kept: &mut BTreeMap<TaskId, Kept>| {
            let wakes = match self.defect {
                Defect::LosesTheLast if wakes.len() > 1 => &wakes[..wakes.len() - 1],
                _ => wakes,
            };
            for wake in wakes {
                if self.defect == Defect::ForgetsWhatIsDueLater && wake.due > now {
                    continue;
                }
                let mut wake = *wake;
                if self.defect == Defect::DropsTheGeneration {
                    wake.generation = 0;
                }
                let known =
                    kept.get(&wake.task).is_some_and(|known| known.wake.generation >= wake.generation);
                if known && self.defect == Defect::RefusesWhatItKnows {
                    return Err(QueueError("known already".into()));
                }
                if !known {
                    kept.insert(wake.task, Kept { wake, hidden_until: now });
                }
            }
            Ok(())
        };
        match self.defect {
            Defect::WakesNobody => self.kept.peek(add),
            _ => self.kept.change(&self.clock, add),
        }
    }
}

impl Queue for Keeping {
    async fn receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        match self.defect {
            Defect::TellsOfNothing => {
                let wakes = self.kept.peek(|kept| self.take(kept, interest.limit)).unwrap_or_default();
                return Ok(Delivery { missed: wakes.is_empty(), wakes, ..Delivery::default() });
            }
            Defect::WakesNobodyElsewhere if self.elsewhere => {
                let first = self.kept.peek(|kept| self.take(kept, interest.limit));
                return match first {
                    Some(wakes) => Ok(Delivery { wakes, ..Delivery::default() }),
                    None => pending().await,
                };
            }
            _ => {}
        }
        let mut going = Going { queue: self, gone: false };
        let delivery = self.taken(interest.limit).await;
        going.gone = true;
        if self.defect == Defect::LetsTimeGo {
            let Delivery { wakes, missed, busy } = delivery;
            drop(busy);
            tokio::task::yield_now().await;
            return Ok(Delivery { wakes, missed, ..Delivery::default() });
        }
        Ok(delivery)
    }

    async fn try_receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        if self.defect == Defect::WaitsWhenAsked {
            return Queue::receive(self, interest).await;
        }
        let wakes = match self.defect {
            Defect::GivesNothingWhenAsked => None,
            _ => self.kept.peek(|kept| self.take(kept, interest.limit)),
        };
        Ok(Delivery { wakes: wakes.unwrap_or_default(), missed: false, busy: self.clock.busy() })
    }

    async fn ack(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        if self.defect == Defect::ForgetsNothing {
            return Ok(());
        }
        self.kept.peek(|kept| {
            for wake in wakes {
                let same = |known: &Kept| {
                    known.wake.generation <= wake.generation || self.defect == Defect::ForgetsTheNewer
                };
                if kept.get(&wake.task).is_some_and(same) {
                    kept.remove(&wake.task);
                }
            }
        });
        Ok(())
    }

    fn finds_stored_wakes(&self) -> bool {
        self.defect == Defect::Boasts
    }
}

/// Each defect, and a case that finds it.
const FOUND_BY: [(Defect, &str); 15] = [
    (Defect::LosesTheLast, "enqueued_wake_is_received"),
    (Defect::WakesNobody, "waiting_receiver_is_woken"),
    (Defect::WakesNobodyElsewhere, "waiting_receiver_is_woken_from_elsewhere"),
    (Defect::IgnoresTheLimit, "no_more_is_received_than_the_receiver_can_take"),
    (Defect::LosesWhatADroppedReceiverHeld, "receiver_dropped_after_it_was_woken_takes_no_hint_with_it"),
    (Defect::ForgetsWhatIsDueLater, "wake_due_later_is_received_when_it_is_due"),
    (Defect::ForgetsNothing, "acknowledged_wake_is_not_received_again"),
    (Defect::ForgetsTheNewer, "newer_wake_outlives_the_acknowledgement_of_an_older_one"),
    (Defect::RefusesWhatItKnows, "enqueuing_again_is_no_fault"),
    (Defect::TellsOfNothing, "receiver_of_an_empty_queue_waits"),
    (Defect::Boasts, "wakes_that_nobody_enqueued_are_found_where_the_queue_says_so"),
    (Defect::DropsTheGeneration, "received_wake_is_the_one_that_was_enqueued"),
    (Defect::LetsTimeGo, "time_stands_from_an_enqueue_until_its_receiver_has_looked"),
    (Defect::GivesNothingWhenAsked, "what_is_there_is_received_without_waiting"),
    (Defect::WaitsWhenAsked, "asking_an_empty_queue_without_waiting_is_answered"),
];

#[test]
fn every_defect_of_a_queue_fails_the_case_that_is_about_it() {
    std::thread::scope(|threads| {
        for (defect, case) in FOUND_BY {
            threads.spawn(move || {
                let about: Vec<_> = queue_cases().into_iter().filter(|one| one.name == case).collect();
                assert_eq!(failing_queue_cases(&about, || Keeps(defect)), [case], "{defect:?}");
            });
        }
    });
}

#[test]
fn every_case_for_queues_is_listed_once() {
    let listed: Vec<_> = queue_cases::<Memory>().iter().map(|case| case.name).collect();
    assert_eq!(listed, QUEUE_CASES);
}
