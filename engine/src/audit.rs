//! What each row of the audit trail says about its move: the keys that the reference's readers look for, and ours.
//!
//! | move | keys |
//! |---|---|
//! | task → in_progress | `initialization_completed`, `step_dependencies_established` |
//! | task → complete, cancelled | `cancelled_steps`; `triggered_by` |
//! | task → error | `reason`, `error_steps` |
//! | step → in_progress | `attempt_number`, `worker_id` |
//! | step → complete | `claim`, `attempt_number`, `execution_duration` |
//! | step → error | these and `error_class`, `error_message`, `retryable`, `retry_available`; `backoff_seconds`, `backoff_until`; `permanent`, `retryable_was`, `error_code` |
//! | step → pending after a claim | `claim`; `phase: snoozed`, `backoff_until` |
//! | step error → pending | `retry_attempt`, `triggered_by` |
//! | → cancelled, → resolved_manually | `triggered_by` or `resolved_by`, `reason` |
//!
//! The rows that a rescue or the hand-back of a beat writes name no `claim`: the worker's own outcome was not recorded,
//! so it is stale when it comes, not already recorded. What it says is kept beside the other keys of the row that ended
//! the claim, as `late_outcome`: see [`late_outcome`].

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::decide::Verdict;
use crate::{
    ErrorReport, Outcome, OutcomeKind, PhaseMark, RetryAdvice, StepName, StepState, Timestamp, Token,
    WorkerId,
};

/// `triggered_by` of a retry that the engine makes by itself.
pub const ENGINE: &str = "engine";
/// `triggered_by` of a step that was cancelled because a parent was.
pub const PARENT_CANCELLED: &str = "parent_cancelled";
/// `reason` of a step that was cancelled with its task.
pub const TASK_CANCELLED: &str = "task_cancelled";
/// `triggered_by` of a task that was cancelled because all its leaves were.
pub const ALL_LEAVES_CANCELLED: &str = "all_leaves_cancelled";
/// `reason` of a task that went to `error`.
pub const STEPS_IN_ERROR: &str = "steps_in_error_state";
/// `resolved_by` of a step that the request passed over.
pub const BYPASS_STEPS: &str = "bypass_steps";

/// Task → `in_progress`; `steps` counts all steps of the task.
pub fn task_started(steps: usize) -> Value {
    json!({ "initialization_completed": true, "step_dependencies_established": steps })
}

/// Task → the verdict's state; `blocked` names the blocked steps.
pub fn task_settled(verdict: Verdict, blocked: &[StepName]) -> Value {
    match verdict {
        Verdict::Complete { cancelled_steps: 0 } => json!({}),
        Verdict::Complete { cancelled_steps } => json!({ "cancelled_steps": cancelled_steps }),
        Verdict::Cancelled { cancelled_steps } => {
            json!({ "cancelled_steps": cancelled_steps, "triggered_by": ALL_LEAVES_CANCELLED })
        }
        Verdict::Error => json!({ "reason": STEPS_IN_ERROR, "error_steps": blocked }),
    }
}

/// Step → `in_progress`.
pub fn step_claimed(attempt: u32, worker: WorkerId) -> Value {
    json!({ "attempt_number": attempt, "worker_id": worker })
}

/// Step → `complete` by its handler.
pub fn step_completed(claim: Token, attempt: u32, duration: Duration) -> Value {
    json!({ "claim": claim, "attempt_number": attempt, "execution_duration": duration.as_secs_f64() })
}

/// What a failed attempt leaves in its row.
#[derive(Clone, Copy, Debug)]
pub struct Failure<'a> {
    /// The claim under which it failed.
    pub claim: Token,
    /// Which attempt it was.
    pub attempt: u32,
    /// How long user code ran.
    pub duration: Duration,
    /// What went wrong.
    pub error: &'a ErrorReport,
    /// What the handler, or a policy, said about another attempt.
    pub retry: RetryAdvice,
    /// Whether the step was retryable before.
    pub retryable: bool,
    /// The most attempts it may have.
    pub retry_limit: u32,
    /// When it failed.
    pub now: Timestamp,
}

