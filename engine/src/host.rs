//! For hosts that have workers of their own: Sidekiq, Celery, BullMQ, a line of cron.
//!
//! Such a host calls [`Engine::handle`] with a task's id and the time it can spare, as often as somebody says that the
//! task may move: its own queue, which the engine tells ([`ForeignQueue`](crate::ForeignQueue)), or the answer of
//! the last call. Nothing else has to run; no process has to live longer than a call, apart from the steps it began.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::engine::Shared;
use crate::inbox::Message;
use crate::{
    Again, Busy, Clock, Detail, Engine, EngineError, EngineTypes, Queue, Reenqueue, Rescue, Storage, TaskId,
    TaskState, Timestamp, Wake,
};

/// What one pass over a task came to: see [`Engine::handle`].
///
/// As JSON a word, or an object with one key: `"run_again"`, `{"wake_at": "2026-01-02T03:04:05.000006Z"}`,
/// `{"settled": "complete"}`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Handled {
    /// The task is done, in that state. In `error` it waits for an operator.
    Settled(TaskState),
    /// There is more to do at once: the time was up, or the steps that are ready found no room.
    RunAgain,
    /// Nothing can be done before that moment: the end of the earliest back-off or snooze, or the moment at which to see
    /// whether a worker has come that has the task's handlers.
    WakeAt(Timestamp),
    /// Nothing can be done until something happens elsewhere: an operator resumes the task, or a step ends that runs in
    /// another process, or in this one although the time was up.
    Waiting,
    /// There is no such task.
    Gone,
}

/// What was found by [`Engine::tend`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tended {
    /// Steps taken from workers that stopped beating.
    pub rescued: usize,
    /// Tasks that could move and had no wake.
    pub woken: usize,
    /// Wakes that are due, of which the queue was told.
    pub told: usize,
}

/// How many due wakes a queue is told of at a time.
const TOLD: usize = 1_000;
/// How many steps are rescued, and tasks woken, in one call to the storage.
const PAGE: usize = 500;

impl<T: EngineTypes> Engine<T> {
    /// Makes one pass over a task, for a host that has workers of its own: claims what is ready, runs it and its
    /// successors, until nothing can be done or the time is nearly up. Answers before `budget` is over, whatever the
    /// storage and the handlers do, and beats while anything runs.
    ///
    /// With a [`ForeignQueue`](crate::ForeignQueue) the next look is enqueued before this returns, and the answer is for
    /// people. Without one the answer says what to do:
    ///
    /// ```
    /// use std::time::Duration;
    /// # use serde_json::json;
    /// use tasker_engine::{Clock, Engine, EngineError, EngineTypes, Handled, TaskId, TaskState};
    ///
    /// /// What a line of cron or a job of Sidekiq does.
    /// async fn job<T: EngineTypes>(engine: &Engine<T>, task: TaskId) -> Result<Option<TaskState>, EngineError> {
    ///     loop {
    ///         match engine.handle(task, Duration::from_secs(25)).await? {
    ///             Handled::Settled(state) => return Ok(Some(state)),
    ///             Handled::Gone => return Ok(None),
    ///             Handled::RunAgain => {}
    ///             // A host would put the job off; this one has nothing else to do.
    ///             Handled::WakeAt(moment) => drop(engine.clock().sleep_until(moment).await),
    ///             Handled::Waiting => drop(engine.clock().sleep_until(engine.clock().now() + Duration::from_secs(10)).await),
    ///         }
    ///     }
    /// }
    /// ```
    ///
    /// # Steps that take longer than the budget
    /// Their handlers go on in this process, their claims are kept alive, and their outcomes are recorded; steps that
    /// become ready by them are left to the next pass, of which a `ForeignQueue` is told at that moment. A pass
    /// that only such steps are left of answers [`Handled::Waiting`]. If the process ends before them, their attempts count as
    /// failed once another process finds out ([`Engine::tend`], any worker): give such steps a timeout, or the host more time.
    ///
    /// # Several at once
    /// Any number of hosts may handle one task at the same time: each step is claimed once. Those that come away with
    /// nothing answer `Waiting`.
    ///
    /// # Errors
    /// When the storage fails for good.
    ///
    /// # Cancel safety
    /// As [`Engine::drive`].
    pub async fn handle(&self, task: TaskId, budget: Duration) -> Result<Handled, EngineError> {
        // The time stands still until the caller has the answer.
        let (handled, _busy) = self.pass(task, budget).await?;
        if let Some(spacing) = self.shared.queue.reenqueue() {
            self.tell_host(task, handled, spacing).await;
        }
        Ok(handled)
    }

