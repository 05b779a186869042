//! What an outcome says, value by value.

use std::time::Duration;

use serde_json::{Value, json};
use tasker_engine::audit::{self, Failure};
use tasker_engine::{Outcome, OutcomeKind, RetryAdvice, SpawnedStep, Timestamp};

use super::super::values::{Jsonb, integer};

/// Outcomes as columns, one value for each.
pub(super) struct Columns {
    pub(super) task: Vec<i64>,
    pub(super) step: Vec<i64>,
    pub(super) token: Vec<i64>,
    pub(super) goes_to: Vec<&'static str>,
    pub(super) is_permanent: Vec<bool>,
    pub(super) wait_seconds: Vec<Option<i32>>,
    pub(super) results: Vec<Option<Jsonb>>,
    pub(super) metadata: Vec<Jsonb>,
}

impl Columns {
    pub(super) fn of(outcomes: &[&Outcome], now: Timestamp) -> Self {
        Self {
            task: outcomes.iter().map(|outcome| outcome.task.0).collect(),
            step: outcomes.iter().map(|outcome| outcome.step.0).collect(),
            token: outcomes.iter().map(|outcome| outcome.token.0).collect(),
            goes_to: outcomes.iter().map(|outcome| goes_to(&outcome.kind)).collect(),
            is_permanent: outcomes.iter().map(|outcome| is_permanent(&outcome.kind)).collect(),
            wait_seconds: outcomes.iter().map(|outcome| wait_seconds(&outcome.kind)).collect(),
            results: outcomes.iter().map(|outcome| results(&outcome.kind)).collect(),
            metadata: outcomes.iter().map(|outcome| metadata(outcome, now)).collect(),
        }
    }
}

/// All steps that are to be added; NULL when there are none, as mostly.
pub(super) fn spawned(outcomes: &[&Outcome]) -> Option<Jsonb> {
    let of = |(number, outcome): (usize, &&Outcome)| -> Vec<Value> {
        let steps = outcome.spawned.iter().enumerate();
        steps.map(|(index, step)| spawned_step(number + 1, index, step)).collect()
    };
    let completed =
        outcomes.iter().enumerate().filter(|(_, outcome)| matches!(outcome.kind, OutcomeKind::Completed(_)));
    let steps: Vec<_> = completed.flat_map(of).collect();
    (!steps.is_empty()).then(|| Value::from(steps).into())
}

/// The state that the step goes to.
fn goes_to(kind: &OutcomeKind) -> &'static str {
    match kind {
        OutcomeKind::Completed(_) => "complete",
        OutcomeKind::Failed { .. } => "error",
        OutcomeKind::HandBack | OutcomeKind::Snooze { .. } => "pending",
    }
}

fn is_permanent(kind: &OutcomeKind) -> bool {
    matches!(kind, OutcomeKind::Failed { retry: RetryAdvice::Never, .. })
}

/// Whole seconds, rounded up.
fn wait_seconds(kind: &OutcomeKind) -> Option<i32> {
    match kind {
        OutcomeKind::Failed { retry: RetryAdvice::After(wait), .. } => {
            Some(integer(wait.saturating_add(Duration::from_nanos(999_999_999)).as_secs()))
        }
        _ => None,
    }
}

/// What the step yielded, or what a failure adds to what it had.
fn results(kind: &OutcomeKind) -> Option<Jsonb> {
    match kind {
        OutcomeKind::Completed(results) => Some(results.into()),
        OutcomeKind::Failed { error, .. } => {
            Some(json!({ "error": error.message, "error_class": error.class }).into())
        }
        OutcomeKind::HandBack | OutcomeKind::Snooze { .. } => None,
    }
}

/// What the row says. Of a failure, what depends on the step as it stands is said as if there were no limit, and
/// `tasker_record` corrects it.
fn metadata(outcome: &Outcome, now: Timestamp) -> Jsonb {
    let row = match &outcome.kind {
        OutcomeKind::Completed(_) => audit::step_completed(outcome.token, outcome.attempt, outcome.duration),
        OutcomeKind::Failed { error, retry } => audit::step_failed(&Failure {
            claim: outcome.token,
            attempt: outcome.attempt,
            duration: outcome.duration,
            error,
            retry: *retry,
            retryable: true,
            retry_limit: u32::MAX,
            now,
        }),
        OutcomeKind::HandBack => audit::step_handed_back(outcome.token),
        OutcomeKind::Snooze { until } => audit::step_snoozed(outcome.token, *until),
    };
    row.into()
}

fn spawned_step(outcome: usize, index: usize, step: &SpawnedStep) -> Value {
    json!({
        "outcome": outcome,
        "index": index,
        "name": step.name,
        "handler": step.handler,
        "config": step.config,
        "retry_limit": integer(step.retry_limit),
        "retryable": step.retryable,
        "after": step.after,
        "before": step.before,
    })
}
