//! What rows of the audit trail say of themselves, in the reference's words, and what many of them say together.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{TaskTransitionRow, WorkflowStepTransitionRow};
use crate::decide::backoff_until;
use crate::{StepState, TaskState, Timestamp};

/// What a row of a task and one of a step have in common.
macro_rules! moves {
    ($row:ident, $state:ident, $of:ident) => {
        impl $row {
            /// Whether it is a move to `error`.
            pub fn is_error(&self) -> bool {
                self.to_state == $state::Error
            }

            /// Whether it is a move to `complete` or `resolved_manually`.
            pub fn is_completion(&self) -> bool {
                matches!(self.to_state, $state::Complete | $state::ResolvedManually)
            }

            /// Whether it is a move to `cancelled`.
            pub fn is_cancellation(&self) -> bool {
                self.to_state == $state::Cancelled
            }

            /// What its metadata say under a key at the top level.
            pub fn metadata(&self, key: &str) -> Option<&Value> {
                self.metadata.get(key)
            }

            /// How long after the move before it, among rows of the same task or step; `None` for the first.
            pub fn since_previous<'r>(&self, rows: impl IntoIterator<Item = &'r Self>) -> Option<Duration> {
                let before =
                    rows.into_iter().filter(|row| row.$of == self.$of && row.sort_key < self.sort_key);
                let previous = before.max_by_key(|row| row.sort_key)?;
                Some(self.created_at.since(previous.created_at))
            }
        }
    };
}

moves!(TaskTransitionRow, TaskState, task_id);
moves!(WorkflowStepTransitionRow, StepState, workflow_step_id);

impl TaskTransitionRow {
    /// What happened, for people.
    pub fn description(&self) -> &'static str {
        match self.to_state {
            TaskState::Pending => "Task initialized and ready for processing",
            TaskState::InProgress => "Task execution started",
            TaskState::Complete => "Task completed successfully",
            TaskState::Error => "Task encountered an error",
            TaskState::Cancelled => "Task was cancelled",
            TaskState::ResolvedManually => "Task was manually resolved",
        }
    }

    /// The metadata with what happened, when, and how long after the move before it (in seconds).
    pub fn formatted_metadata(&self, since_previous: Option<Duration>) -> Value {
        let mut told = formatted(&self.metadata, self.created_at, since_previous);
        told.insert("transition_description".into(), self.description().into());
        Value::Object(told)
    }
}

/// The wait that follows a failure, as its row tells it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct BackoffInfo {
    /// When the step may be tried again.
    pub backoff_until: Timestamp,
    /// How long after the failure that is, in seconds.
    pub backoff_seconds: Option<f64>,
    /// Whether an attempt is left.
    pub retry_available: bool,
}

impl WorkflowStepTransitionRow {
    /// Whether the step goes back to `pending` to be tried again.
    pub fn is_retry(&self) -> bool {
        self.to_state == StepState::Pending && self.metadata("retry_attempt").is_some()
    }

    /// Of which attempt it is; 1 where the row does not say.
    pub fn attempt_number(&self) -> u64 {
        self.metadata("attempt_number").and_then(Value::as_u64).unwrap_or(1)
    }

    /// How long user code ran, in seconds, where the row says so.
    pub fn execution_duration(&self) -> Option<f64> {
        self.metadata("execution_duration").and_then(Value::as_f64)
    }

    /// The wait that follows a failure; `None` when it is none, or names no moment.
    pub fn backoff_info(&self) -> Option<BackoffInfo> {
        let backoff_until = backoff_until(&self.metadata).filter(|_| self.is_error())?;
        Some(BackoffInfo {
            backoff_until,
            backoff_seconds: self.metadata("backoff_seconds").and_then(Value::as_f64),
            retry_available: self.metadata("retry_available").and_then(Value::as_bool).unwrap_or(false),
        })
    }

