//! Facts about a step.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::task::Cause;
use super::{About, Facts, Row};
use crate::decide::BlockedWhy;
use crate::events::payload::{
    MaxRetriesReached, OutcomeStale, StepBackoff, StepBlocked, StepCancelled, StepCompleted,
    StepExecutionFailed, StepFailed, StepHandled, StepKeys, StepMove, StepPending, StepResolved, StepRetried,
    StepSkipped,
};
use crate::{
    ErrorReport, EventName, Fact, Moment, OutcomeKind, PANIC, RetryAdvice, StepId, StepMoved, StepState,
    TIMEOUT, Timestamp, TransitionId, WORKER_LOST, WORKER_SHUTDOWN,
};

use EventName as N;

/// An attempt that ended.
pub(super) struct Attempted {
    pub(super) step: StepId,
    pub(super) attempt: u32,
    pub(super) by: Option<TransitionId>,
    pub(super) claimed_at: Option<Timestamp>,
    pub(super) duration: Duration,
}

impl Attempted {
    fn keys(&self, about: &About, event_type: &'static str, at: Timestamp) -> StepKeys {
        let keys = about.step_keys(self.step, self.attempt, event_type, at);
        StepKeys { started_at: self.claimed_at.map(Moment), ..keys }
    }

    fn row(&self, about: &About) -> Row {
        Row::of_step(about.task(), self.step, self.by)
    }
}

/// What an outcome came to, in a word.
pub(super) const fn word(kind: &OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Completed(_) => "completed",
        OutcomeKind::Failed { .. } => "failed",
        OutcomeKind::HandBack => "handed_back",
        OutcomeKind::Snooze { .. } => "snoozed",
    }
}

fn moved(from: StepState, to_state: StepState, at: Timestamp) -> StepMove {
    StepMove { from_state: Some(from), to_state, transitioned_at: Moment(at) }
}

impl Facts {
    /// An attempt ended and was recorded.
    pub(super) fn attempt_recorded(
        &mut self,
        about: &About,
        attempted: &Attempted,
        kind: &OutcomeKind,
        blocked: Option<BlockedWhy>,
    ) {
        match kind {
            OutcomeKind::Completed(value) => self.attempt_completed(about, attempted, value),
            OutcomeKind::Failed { error, retry } => {
                self.attempt_failed(about, attempted, error, *retry, blocked);
            }
            OutcomeKind::HandBack => self.taken_back(about, attempted, "handed_back", None),
            OutcomeKind::Snooze { until } => self.taken_back(about, attempted, "snoozed", Some(*until)),
        }
    }

    fn attempt_completed(&mut self, about: &About, attempted: &Attempted, value: &Arc<Value>) {
        let at = self.at;
        self.add(N::StepCompleted, attempted.row(about), || {
            let step = attempted.keys(about, "completed", at);
            Fact::StepCompleted(Box::new(StepCompleted {
                step: StepKeys { completed_at: Some(Moment(at)), ..step },
                moved: moved(StepState::InProgress, StepState::Complete, at),
                execution_duration: attempted.duration.as_secs_f64(),
                step_results: Some(Arc::clone(value)),
                resolved_by: None,
            }))
        });
    }

    /// An attempt failed: that, and what follows from it.
    pub(super) fn attempt_failed(
        &mut self,
        about: &About,
        attempted: &Attempted,
        error: &ErrorReport,
        retry: RetryAdvice,
        blocked: Option<BlockedWhy>,
    ) {
        let (at, row) = (self.at, attempted.row(about));
        self.add(N::StepFailed, row, || {
            let class: Arc<str> = error.class.as_str().into();
            Fact::StepFailed(Box::new(StepFailed {
                step: attempted.keys(about, "failed", at),
                moved: moved(StepState::InProgress, StepState::Error, at),
                execution_duration: attempted.duration.as_secs_f64(),
                error_message: error.message.as_str().into(),
                error_class: Arc::clone(&class),
                exception_class: class,
                error_code: error.code.as_deref().map(Into::into),
                retryable: blocked.is_none(),
            }))
        });
        if [WORKER_LOST, TIMEOUT, PANIC, WORKER_SHUTDOWN].contains(&&*error.class) {
            self.add(N::WorkflowStepExecutionFailed, row, || {
                Fact::WorkflowStepExecutionFailed(Box::new(StepExecutionFailed {
                    step: attempted.keys(about, "step_execution_failed", at),
                    error_class: error.class.as_str().into(),
                    error_message: error.message.as_str().into(),
                }))
            });
        }
        match blocked {
            None => self.waits(about, attempted, retry),
            Some(why) => self.step_blocked(about, attempted, why),
        }
    }

