//! A queue, the storage whose wakes it carries, and what a case does to them.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake as WakeByHand, Waker};
use std::time::Duration;

use tasker_engine::{
    Busy, Clock as _, Delivery, Enqueue as _, Interest, Queue, SimulatedClock, TaskId, Timestamp, Wake,
};
use tokio::runtime::Builder;

use super::super::fixture::{AdvanceCall, Started, at, graph};
use super::super::{Harness, Running, Scene};

/// A case that waits longer than that for a hint has failed. No case depends on how long it takes.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Makes the queues that the cases are run on.
pub trait QueueHarness: Harness {
    /// The queue.
    type Queue: Queue;

    /// Whether a receiver that was woken in the same process keeps a simulated clock still until it has looked. A queue that
    /// knows no clock says no, and is not asked.
    const KEEPS_TIME: bool = true;

    /// A fresh queue for the wakes of that storage, by that clock.
    fn queue(
        &self,
        storage: &Self::Storage,
        clock: &SimulatedClock,
    ) -> impl Future<Output = Self::Queue> + Send;

    /// The same queue as another process has it. Where it does not reach beyond a process: as another part of this one
    /// has it.
    fn elsewhere(
        &self,
        queue: &Self::Queue,
        storage: &Self::Storage,
        clock: &SimulatedClock,
    ) -> impl Future<Output = Self::Queue> + Send;
}

/// A queue of its own for one case. Time stands still, unless the case moves it.
pub struct QueueScene<H: QueueHarness> {
    /// The storage, and words for what is done to it.
    pub storage: Scene,
    /// The queue.
    pub queue: Arc<H::Queue>,
    /// The same queue, as another process has it.
    pub elsewhere: Arc<H::Queue>,
    /// The time, from second 0 on.
    pub clock: SimulatedClock,
    /// Keeps the time still.
    pub busy: Busy,
}

impl<H: QueueHarness> QueueScene<H> {
    /// A fresh queue.
    pub async fn new(harness: H) -> Self {
        let clock = SimulatedClock::new(at(0));
        let busy = clock.busy();
        let harness = Arc::new(harness);
        let storage = Arc::new(harness.storage().await);
        let queue = harness.queue(&storage, &clock).await;
        let elsewhere = harness.elsewhere(&queue, &storage, &clock).await;
        let storage = Scene::around(storage, harness);
        Self { storage, queue: Arc::new(queue), elsewhere: Arc::new(elsewhere), clock, busy }
    }

    /// Creates tasks, each of one step, and answers their wakes, which are due. Nobody is told.
    pub async fn wakes(&self, count: usize) -> Vec<Wake> {
        let tasks = self.storage.start_many("x", count).await;
        let mut wakes = vec![];
        for task in tasks {
            wakes.push(self.wake_of(&task).await);
        }
        wakes
    }

    /// The wake of a task as the storage has it.
    pub async fn wake_of(&self, task: &Started) -> Wake {
        let (due, generation) = self.storage.task(task).await.wake.expect("the task has a wake");
        Wake { due, task: task.id, generation }
    }

    /// Tells the queue.
    pub async fn tell(&self, wakes: &[Wake]) {
        self.queue.enqueue(wakes).await.expect("enqueue");
    }

    /// Receives once.
    pub async fn receive(&self, limit: usize) -> Vec<Wake> {
        receive(&*self.queue, limit).await
    }

    /// Receives until each of those tasks was told of, and answers all that was.
    pub async fn receive_all(&self, expected: &[Wake]) -> Vec<Wake> {
        let mut missing: BTreeSet<TaskId> = expected.iter().map(|wake| wake.task).collect();
        let mut received = vec![];
        while !missing.is_empty() {
            let some = self.receive(10).await;
            missing.retain(|task| some.iter().all(|wake| wake.task != *task));
            received.extend(some);
        }
        received
    }

