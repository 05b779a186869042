//! Steps and edges.

use sqlx::postgres::PgRow;
use tasker_engine::records::{
    WorkflowStepColumn, WorkflowStepEdgeColumn, WorkflowStepEdgeFilter, WorkflowStepEdgeRow,
    WorkflowStepEdges, WorkflowStepFilter, WorkflowStepRow, WorkflowSteps,
};
use tasker_engine::{StepId, StepState, StorageError};

use super::super::values::column;
use super::model::SqlModel;
use super::statement::Statement;
use super::values::{json, maybe_moment, moment, state};

impl SqlModel for WorkflowSteps {
    const COLUMNS: &'static str = "s.workflow_step_id, s.task_id, s.named_step_id::bigint AS named_step_id, n.name, \
        coalesce(c.to_state, 'pending') AS status, s.retryable, s.retry_limit, s.in_process, s.processed, \
        s.processed_at, s.attempts, s.last_attempted_at, s.backoff_request_seconds, s.inputs, s.results, \
        s.skippable, s.created_at, s.updated_at";
    const TABLE: &'static str = "tasker_workflow_steps AS s";
    const JOINS: &'static str = " JOIN tasker_named_steps AS n ON n.named_step_id = s.named_step_id \
        LEFT JOIN tasker_workflow_step_transitions AS c \
        ON c.workflow_step_id = s.workflow_step_id AND c.most_recent";
    const ID: &'static str = "s.workflow_step_id";

    fn condition(filter: &WorkflowStepFilter, statement: &mut Statement) {
        match filter {
            WorkflowStepFilter::WithIds(ids) => {
                statement.push(" AND s.workflow_step_id = ANY (").ids(ids).push(")")
            }
            WorkflowStepFilter::OfTasks(tasks) => {
                statement.push(" AND s.task_id = ANY (").ids(tasks).push(")")
            }
            WorkflowStepFilter::OfNamedSteps(ids) => {
                statement.push(" AND s.named_step_id = ANY (").ids(ids).push(")")
            }
            WorkflowStepFilter::Named(name) => statement
                .push(" AND s.named_step_id IN (SELECT n.named_step_id FROM tasker_named_steps AS n WHERE n.name = ")
                .text(name)
                .push(")"),
            WorkflowStepFilter::Completed => statement.push(
                " AND EXISTS (SELECT FROM tasker_workflow_step_transitions AS c \
                 WHERE c.workflow_step_id = s.workflow_step_id AND c.most_recent \
                 AND c.to_state IN ('complete', 'resolved_manually'))",
            ),
            WorkflowStepFilter::Failed => statement.push(in_state(StepState::Error)),
            WorkflowStepFilter::Pending => statement.push(in_state(StepState::Pending)),
            WorkflowStepFilter::ByCurrentState(state) => statement.push(in_state(*state)),
            WorkflowStepFilter::CompletedSince(since) => statement
                .push(" AND EXISTS (SELECT FROM tasker_workflow_step_transitions AS c ")
                .push("WHERE c.workflow_step_id = s.workflow_step_id AND c.most_recent ")
                .push("AND c.to_state = 'complete' AND c.created_at > ")
                .moment(*since)
                .push(")"),
            WorkflowStepFilter::FailedSince(since) => statement
                .push(" AND EXISTS (SELECT FROM tasker_workflow_step_transitions AS c ")
                .push("WHERE c.workflow_step_id = s.workflow_step_id AND c.most_recent ")
                .push("AND c.to_state = 'error' AND c.created_at > ")
                .moment(*since)
                .push(")"),
            WorkflowStepFilter::ForTasksSince(since) => statement
                .push(" AND s.task_id IN (SELECT t.task_id FROM tasker_tasks AS t WHERE t.created_at > ")
                .moment(*since)
                .push(")"),
        };
    }