    fn waits(&mut self, about: &About, attempted: &Attempted, retry: RetryAdvice) {
        let at = self.at;
        let (wait, kind) = match retry {
            RetryAdvice::After(wait) => (wait, "server_requested"),
            RetryAdvice::Default | RetryAdvice::Never => {
                (crate::decide::after_failure(attempted.attempt), "exponential")
            }
        };
        self.add(N::ObservabilityStepBackoff, attempted.row(about), || {
            let seconds = wait.as_secs_f64();
            Fact::ObservabilityStepBackoff(Box::new(StepBackoff {
                step: attempted.keys(about, "backoff", at),
                backoff_seconds: seconds,
                backoff_type: kind,
                retry_after: matches!(retry, RetryAdvice::After(_)).then_some(seconds),
            }))
        });
    }

    fn step_blocked(&mut self, about: &About, attempted: &Attempted, why: BlockedWhy) {
        let (at, row) = (self.at, attempted.row(about));
        if why == BlockedWhy::RetriesExhausted {
            self.add(N::ObservabilityStepMaxRetriesReached, row, || {
                let step = attempted.keys(about, "max_retries_reached", at);
                Fact::ObservabilityStepMaxRetriesReached(Box::new(MaxRetriesReached { step }))
            });
        }
        self.add(N::WorkflowStepFailed, row, || {
            let step = attempted.keys(about, "step_failed", at);
            Fact::WorkflowStepFailed(Box::new(StepBlocked { step, blocked_by: why }))
        });
    }

    /// The attempt does not count.
    pub(super) fn taken_back(
        &mut self,
        about: &About,
        attempted: &Attempted,
        reason: &'static str,
        until: Option<Timestamp>,
    ) {
        let at = self.at;
        self.add(N::StepInitializeRequested, attempted.row(about), || {
            let step = attempted.keys(about, "initialize", at);
            Fact::StepInitializeRequested(Box::new(StepPending {
                step: StepKeys { attempt_number: attempted.attempt.saturating_sub(1), ..step },
                moved: moved(StepState::InProgress, StepState::Pending, at),
                reason,
                backoff_until: until.map(Moment),
            }))
        });
    }

    /// An outcome came too late.
    pub(super) fn attempt_stale(&mut self, about: &About, attempted: &Attempted, kind: &OutcomeKind) {
        let at = self.at;
        self.add(N::StepOutcomeStale, attempted.row(about), || {
            Fact::StepOutcomeStale(Box::new(OutcomeStale {
                step: attempted.keys(about, "outcome_stale", at),
                outcome: word(kind),
                execution_duration: attempted.duration.as_secs_f64(),
            }))
        });
    }

    /// User code returned.
    pub(super) fn handled(&mut self, about: &About, attempted: &Attempted, kind: &OutcomeKind) {
        let at = self.at;
        self.add(N::ObservabilityStepHandle, attempted.row(about), || {
            Fact::ObservabilityStepHandle(Box::new(StepHandled {
                step: attempted.keys(about, "handle", at),
                outcome: word(kind),
                execution_duration: attempted.duration.as_secs_f64(),
            }))
        });
    }