    /// Lets a future wait while something else is done, so that it has looked at all there was and has been told nothing.
    ///
    /// # Panics
    /// When it is ready.
    pub async fn wait_for_a_while<F: Future>(&self, mut waiting: Pin<&mut F>) {
        let mut meanwhile = pin!(async {
            for name in ["meanwhile", "and so on", "and on"] {
                self.storage.learn(graph("x").named(name)).await;
            }
        });
        poll_fn(|context| {
            assert!(waiting.as_mut().poll(context).is_pending(), "there is nothing to be told");
            meanwhile.as_mut().poll(context)
        })
        .await;
        assert!(poll_once(waiting).await.is_pending(), "there is nothing to be told");
    }

    /// What a worker does with a hint: looks at the task, and moves it.
    pub async fn move_on(&self, task: TaskId) {
        let seconds = self.clock.now().since(at(0)).as_secs();
        self.storage.advance(AdvanceCall::wanting(task).at(seconds)).await;
    }

    /// Moves the time on, by hand.
    pub fn go_to(&self, moment: Timestamp) {
        self.clock.advance(moment.since(self.clock.now()));
    }
}

/// Receives once; fails when nothing comes.
pub(super) async fn receive(queue: &impl Queue, limit: usize) -> Vec<Wake> {
    let Delivery { wakes, missed, .. } = tokio::select! {
        // First, or the look at the end of all patience would find what nobody was woken for.
        biased;
        () = tokio::time::sleep(PATIENCE) => panic!("no hint came"),
        received = queue.receive(Interest::of(limit)) => received.expect("receive"),
    };
    assert!(missed || !wakes.is_empty(), "a receiver is not woken for nothing");
    wakes
}

/// Polls a future only when it asked for it, as a runtime does: one that nobody wakes is never ready, whoever looks.
pub(super) fn only_when_woken<F: Future>(future: F) -> impl Future<Output = F::Output> {
    let alarm = Arc::new(Alarm { rung: AtomicBool::new(true), outer: Mutex::default() });
    let mut future = Box::pin(future);
    poll_fn(move |context| {
        *alarm.outer.lock().expect("nothing panics while it holds this") = Some(context.waker().clone());
        if !alarm.rung.swap(false, Ordering::SeqCst) {
            return Poll::Pending;
        }
        future.as_mut().poll(&mut Context::from_waker(&Waker::from(Arc::clone(&alarm))))
    })
}

/// Remembers that it was rung.
struct Alarm {
    rung: AtomicBool,
    outer: Mutex<Option<Waker>>,
}

impl WakeByHand for Alarm {
    fn wake(self: Arc<Self>) {
        self.rung.store(true, Ordering::SeqCst);
        let outer = self.outer.lock().expect("nothing panics while it holds this").take();
        outer.into_iter().for_each(Waker::wake);
    }
}

/// Polls a future once.
pub(super) async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|context| Poll::Ready(future.as_mut().poll(context))).await
}

/// Runs one case on a runtime of its own. The stamped tests consist of this call.
///
/// # Panics
/// When the case does.
pub fn run_queue_case<H, F>(harness: H, case: impl FnOnce(QueueScene<H>) -> F)
where
    H: QueueHarness,
    F: Future<Output = ()>,
{
    let runtime =
        Builder::new_multi_thread().worker_threads(4).enable_all().build().expect("a runtime starts");
    runtime.block_on(async {
        let case = pin!(case(QueueScene::new(harness).await));
        case.await;
    });
}

/// One case of the suite, for queues of one kind.
pub struct QueueCase<H: QueueHarness> {
    /// What it claims.
    pub name: &'static str,
    /// Runs it; panics when the queue is not as the contract says.
    pub run: fn(QueueScene<H>) -> Running,
}

/// The names of the cases that fail on a queue; empty for one that is right. Shows that the suite can fail.
pub fn failing_queue_cases<H: QueueHarness>(
    cases: &[QueueCase<H>],
    harness: impl Fn() -> H,
) -> Vec<&'static str> {
    let fails = |case: &&QueueCase<H>| {
        catch_unwind(AssertUnwindSafe(|| run_queue_case(harness(), case.run))).is_err()
    };
    cases.iter().filter(fails).map(|case| case.name).collect()
}
