//! When a host's queue is told to look at a task again, and why: the reference's delays and the reference's words.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::decide::step_phase;
use crate::{StepPhase, TaskRecord, Timestamp};

/// The words with which the reference says why a task is enqueued again, or stays pending. All are kept; those that we
/// use say where.
pub mod reason {
    /// Never: a task that is gone is not enqueued.
    pub const CONTEXT_UNAVAILABLE: &str = "context_unavailable";
    /// Steps run elsewhere.
    pub const STEPS_IN_PROGRESS: &str = "steps_in_progress";
    /// Nothing can run, and nothing waits for a moment that is known.
    pub const AWAITING_DEPENDENCIES: &str = "awaiting_dependencies";
    /// Steps may run at once, and were left over.
    pub const READY_STEPS_AVAILABLE: &str = "ready_steps_available";
    /// It is not known how the task stands.
    pub const CONTINUING_WORKFLOW: &str = "continuing_workflow";
    /// After an operator's act.
    pub const PENDING_STEPS_REMAINING: &str = "pending_steps_remaining";
    /// At the end of the earliest back-off.
    pub const RETRY_BACKOFF: &str = "retry_backoff";

    /// Never: a task stays in progress while its steps run.
    pub const WAITING_FOR_STEP_COMPLETION: &str = "waiting_for_step_completion";
    /// Never: a task stays in progress while its steps wait.
    pub const WAITING_FOR_DEPENDENCIES: &str = "waiting_for_dependencies";
    /// Never: a task stays in progress while its steps are ready.
    pub const READY_FOR_PROCESSING: &str = "ready_for_processing";
    /// In the row of a paused task.
    pub const WORKFLOW_PAUSED: &str = "workflow_paused";
}

/// How later looks at a task are spaced towards a host's queue. Our own workers need none of it: they wake exactly when
/// something can move.
///
/// Keys and defaults are the reference's; all in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Reenqueue {
    /// By how the task stands, where no moment is known.
    pub reenqueue_delays: ReenqueueDelays,
    /// For everything else.
    pub default_reenqueue_delay: u64,
    /// Added to the end of the earliest back-off.
    pub buffer_seconds: u64,
}

/// Seconds, by how a task stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReenqueueDelays {
    /// Steps may run at once.
    pub has_ready_steps: u64,
    /// Nothing can run, and nothing waits for a moment that is known.
    pub waiting_for_dependencies: u64,
    /// Steps run, here or elsewhere.
    pub processing: u64,
}

impl Reenqueue {
    /// The reference's values.
    pub const DEFAULT: Self =
        Self { reenqueue_delays: ReenqueueDelays::DEFAULT, default_reenqueue_delay: 30, buffer_seconds: 5 };

    /// The moment at which to look at a task again that has a wake then.
    pub fn at_wake(&self, wake: Timestamp, now: Timestamp) -> Again {
        if wake <= now {
            return self.ready(now);
        }
        let due = wake + Duration::from_secs(self.buffer_seconds);
        Again { due, reason: reason::RETRY_BACKOFF }
    }

    /// The moment at which to look at a task again whose steps may run.
    pub fn ready(&self, now: Timestamp) -> Again {
        let due = now + Duration::from_secs(self.reenqueue_delays.has_ready_steps);
        Again { due, reason: reason::READY_STEPS_AVAILABLE }
    }

    /// The moment at which to look at a task again of which nothing is known.
    pub fn unknown(&self, now: Timestamp) -> Again {
        let due = now + Duration::from_secs(self.default_reenqueue_delay);
        Again { due, reason: reason::CONTINUING_WORKFLOW }
    }

    /// The moment at which to look at a task again that has no wake; `None` where only an operator can move it.
    pub fn without_wake(&self, task: &TaskRecord, now: Timestamp) -> Option<Again> {
        if !task.current.state.is_open() || task.is_held() {
            return None;
        }
        let some = |phase: StepPhase| {
            task.steps.iter().any(|step| step_phase(step, task.parents_satisfied(step), now) == phase)
        };
        let delays = &self.reenqueue_delays;
        let later = |delay, reason| Again { due: now + Duration::from_secs(delay), reason };
        Some(if some(StepPhase::Ready) {
            self.ready(now)
        } else if some(StepPhase::Running) {
            later(delays.processing, reason::STEPS_IN_PROGRESS)
        } else if some(StepPhase::Pending) {
            later(delays.waiting_for_dependencies, reason::AWAITING_DEPENDENCIES)
        } else {
            self.unknown(now)
        })
    }
}

impl ReenqueueDelays {
    /// The reference's values.
    pub const DEFAULT: Self = Self { has_ready_steps: 0, waiting_for_dependencies: 45, processing: 10 };
}

impl Default for Reenqueue {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Default for ReenqueueDelays {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// When to look at a task again, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Again {
    /// When.
    pub due: Timestamp,
    /// One of [`reason`]'s words.
    pub reason: &'static str,
}