/// Step → `error`.
pub fn step_failed(failure: &Failure<'_>) -> Value {
    let permanent = failure.retry == RetryAdvice::Never;
    let retryable = failure.retryable && !permanent;
    let mut row = Map::new();
    row.insert("claim".into(), failure.claim.0.into());
    row.insert("attempt_number".into(), failure.attempt.into());
    row.insert("execution_duration".into(), failure.duration.as_secs_f64().into());
    row.insert("error_class".into(), failure.error.class.clone().into());
    row.insert("error_message".into(), failure.error.message.clone().into());
    row.insert("retryable".into(), retryable.into());
    row.insert("retry_available".into(), (retryable && failure.attempt < failure.retry_limit).into());
    if let Some(code) = &failure.error.code {
        row.insert("error_code".into(), code.clone().into());
    }
    match failure.retry {
        RetryAdvice::Default => {}
        RetryAdvice::After(wait) => {
            row.insert("backoff_seconds".into(), wait.as_secs_f64().into());
            row.insert("backoff_until".into(), (failure.now + wait).to_string().into());
        }
        RetryAdvice::Never => {
            row.insert("permanent".into(), true.into());
            row.insert("retryable_was".into(), failure.retryable.into());
        }
    }
    Value::Object(row)
}

/// Step `in_progress` → `pending`: the handler was never started.
pub fn step_handed_back(claim: Token) -> Value {
    json!({ "claim": claim })
}

/// Step `in_progress` → `pending`: it sleeps.
pub fn step_snoozed(claim: Token, until: Timestamp) -> Value {
    json!({ "claim": claim, "phase": PhaseMark::Snoozed, "backoff_until": until })
}

/// What a handler came to whose claim had been ended by another row: a cancel, a rescue, the hand-back of a beat. Nobody
/// is to forget a charged card. `None` when no handler ran.
///
/// It says what the row would have said, but for what depended on the step, and the results.
pub fn late_outcome(outcome: &Outcome, now: Timestamp) -> Option<Value> {
    let Outcome { token, attempt, duration, .. } = *outcome;
    let (to, row) = match &outcome.kind {
        OutcomeKind::Completed(_) => (StepState::Complete, step_completed(token, attempt, duration)),
        OutcomeKind::Failed { error, retry } => (
            StepState::Error,
            step_failed(&Failure {
                claim: token,
                attempt,
                duration,
                error,
                retry: *retry,
                retryable: true,
                retry_limit: u32::MAX,
                now,
            }),
        ),
        OutcomeKind::Snooze { until } => (StepState::Pending, step_snoozed(token, *until)),
        OutcomeKind::HandBack => return None,
    };
    let Value::Object(mut said) = row else { unreachable!("every row is an object") };
    said.retain(|key, _| !NOT_SAID_LATE.contains(&key.as_str()));
    said.insert("to_state".into(), to.as_str().into());
    said.insert("at".into(), now.to_string().into());
    if let OutcomeKind::Completed(results) = &outcome.kind {
        said.insert("results".into(), (**results).clone());
    }
    Some(Value::Object(said))
}

/// The key of a [`late_outcome`] in its row.
pub const LATE_OUTCOME: &str = "late_outcome";

/// What a late outcome cannot say of its step, or what would make the row govern it.
const NOT_SAID_LATE: [&str; 7] = [
    "claim",
    "retryable",
    "retry_available",
    "retryable_was",
    "permanent",
    "backoff_seconds",
    "backoff_until",
];

/// Step `error` → `pending`; `attempt` is the one that follows.
pub fn step_retried(attempt: u32, triggered_by: &str) -> Value {
    json!({ "retry_attempt": attempt, "triggered_by": triggered_by })
}

/// Step or task → `cancelled`.
pub fn cancelled(triggered_by: &str, reason: &str) -> Value {
    json!({ "triggered_by": triggered_by, "reason": reason })
}

/// Step → `resolved_manually` without running it.
pub fn step_skipped(resolved_by: &str, reason: Option<&str>) -> Value {
    with_reason(json!({ "phase": PhaseMark::Skipped, "resolved_by": resolved_by }), reason)
}

/// What a skipped step has for results.
pub fn skipped_results() -> Value {
    json!({ "skipped": true })
}

/// The row, with its reason when one was given.
pub fn with_reason(mut row: Value, reason: Option<&str>) -> Value {
    if let (Value::Object(keys), Some(reason)) = (&mut row, reason) {
        keys.insert("reason".into(), reason.into());
    }
    row
}