    async fn pass(&self, task: TaskId, budget: Duration) -> Result<(Handled, Busy), EngineError> {
        let clock = &self.shared.clock;
        let busy = clock.busy();
        let begun = clock.now();
        // The last part of the budget is for answering: the loop's, and then, should it wait for the storage, our own.
        let margin = (budget / 10).min(Duration::from_secs(1));
        let (until, latest) = (begun + (budget - margin), begun + (budget - margin / 2));
        let (handled, answer) = oneshot::channel();
        let pass = Wanting::new(&self.shared, task);
        self.shared.post(Message::Pass { task, id: pass.id, until, handled });
        let late = clock.sleep_until(latest);
        drop(busy);
        tokio::select! {
            biased;
            answer = answer => answer.unwrap_or(Err(EngineError::Stopped)).map(|passed| (passed.handled, passed.busy)),
            busy = late => Ok((Handled::RunAgain, busy)),
        }
    }

    /// Enqueues the next look at a task that a pass is over of.
    async fn tell_host(&self, task: TaskId, handled: Handled, spacing: Reenqueue) {
        let now = self.shared.clock.now();
        let again = match handled {
            Handled::Settled(_) | Handled::Gone => None,
            Handled::RunAgain => Some(spacing.ready(now)),
            Handled::WakeAt(moment) => Some(spacing.at_wake(moment, now)),
            Handled::Waiting => self.without_wake(task, spacing, now).await,
        };
        if let Some(Again { due, reason }) = again {
            tracing::debug!(task = task.0, %due, reason, "the host is to look at a task again");
            self.shared.tell(&[Wake { due, task, generation: 0 }]).await;
        }
    }

    async fn without_wake(&self, task: TaskId, spacing: Reenqueue, now: Timestamp) -> Option<Again> {
        match self.shared.storage.load(&[task], Detail::Graph).await {
            Ok(records) => spacing.without_wake(records.first()?, now),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the storage did not load a task");
                Some(spacing.unknown(now))
            }
        }
    }

    /// Looks after what was left behind, for hosts that have workers of their own: takes steps from workers that stopped
    /// beating, wakes tasks that can move and have no wake, and tells the queue of wakes that are due, the earliest
    /// thousand. What a queue has lost is told again that way; to be called every half a minute or so. A
    /// [`Worker`](crate::Worker) does it by itself.
    ///
    /// # Errors
    /// When the storage fails.
    pub async fn tend(&self) -> Result<Tended, EngineError> {
        let shared = &self.shared;
        let _busy = shared.clock.busy();
        let now = shared.clock.now();
        let lost_before = now - shared.settings.worker_lost_after;
        let mut tended = Tended::default();
        loop {
            let rescued = shared.storage.rescue(Rescue { lost_before, limit: PAGE, now }).await?;
            shared.tell_rescued(&rescued, now).await;
            shared.tell_hooks_of_rescue(&rescued, now);
            tended.rescued += rescued.len();
            if rescued.len() < PAGE {
                break;
            }
        }
        let mut after = None;
        loop {
            let swept = shared.storage.sweep(now, after, PAGE).await?;
            tended.woken += swept.woken;
            after = swept.next;
            if after.is_none() {
                break;
            }
        }
        let due = shared.storage.due(now, TOLD).await?;
        tended.told = due.wakes.len();
        shared.tell(&due.wakes).await;
        Ok(tended)
    }
}

/// Tells the run loop when whoever waits for a task has gone.
pub(crate) struct Wanting<T: EngineTypes> {
    shared: Arc<Shared<T>>,
    task: TaskId,
    pub(crate) id: u64,
}

impl<T: EngineTypes> Wanting<T> {
    pub(crate) fn new(shared: &Arc<Shared<T>>, task: TaskId) -> Self {
        Self { shared: Arc::clone(shared), task, id: shared.inbox.next_id() }
    }
}

impl<T: EngineTypes> Drop for Wanting<T> {
    fn drop(&mut self) {
        let forget = Message::Forget { task: self.task, id: self.id };
        self.shared.inbox.post_if_alive(forget, &*self.shared.clock);
    }
}
