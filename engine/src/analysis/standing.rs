//! How one step stands at a moment, as far as analysis asks.

use crate::decide::{BlockingReason, blocking_reason, next_retry_at};
use crate::{StepRecord, StepState, TaskRecord, Timestamp};

/// How a step stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Standing {
    pub(super) state: StepState,
    pub(super) attempts: u32,
    pub(super) retry_limit: u32,
    pub(super) retryable: bool,
    /// Complete or resolved.
    pub(super) completed: bool,
    /// Some parent is not satisfied.
    pub(super) blocked: bool,
    /// Why it does not run; `None` when it is ready.
    pub(super) reason: Option<BlockingReason>,
    pub(super) next_retry_at: Option<Timestamp>,
}

impl Standing {
    fn of(task: &TaskRecord, step: &StepRecord, now: Timestamp) -> Self {
        let satisfied = task.parents_satisfied(step);
        Self {
            state: step.current.state,
            attempts: step.attempts,
            retry_limit: step.retry_limit,
            retryable: step.retryable,
            completed: step.current.state.is_satisfied(),
            blocked: !satisfied,
            reason: blocking_reason(step, satisfied, now),
            next_retry_at: next_retry_at(&step.attempted()),
        }
    }

    /// Those of all steps, by place.
    pub(super) fn of_all(task: &TaskRecord, now: Timestamp) -> Vec<Self> {
        task.steps.iter().map(|step| Self::of(task, step, now)).collect()
    }

    pub(super) const fn is_ready(&self) -> bool {
        self.reason.is_none()
    }

    pub(super) const fn failed(&self) -> bool {
        matches!(self.state, StepState::Error)
    }

    pub(super) const fn is_eligible(&self) -> bool {
        self.attempts < self.retry_limit
    }

    /// No attempt is left, and one would be needed: a step that makes its last attempt is not exhausted.
    pub(super) const fn is_exhausted(&self) -> bool {
        matches!(self.state, StepState::Pending | StepState::Error) && !self.is_eligible()
    }

    /// It waits for the end of its back-off, and for nothing else.
    pub(super) fn waits(&self) -> bool {
        self.reason == Some(BlockingReason::WaitingForBackoff)
    }

    pub(super) const fn is_settled(&self) -> bool {
        self.state.is_settled()
    }
}

/// A share of a hundred with one decimal; 0 of nothing.
pub(super) fn percentage(part: usize, whole: usize) -> f64 {
    let Some(tenths) = (part * 2000 + whole).checked_div(whole * 2) else { return 0.0 };
    f64::from(u32::try_from(tenths).expect("at most a thousand")) / 10.0
}

/// A count as a number to reckon with.
pub(super) fn float(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// A weight as a number to reckon with.
#[expect(clippy::cast_precision_loss, reason = "weights are small")]
pub(super) const fn weight(weight: u64) -> f64 {
    weight as f64
}