    fn keys(column: WorkflowStepColumn) -> &'static [&'static str] {
        match column {
            WorkflowStepColumn::WorkflowStepId => &["s.workflow_step_id"],
            WorkflowStepColumn::TaskId => &["s.task_id"],
            WorkflowStepColumn::NamedStepId => &["s.named_step_id"],
            WorkflowStepColumn::Retryable => &["s.retryable"],
            WorkflowStepColumn::RetryLimit => &["s.retry_limit IS NULL", "coalesce(s.retry_limit, 0)"],
            WorkflowStepColumn::InProcess => &["s.in_process"],
            WorkflowStepColumn::Processed => &["s.processed"],
            WorkflowStepColumn::ProcessedAt => {
                &["s.processed_at IS NULL", "coalesce(s.processed_at, '-infinity')"]
            }
            WorkflowStepColumn::Attempts => &["s.attempts IS NULL", "coalesce(s.attempts, 0)"],
            WorkflowStepColumn::LastAttemptedAt => {
                &["s.last_attempted_at IS NULL", "coalesce(s.last_attempted_at, '-infinity')"]
            }
            WorkflowStepColumn::BackoffRequestSeconds => {
                &["s.backoff_request_seconds IS NULL", "coalesce(s.backoff_request_seconds, 0)"]
            }
            WorkflowStepColumn::Skippable => &["s.skippable"],
            WorkflowStepColumn::CreatedAt => &["s.created_at"],
            WorkflowStepColumn::UpdatedAt => &["s.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<WorkflowStepRow, StorageError> {
        let id: i64 = column(row, "workflow_step_id")?;
        Ok(WorkflowStepRow {
            workflow_step_id: id.into(),
            task_id: column::<i64>(row, "task_id")?.into(),
            named_step_id: column::<i64>(row, "named_step_id")?.into(),
            name: column(row, "name")?,
            status: state(row, "status", "workflow step", id)?,
            retryable: column(row, "retryable")?,
            retry_limit: column(row, "retry_limit")?,
            in_process: column(row, "in_process")?,
            processed: column(row, "processed")?,
            processed_at: maybe_moment(row, "processed_at")?,
            attempts: column(row, "attempts")?,
            last_attempted_at: maybe_moment(row, "last_attempted_at")?,
            backoff_request_seconds: column(row, "backoff_request_seconds")?,
            inputs: json(row, "inputs")?,
            results: json(row, "results")?,
            skippable: column(row, "skippable")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

in_state!(StepState, "tasker_workflow_step_transitions", "workflow_step_id", "s.workflow_step_id");

impl SqlModel for WorkflowStepEdges {
    const COLUMNS: &'static str = "e.id, e.from_step_id, e.to_step_id, e.name, e.created_at, e.updated_at";
    const TABLE: &'static str = "tasker_workflow_step_edges AS e";
    const JOINS: &'static str = "";
    const ID: &'static str = "e.id";

    fn condition(filter: &WorkflowStepEdgeFilter, statement: &mut Statement) {
        match filter {
            WorkflowStepEdgeFilter::WithIds(ids) => statement.push(" AND e.id = ANY (").ids(ids).push(")"),
            WorkflowStepEdgeFilter::OfTasks(tasks) => statement
                .push(" AND e.to_step_id IN ")
                .push("(SELECT s.workflow_step_id FROM tasker_workflow_steps AS s WHERE s.task_id = ANY (")
                .ids(tasks)
                .push("))"),
            WorkflowStepEdgeFilter::FromSteps(steps) => {
                statement.push(" AND e.from_step_id = ANY (").ids(steps).push(")")
            }
            WorkflowStepEdgeFilter::ToSteps(steps) => {
                statement.push(" AND e.to_step_id = ANY (").ids(steps).push(")")
            }
            WorkflowStepEdgeFilter::SiblingsOf(step) => {
                siblings_of(statement.push(" AND e.to_step_id IN "), *step)
            }
            WorkflowStepEdgeFilter::ProvidesEdges => statement.push(" AND e.name = 'provides'"),
            WorkflowStepEdgeFilter::ProvidesToChildren(step) => statement
                .push(" AND e.name = 'provides' AND e.to_step_id IN ")
                .push("(SELECT c.to_step_id FROM tasker_workflow_step_edges AS c WHERE c.from_step_id = ")
                .bind(step.0)
                .push(")"),
        };
    }

    fn keys(column: WorkflowStepEdgeColumn) -> &'static [&'static str] {
        match column {
            WorkflowStepEdgeColumn::Id => &["e.id"],
            WorkflowStepEdgeColumn::FromStepId => &["e.from_step_id"],
            WorkflowStepEdgeColumn::ToStepId => &["e.to_step_id"],
            WorkflowStepEdgeColumn::Name => &["e.name COLLATE \"C\""],
            WorkflowStepEdgeColumn::CreatedAt => &["e.created_at"],
            WorkflowStepEdgeColumn::UpdatedAt => &["e.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<WorkflowStepEdgeRow, StorageError> {
        Ok(WorkflowStepEdgeRow {
            id: column::<i64>(row, "id")?.into(),
            from_step_id: column::<i64>(row, "from_step_id")?.into(),
            to_step_id: column::<i64>(row, "to_step_id")?.into(),
            name: column(row, "name")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

/// The siblings of a step: children of its first parent, other than itself, whose parents are the same as its own.
pub(super) fn siblings_of(statement: &mut Statement, step: StepId) -> &mut Statement {
    statement
        .push("(SELECT c.to_step_id FROM tasker_workflow_step_edges AS c WHERE c.from_step_id = ")
        .push("(SELECT min(p.from_step_id) FROM tasker_workflow_step_edges AS p WHERE p.to_step_id = ")
        .bind(step.0)
        .push(") AND c.to_step_id <> ")
        .bind(step.0)
        .push(" AND ARRAY (SELECT DISTINCT p.from_step_id FROM tasker_workflow_step_edges AS p ")
        .push("WHERE p.to_step_id = c.to_step_id ORDER BY 1) = ")
        .push("ARRAY (SELECT DISTINCT p.from_step_id FROM tasker_workflow_step_edges AS p WHERE p.to_step_id = ")
        .bind(step.0)
        .push(" ORDER BY 1))")
}