    /// What happened, for people.
    pub fn description(&self) -> String {
        let text = |key, absent: &str| match self.metadata(key) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) | None => absent.to_owned(),
            Some(other) => other.to_string(),
        };
        match self.to_state {
            StepState::Pending if self.is_retry() => {
                format!("Step retry attempt #{}", text("retry_attempt", "1"))
            }
            StepState::Pending => "Step initialized and ready for execution".to_owned(),
            StepState::InProgress => format!("Step execution started (attempt #{})", self.attempt_number()),
            StepState::Complete => match self.metadata("execution_duration").and_then(Value::as_number) {
                Some(duration) => format!("Step completed successfully in {}s", two_decimals(duration)),
                None => "Step completed successfully".to_owned(),
            },
            StepState::Error => {
                let scheduled = self.metadata("backoff_until").is_some_and(|until| !until.is_null());
                let scheduled = if scheduled { " (retry scheduled)" } else { "" };
                format!("Step failed: {}{scheduled}", text("error_message", "Unknown error"))
            }
            StepState::Cancelled => {
                format!("Step cancelled due to {}", text("triggered_by", "manual cancellation"))
            }
            StepState::ResolvedManually => {
                format!("Step manually resolved by {}", text("resolved_by", "unknown"))
            }
        }
    }

    /// The metadata with what happened to which step, when, and how long after the move before it (in seconds).
    pub fn formatted_metadata(&self, since_previous: Option<Duration>) -> Value {
        let mut told = formatted(&self.metadata, self.created_at, since_previous);
        told.insert("transition_description".into(), self.description().into());
        told.insert("step_name".into(), self.step_name.as_str().into());
        told.insert("task_id".into(), json!(self.task_id));
        Value::Object(told)
    }
}

fn formatted(metadata: &Value, at: Timestamp, since_previous: Option<Duration>) -> Map<String, Value> {
    let mut told = metadata.as_object().cloned().unwrap_or_default();
    told.insert("duration_since_previous".into(), json!(since_previous.map(|gap| gap.as_secs_f64())));
    told.insert("transition_timestamp".into(), json!(at));
    told
}

/// At most two decimals: `1.23`, `1.2`, and `2` where it is written without any.
fn two_decimals(duration: &serde_json::Number) -> String {
    match duration.as_f64().filter(|_| duration.is_f64()) {
        Some(seconds) => format!("{:?}", (seconds * 100.0).round() / 100.0),
        None => duration.to_string(),
    }
}

/// What moves of tasks, or of steps, say together.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct TransitionStatistics {
    /// How many there are.
    pub total_transitions: usize,
    /// How many lead to each state.
    pub states: BTreeMap<&'static str, usize>,
    /// How many were made in the last day.
    pub recent_activity: usize,
    /// The mean time between one and the next, whatever moved, in seconds; `None` of fewer than two.
    pub average_time_between_transitions: Option<f64>,
    /// Moves of steps back to `pending` after an `error`; 0 of tasks.
    pub retry_attempts: usize,
    /// The mean time that user code ran, in seconds, over the rows that say so.
    pub average_execution_time: Option<f64>,
}

impl TransitionStatistics {
    /// Of moves of tasks.
    pub fn of_tasks(rows: &[TaskTransitionRow], now: Timestamp) -> Self {
        Self::of(rows.iter().map(|row| (row.to_state.as_str(), row.created_at)), now)
    }

    /// Of moves of steps. A move to `pending` counts as a retry when an earlier one to `error` is among them.
    pub fn of_steps(rows: &[WorkflowStepTransitionRow], now: Timestamp) -> Self {
        let mut first_errors = BTreeMap::new();
        for row in rows.iter().filter(|row| row.is_error()) {
            let first = first_errors.entry(row.workflow_step_id).or_insert(row.sort_key);
            *first = row.sort_key.min(*first);
        }
        let is_retry = |row: &&WorkflowStepTransitionRow| {
            row.to_state == StepState::Pending
                && first_errors.get(&row.workflow_step_id).is_some_and(|first| *first < row.sort_key)
        };
        let durations: Vec<f64> =
            rows.iter().filter_map(WorkflowStepTransitionRow::execution_duration).collect();
        Self {
            retry_attempts: rows.iter().filter(is_retry).count(),
            average_execution_time: mean(durations.iter().sum(), durations.len()),
            ..Self::of(rows.iter().map(|row| (row.to_state.as_str(), row.created_at)), now)
        }
    }

