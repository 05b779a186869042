//! Scopes of the audit trail.

use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::{model, scopes};
use crate::payload::{self, Limits};
use crate::records::{Scope, TaskTransitionRow, WorkflowStepTransitionRow};
use crate::{StepId, StepState, TaskId, TaskState, Timestamp, TransitionId};

/// The JSON values that a value asked for matches: itself, and of a text of digits also the number. One that no storage
/// can hold matches none.
pub fn alike(value: &Value) -> Vec<Value> {
    if payload::check(value, &Limits { bytes: usize::MAX, depth: usize::MAX }).is_err() {
        return vec![];
    }
    let number = value.as_str().and_then(|text| text.parse::<Number>().ok());
    [value.clone()].into_iter().chain(number.map(Value::Number)).collect()
}

model! {
    /// Moves of tasks: `tasker_task_transitions`.
    TaskTransitions("task transition"): TaskTransitionRow by id: TransitionId, TaskTransitionFilter,
    TaskTransitionColumn {
        Id = "id",
        ToState = "to_state",
        FromState = "from_state",
        SortKey = "sort_key",
        MostRecent = "most_recent",
        TaskId = "task_id",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on moves of tasks; the scopes of [`TaskTransitions`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum TaskTransitionFilter {
    WithIds(Vec<TransitionId>),
    OfTasks(Vec<TaskId>),
    MostRecent,
    ToState(TaskState),
    WithMetadataKey(String),
    WithMetadataValue { key: String, value: Value },
    InTimeRange { from: Timestamp, to: Timestamp },
}

scopes! { TaskTransitions {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = TransitionId>) => {
        TaskTransitionFilter::WithIds(ids.into_iter().collect())
    };
    /// The moves of those tasks.
    of_tasks(tasks: impl IntoIterator<Item = TaskId>) => {
        TaskTransitionFilter::OfTasks(tasks.into_iter().collect())
    };
    /// Moves that are the current ones.
    most_recent() => TaskTransitionFilter::MostRecent;
    /// Moves to that state.
    to_state(state: TaskState) => TaskTransitionFilter::ToState(state);
    /// Moves whose metadata has that key at the top level.
    with_metadata_key(key: impl Into<String>) => TaskTransitionFilter::WithMetadataKey(key.into());
    /// Moves whose metadata has that value at that key, compared as JSON; a text of digits matches the number as well.
    with_metadata_value(key: impl Into<String>, value: impl Into<Value>) => {
        TaskTransitionFilter::WithMetadataValue { key: key.into(), value: value.into() }
    };
    /// Moves made between two moments, both included.
    in_time_range(from: Timestamp, to: Timestamp) => TaskTransitionFilter::InTimeRange { from, to };
} }

impl TaskTransitions {
    /// The highest sort key first.
    #[must_use]
    pub fn recent() -> Scope<Self> {
        Self::all().recent()
    }
}

impl Scope<TaskTransitions> {
    /// The highest sort key first.
    #[must_use]
    pub fn recent(self) -> Self {
        self.descending(TaskTransitionColumn::SortKey)
    }
}

model! {
    /// Moves of steps: `tasker_workflow_step_transitions`.
    WorkflowStepTransitions("workflow step transition"):
    WorkflowStepTransitionRow by id: TransitionId, WorkflowStepTransitionFilter,
    WorkflowStepTransitionColumn {
        Id = "id",
        ToState = "to_state",
        FromState = "from_state",
        SortKey = "sort_key",
        MostRecent = "most_recent",
        WorkflowStepId = "workflow_step_id",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on moves of steps; the scopes of [`WorkflowStepTransitions`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum WorkflowStepTransitionFilter {
    WithIds(Vec<TransitionId>),
    OfSteps(Vec<StepId>),
    OfTasks(Vec<TaskId>),
    MostRecent,
    ToState(StepState),
    WithMetadataKey(String),
    WithMetadataValue { key: String, value: Value },
    InTimeRange { from: Timestamp, to: Timestamp },
    RetryTransitions,
}

scopes! { WorkflowStepTransitions {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = TransitionId>) => {
        WorkflowStepTransitionFilter::WithIds(ids.into_iter().collect())
    };
    /// The moves of those steps.
    of_steps(steps: impl IntoIterator<Item = StepId>) => {
        WorkflowStepTransitionFilter::OfSteps(steps.into_iter().collect())
    };
    /// The moves of the steps of a task.
    for_task(task: TaskId) => WorkflowStepTransitionFilter::OfTasks(vec![task]);
    /// The moves of the steps of those tasks.
    of_tasks(tasks: impl IntoIterator<Item = TaskId>) => {
        WorkflowStepTransitionFilter::OfTasks(tasks.into_iter().collect())
    };
    /// Moves that are the current ones.
    most_recent() => WorkflowStepTransitionFilter::MostRecent;
    /// Moves to that state.
    to_state(state: StepState) => WorkflowStepTransitionFilter::ToState(state);
    /// Moves whose metadata has that key at the top level.
    with_metadata_key(key: impl Into<String>) => WorkflowStepTransitionFilter::WithMetadataKey(key.into());
    /// Moves whose metadata has that value at that key, compared as JSON; a text of digits matches the number as well.
    with_metadata_value(key: impl Into<String>, value: impl Into<Value>) => {
        WorkflowStepTransitionFilter::WithMetadataValue { key: key.into(), value: value.into() }
    };
    /// Moves made between two moments, both included.
    in_time_range(from: Timestamp, to: Timestamp) => WorkflowStepTransitionFilter::InTimeRange { from, to };
    /// Moves of that attempt.
    for_attempt(attempt: u32) => WorkflowStepTransitionFilter::WithMetadataValue {
        key: "attempt_number".to_owned(),
        value: attempt.into(),
    };
    /// Moves to `pending` of steps that had been in `error` before.
    retry_transitions() => WorkflowStepTransitionFilter::RetryTransitions;
} }

impl WorkflowStepTransitions {
    /// The highest sort key first.
    #[must_use]
    pub fn recent() -> Scope<Self> {
        Self::all().recent()
    }
}

impl Scope<WorkflowStepTransitions> {
    /// The highest sort key first.
    #[must_use]
    pub fn recent(self) -> Self {
        self.descending(WorkflowStepTransitionColumn::SortKey)
    }
}
