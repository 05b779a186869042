//! What rows say about their moves, kept small: an enum, which becomes JSON only when somebody loads the task.

use std::time::Duration;

use serde_json::{Map, Value};
use tasker_engine::decide::Verdict;
use tasker_engine::{ErrorReport, PhaseMark, RetryAdvice, StepName, Timestamp, Token, WorkerId, audit};

/// What a row says about its move; [`audit`] has the words.
pub(super) enum Note {
    TaskStarted {
        steps: usize,
    },
    TaskSettled(Verdict),
    TaskFailed {
        blocked: Box<[StepName]>,
    },
    Claimed {
        attempt: u32,
        worker: WorkerId,
    },
    Completed {
        claim: Token,
        attempt: u32,
        duration: Duration,
    },
    Failed(Box<Failed>),
    HandedBack {
        claim: Token,
    },
    Snoozed {
        claim: Token,
        until: Timestamp,
        governs: bool,
    },
    Retried {
        attempt: u32,
    },
    BelowCancelled,
    Bypassed,
    /// The worker did not know of the claim. Nothing was recorded under it, so the row does not name it, and an outcome
    /// that comes after all is stale; so it is with the claims of lost workers.
    Unheld,
    /// The worker stopped beating.
    Lost(Box<Failed>),
    /// What an operator's act says.
    Written(Box<Value>),
}

/// What a failed attempt leaves behind.
pub(super) struct Failed {
    pub(super) claim: Token,
    pub(super) attempt: u32,
    pub(super) duration: Duration,
    pub(super) error: ErrorReport,
    pub(super) retry: RetryAdvice,
    /// Whether the step was retryable before.
    pub(super) retryable: bool,
    pub(super) retry_limit: u32,
    pub(super) now: Timestamp,
    /// When it may run again, if the row says so.
    pub(super) until: Option<Timestamp>,
}

impl Note {
    /// The claim whose outcome the row records.
    pub(super) fn claim(&self) -> Option<Token> {
        match self {
            Self::Completed { claim, .. } | Self::HandedBack { claim } | Self::Snoozed { claim, .. } => {
                Some(*claim)
            }
            Self::Failed(failed) => Some(failed.claim),
            _ => None,
        }
    }

    /// The moment by which alone the wait of the step is governed.
    pub(super) fn backoff_until(&self) -> Option<Timestamp> {
        match self {
            Self::Failed(failed) => failed.until,
            Self::Snoozed { until, governs: true, .. } => Some(*until),
            _ => None,
        }
    }

    pub(super) fn mark(&self) -> Option<PhaseMark> {
        match self {
            Self::Snoozed { .. } => Some(PhaseMark::Snoozed),
            Self::Bypassed => Some(PhaseMark::Skipped),
            Self::Written(metadata) => PhaseMark::of(metadata),
            _ => None,
        }
    }

    /// Whether an operator resolved the step with results.
    pub(super) fn results_given(&self) -> bool {
        matches!(self, Self::Written(metadata) if metadata.get("results_given") == Some(&Value::Bool(true)))
    }

    pub(super) fn render(&self) -> Value {
        match self {
            Self::TaskStarted { steps } => audit::task_started(*steps),
            Self::TaskSettled(verdict) => audit::task_settled(*verdict, &[]),
            Self::TaskFailed { blocked } => audit::task_settled(Verdict::Error, blocked),
            Self::Claimed { attempt, worker } => audit::step_claimed(*attempt, *worker),
            Self::Completed { claim, attempt, duration } => {
                audit::step_completed(*claim, *attempt, *duration)
            }
            Self::Failed(failed) => failed.render(),
            Self::HandedBack { claim } => audit::step_handed_back(*claim),
            Self::Snoozed { claim, until, .. } => audit::step_snoozed(*claim, *until),
            Self::Retried { attempt } => audit::step_retried(*attempt, audit::ENGINE),
            Self::BelowCancelled => audit::cancelled(audit::PARENT_CANCELLED, "step_cancelled"),
            Self::Bypassed => audit::step_skipped(audit::BYPASS_STEPS, None),
            Self::Unheld => Value::Object(Map::new()),
            Self::Lost(failed) => without_claim(failed.render()),
            Self::Written(metadata) => (**metadata).clone(),
        }
    }
}

impl Failed {
    fn render(&self) -> Value {
        audit::step_failed(&audit::Failure {
            claim: self.claim,
            attempt: self.attempt,
            duration: self.duration,
            error: &self.error,
            retry: self.retry,
            retryable: self.retryable,
            retry_limit: self.retry_limit,
            now: self.now,
        })
    }
}

fn without_claim(mut metadata: Value) -> Value {
    if let Value::Object(keys) = &mut metadata {
        keys.remove("claim");
    }
    metadata
}

/// A moment as a reader of the row finds it: beyond the years that can be written there is none.
pub(super) fn as_written(moment: Timestamp) -> Option<Timestamp> {
    moment.to_string().parse().ok()
}