    fn of(rows: impl Iterator<Item = (&'static str, Timestamp)>, now: Timestamp) -> Self {
        let mut told = Self::default();
        let mut span: Option<(Timestamp, Timestamp)> = None;
        for (state, at) in rows {
            told.total_transitions += 1;
            *told.states.entry(state).or_default() += 1;
            told.recent_activity += usize::from(at > now - Duration::from_secs(24 * 3600));
            span = Some(span.map_or((at, at), |(first, last)| (first.min(at), last.max(at))));
        }
        // The gaps add up to the time from the first to the last.
        let gaps = told.total_transitions.saturating_sub(1);
        let sum = span.map_or(0.0, |(first, last)| last.since(first).as_secs_f64());
        Self { average_time_between_transitions: mean(sum, gaps), ..told }
    }
}

fn mean(sum: f64, many: usize) -> Option<f64> {
    (many > 0).then(|| sum / f64::from(u32::try_from(many).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn step(to_state: StepState, sort_key: i32, second: u64, metadata: Value) -> WorkflowStepTransitionRow {
        let at = Timestamp::EPOCH + Duration::from_secs(second);
        WorkflowStepTransitionRow {
            id: i64::from(sort_key).into(),
            workflow_step_id: 1.into(),
            step_name: "charge".into(),
            task_id: 2.into(),
            to_state,
            from_state: None,
            metadata: Arc::new(metadata),
            sort_key,
            most_recent: false,
            created_at: at,
            updated_at: at,
        }
    }

    #[test]
    fn moves_of_steps_are_described_as_the_reference_does() {
        use StepState as S;
        for (state, metadata, expected) in [
            (S::Pending, json!({}), "Step initialized and ready for execution"),
            (S::Pending, json!({ "retry_attempt": 2 }), "Step retry attempt #2"),
            (S::InProgress, json!({ "attempt_number": 3 }), "Step execution started (attempt #3)"),
            (S::InProgress, json!({}), "Step execution started (attempt #1)"),
            (S::Complete, json!({}), "Step completed successfully"),
            (S::Complete, json!({ "execution_duration": 1.23456 }), "Step completed successfully in 1.23s"),
            (S::Complete, json!({ "execution_duration": 2 }), "Step completed successfully in 2s"),
            (S::Error, json!({}), "Step failed: Unknown error"),
            (
                S::Error,
                json!({ "error_message": "no route", "backoff_until": "2026-01-01T00:00:00Z" }),
                "Step failed: no route (retry scheduled)",
            ),
            (S::Cancelled, json!({}), "Step cancelled due to manual cancellation"),
            (S::Cancelled, json!({ "triggered_by": "an operator" }), "Step cancelled due to an operator"),
            (S::ResolvedManually, json!({}), "Step manually resolved by unknown"),
            (S::ResolvedManually, json!({ "resolved_by": "ada" }), "Step manually resolved by ada"),
        ] {
            assert_eq!(step(state, 10, 0, metadata.clone()).description(), expected, "{metadata}");
        }
    }

    #[test]
    fn moves_know_their_kind_and_the_time_since_the_one_before() {
        let until = json!("1970-01-01T00:00:09Z");
        let error = step(StepState::Error, 20, 5, json!({ "backoff_until": until, "backoff_seconds": 4.0 }));
        let rows = [step(StepState::InProgress, 10, 2, json!({})), error.clone()];
        assert!(error.is_error() && !error.is_completion() && !error.is_cancellation() && !error.is_retry());
        assert_eq!(error.since_previous(&rows), Some(Duration::from_secs(3)));
        assert_eq!(rows[0].since_previous(&rows), None);
        let told = error.backoff_info().expect("it waits");
        assert_eq!((told.backoff_seconds, told.retry_available), (Some(4.0), false));
        assert_eq!(told.backoff_until, Timestamp::EPOCH + Duration::from_secs(9));
        assert_eq!(rows[0].backoff_info(), None);
        let formatted = error.formatted_metadata(error.since_previous(&rows));
        assert_eq!(formatted["duration_since_previous"], json!(3.0));
        assert_eq!((&formatted["step_name"], &formatted["task_id"]), (&json!("charge"), &json!(2)));
        assert_eq!(formatted["transition_description"], "Step failed: Unknown error (retry scheduled)");
    }

    #[test]
    fn statistics_count_states_retries_and_gaps() {
        let rows = [
            step(StepState::InProgress, 10, 0, json!({})),
            step(StepState::Error, 20, 4, json!({})),
            step(StepState::Pending, 30, 6, json!({})),
            step(StepState::Complete, 40, 9, json!({ "execution_duration": 2 })),
        ];
        let told =
            TransitionStatistics::of_steps(&rows, Timestamp::EPOCH + Duration::from_secs(24 * 3600 + 4));
        assert_eq!((told.total_transitions, told.recent_activity, told.retry_attempts), (4, 2, 1));
        assert_eq!(told.average_time_between_transitions, Some(3.0));
        assert_eq!(told.average_execution_time, Some(2.0));
        assert_eq!(told.states["error"], 1);
        let none = TransitionStatistics::of_steps(&[], Timestamp::EPOCH);
        assert_eq!(none, TransitionStatistics::default());
    }
}
