//! Scopes of steps and edges.

use serde::{Deserialize, Serialize};

use super::{model, scopes};
use crate::records::{EdgeId, NamedStepId, WorkflowStepEdgeRow, WorkflowStepRow};
use crate::{StepId, StepState, TaskId, Timestamp};

model! {
    /// Steps of tasks: `tasker_workflow_steps`.
    WorkflowSteps("workflow step"): WorkflowStepRow by workflow_step_id: StepId, WorkflowStepFilter,
    WorkflowStepColumn {
        WorkflowStepId = "workflow_step_id",
        TaskId = "task_id",
        NamedStepId = "named_step_id",
        Retryable = "retryable",
        RetryLimit = "retry_limit",
        InProcess = "in_process",
        Processed = "processed",
        ProcessedAt = "processed_at",
        Attempts = "attempts",
        LastAttemptedAt = "last_attempted_at",
        BackoffRequestSeconds = "backoff_request_seconds",
        Skippable = "skippable",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on steps; the scopes of [`WorkflowSteps`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum WorkflowStepFilter {
    WithIds(Vec<StepId>),
    OfTasks(Vec<TaskId>),
    OfNamedSteps(Vec<NamedStepId>),
    Named(String),
    Completed,
    Failed,
    Pending,
    ByCurrentState(StepState),
    CompletedSince(Timestamp),
    FailedSince(Timestamp),
    ForTasksSince(Timestamp),
}

scopes! { WorkflowSteps {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = StepId>) => WorkflowStepFilter::WithIds(ids.into_iter().collect());
    /// The steps of a task.
    for_task(task: TaskId) => WorkflowStepFilter::OfTasks(vec![task]);
    /// The steps of those tasks.
    of_tasks(tasks: impl IntoIterator<Item = TaskId>) => {
        WorkflowStepFilter::OfTasks(tasks.into_iter().collect())
    };
    /// Steps that have one of those names.
    of_named_steps(ids: impl IntoIterator<Item = NamedStepId>) => {
        WorkflowStepFilter::OfNamedSteps(ids.into_iter().collect())
    };
    /// Steps of that name, in whatever system.
    named(name: impl Into<String>) => WorkflowStepFilter::Named(name.into());
    /// Steps that are complete or resolved.
    completed() => WorkflowStepFilter::Completed;
    /// Steps in `error`.
    failed() => WorkflowStepFilter::Failed;
    /// Steps that are pending: those without a transition are.
    pending() => WorkflowStepFilter::Pending;
    /// Steps in that state; a step without a transition is pending. `None` is no condition.
    by_current_state(state: impl Into<Option<StepState>>) => {
        state.into().map(WorkflowStepFilter::ByCurrentState)
    };
    /// Steps that are complete, not resolved, and became so after that moment.
    completed_since(moment: Timestamp) => WorkflowStepFilter::CompletedSince(moment);
    /// Steps in `error` that got there after that moment.
    failed_since(moment: Timestamp) => WorkflowStepFilter::FailedSince(moment);
    /// Steps of tasks written after that moment.
    for_tasks_since(moment: Timestamp) => WorkflowStepFilter::ForTasksSince(moment);
} }

model! {
    /// Edges between steps: `tasker_workflow_step_edges`.
    WorkflowStepEdges("workflow step edge"): WorkflowStepEdgeRow by id: EdgeId, WorkflowStepEdgeFilter,
    WorkflowStepEdgeColumn {
        Id = "id",
        FromStepId = "from_step_id",
        ToStepId = "to_step_id",
        Name = "name",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on edges; the scopes of [`WorkflowStepEdges`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum WorkflowStepEdgeFilter {
    WithIds(Vec<EdgeId>),
    OfTasks(Vec<TaskId>),
    FromSteps(Vec<StepId>),
    ToSteps(Vec<StepId>),
    SiblingsOf(StepId),
    ProvidesEdges,
    ProvidesToChildren(StepId),
}

scopes! { WorkflowStepEdges {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = EdgeId>) => {
        WorkflowStepEdgeFilter::WithIds(ids.into_iter().collect())
    };
    /// Edges that lead to steps of those tasks.
    of_tasks(tasks: impl IntoIterator<Item = TaskId>) => {
        WorkflowStepEdgeFilter::OfTasks(tasks.into_iter().collect())
    };
    /// Edges that lead from those steps.
    from_steps(steps: impl IntoIterator<Item = StepId>) => {
        WorkflowStepEdgeFilter::FromSteps(steps.into_iter().collect())
    };
    /// Edges that lead to those steps.
    to_steps(steps: impl IntoIterator<Item = StepId>) => {
        WorkflowStepEdgeFilter::ToSteps(steps.into_iter().collect())
    };
    /// Edges that lead from a step to its children.
    children_of(step: StepId) => WorkflowStepEdgeFilter::FromSteps(vec![step]);
    /// Edges that lead to a step from its parents.
    parents_of(step: StepId) => WorkflowStepEdgeFilter::ToSteps(vec![step]);
    /// Edges that lead to the siblings of a step: other steps that have exactly the same parents. A step without
    /// parents has none.
    siblings_of(step: StepId) => WorkflowStepEdgeFilter::SiblingsOf(step);
    /// Edges that are named `provides`.
    provides_edges() => WorkflowStepEdgeFilter::ProvidesEdges;
    /// Edges named `provides` that lead to children of a step.
    provides_to_children(step: StepId) => WorkflowStepEdgeFilter::ProvidesToChildren(step);
} }