    /// A failed step is tried again; `attempt` is the one that follows.
    pub(super) fn step_retried(
        &mut self,
        about: &About,
        step: StepId,
        attempt: u32,
        by: Option<TransitionId>,
        actor: &str,
    ) {
        let at = self.at;
        self.add(N::StepRetryRequested, Row::of_step(about.task(), step, by), || {
            Fact::StepRetryRequested(Box::new(StepRetried {
                step: about.step_keys(step, attempt, "retry", at),
                moved: moved(StepState::Error, StepState::Pending, at),
                previous_attempts: attempt.saturating_sub(1),
                retry_reason: "Step execution failed",
                backoff_strategy: "exponential",
                triggered_by: actor.into(),
            }))
        });
    }

    /// A step came into being.
    pub(super) fn step_created(&mut self, about: &About, step: StepId) {
        let at = self.at;
        self.add(N::StepInitializeRequested, Row::of_step(about.task(), step, None), || {
            let moved =
                StepMove { from_state: None, to_state: StepState::Pending, transitioned_at: Moment(at) };
            let step = about.step_keys(step, 0, "initialize", at);
            Fact::StepInitializeRequested(Box::new(StepPending {
                step,
                moved,
                reason: "created",
                backoff_until: None,
            }))
        });
    }

    /// A step was cancelled.
    pub(super) fn step_cancelled(&mut self, about: &About, row: StepMoved, cause: &Cause<'_>) {
        let at = self.at;
        self.add(N::StepCancelled, Row::of_step(about.task(), row.step, Some(row.by)), || {
            Fact::StepCancelled(Box::new(StepCancelled {
                step: about.step_keys(row.step, about.attempts(row.step), "cancelled", at),
                moved: moved(row.from, row.to, at),
                triggered_by: cause.actor.into(),
                cancellation_reason: cause.reason.unwrap_or("Step cancelled").into(),
            }))
        });
    }

    /// A step was declared done, or passed over.
    pub(super) fn step_resolved(
        &mut self,
        about: &About,
        (step, from, by): (StepId, StepState, Option<TransitionId>),
        cause: &Cause<'_>,
        skipped: bool,
    ) {
        let (at, row) = (self.at, Row::of_step(about.task(), step, by));
        let keys = |event_type| about.step_keys(step, about.attempts(step), event_type, at);
        let (resolved_by, reason): (Arc<str>, Option<Arc<str>>) =
            (cause.actor.into(), cause.reason.map(Into::into));
        self.add(N::StepResolvedManually, row, || {
            Fact::StepResolvedManually(Box::new(StepResolved {
                step: keys("resolved_manually"),
                moved: moved(from, StepState::ResolvedManually, at),
                resolved_by: Arc::clone(&resolved_by),
                reason: reason.clone(),
            }))
        });
        if skipped {
            self.add(N::ObservabilityStepSkip, row, || {
                let step = keys("skip");
                Fact::ObservabilityStepSkip(Box::new(StepSkipped { step, resolved_by, reason }))
            });
        }
    }

    /// A step was completed by hand.
    pub(super) fn step_completed_by_hand(
        &mut self,
        about: &About,
        row: StepMoved,
        actor: &str,
        results: &Arc<Value>,
    ) {
        let at = self.at;
        self.add(N::StepCompleted, Row::of_step(about.task(), row.step, Some(row.by)), || {
            let step = about.step_keys(row.step, about.attempts(row.step), "completed", at);
            Fact::StepCompleted(Box::new(StepCompleted {
                step: StepKeys { completed_at: Some(Moment(at)), ..step },
                moved: moved(row.from, row.to, at),
                execution_duration: 0.0,
                step_results: Some(Arc::clone(results)),
                resolved_by: Some(actor.into()),
            }))
        });
    }

    /// A step was reset.
    pub(super) fn step_reset(&mut self, about: &About, row: StepMoved, actor: &str) {
        if row.from == StepState::Error {
            self.step_retried(about, row.step, 1, Some(row.by), actor);
            return;
        }
        let at = self.at;
        self.add(N::StepInitializeRequested, Row::of_step(about.task(), row.step, Some(row.by)), || {
            let step = about.step_keys(row.step, 0, "initialize", at);
            Fact::StepInitializeRequested(Box::new(StepPending {
                step,
                moved: moved(row.from, row.to, at),
                reason: "reset",
                backoff_until: None,
            }))
        });
    }
}
