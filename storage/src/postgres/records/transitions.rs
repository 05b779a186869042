//! The audit trail.

use serde_json::Value;
use sqlx::postgres::PgRow;
use tasker_engine::StorageError;
use tasker_engine::records::{
    TaskTransitionColumn, TaskTransitionFilter, TaskTransitionRow, TaskTransitions,
    WorkflowStepTransitionColumn, WorkflowStepTransitionFilter, WorkflowStepTransitionRow,
    WorkflowStepTransitions, alike,
};

use super::super::values::{Jsonb, column};
use super::model::SqlModel;
use super::statement::Statement;
use super::values::{json, maybe_state, moment, state};

impl SqlModel for TaskTransitions {
    const COLUMNS: &'static str = "c.id, c.task_id, c.to_state, c.from_state, \
        coalesce(c.metadata, '{}') AS metadata, c.sort_key, c.most_recent, c.created_at, c.updated_at";
    const TABLE: &'static str = "tasker_task_transitions AS c";
    const JOINS: &'static str = "";
    const ID: &'static str = "c.id";

    fn condition(filter: &TaskTransitionFilter, statement: &mut Statement) {
        match filter {
            TaskTransitionFilter::WithIds(ids) => statement.push(" AND c.id = ANY (").ids(ids).push(")"),
            TaskTransitionFilter::OfTasks(tasks) => {
                statement.push(" AND c.task_id = ANY (").ids(tasks).push(")")
            }
            TaskTransitionFilter::MostRecent => statement.push(" AND c.most_recent"),
            TaskTransitionFilter::ToState(state) => statement.push(" AND c.to_state = ").bind(state.as_str()),
            TaskTransitionFilter::WithMetadataKey(key) => metadata_key(statement, key),
            TaskTransitionFilter::WithMetadataValue { key, value } => metadata_value(statement, key, value),
            TaskTransitionFilter::InTimeRange { from, to } => {
                statement.push(" AND c.created_at BETWEEN ").moment(*from).push(" AND ").moment(*to)
            }
        };
    }

    fn keys(column: TaskTransitionColumn) -> &'static [&'static str] {
        match column {
            TaskTransitionColumn::Id => &["c.id"],
            TaskTransitionColumn::ToState => &["c.to_state COLLATE \"C\""],
            TaskTransitionColumn::FromState => {
                &["c.from_state IS NULL", "coalesce(c.from_state, '') COLLATE \"C\""]
            }
            TaskTransitionColumn::SortKey => &["c.sort_key"],
            TaskTransitionColumn::MostRecent => &["c.most_recent"],
            TaskTransitionColumn::TaskId => &["c.task_id"],
            TaskTransitionColumn::CreatedAt => &["c.created_at"],
            TaskTransitionColumn::UpdatedAt => &["c.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<TaskTransitionRow, StorageError> {
        let id: i64 = column(row, "id")?;
        Ok(TaskTransitionRow {
            id: id.into(),
            task_id: column::<i64>(row, "task_id")?.into(),
            to_state: state(row, "to_state", "task transition", id)?,
            from_state: maybe_state(row, "from_state", "task transition", id)?,
            metadata: json(row, "metadata")?,
            sort_key: column(row, "sort_key")?,
            most_recent: column(row, "most_recent")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

impl SqlModel for WorkflowStepTransitions {
    const COLUMNS: &'static str = "c.id, c.workflow_step_id, n.name AS step_name, s.task_id, c.to_state, c.from_state, \
        coalesce(c.metadata, '{}') AS metadata, c.sort_key, c.most_recent, c.created_at, c.updated_at";
    const TABLE: &'static str = "tasker_workflow_step_transitions AS c";
    const JOINS: &'static str = " JOIN tasker_workflow_steps AS s ON s.workflow_step_id = c.workflow_step_id \
        JOIN tasker_named_steps AS n ON n.named_step_id = s.named_step_id";
    const ID: &'static str = "c.id";

    fn condition(filter: &WorkflowStepTransitionFilter, statement: &mut Statement) {
        match filter {
            WorkflowStepTransitionFilter::WithIds(ids) => {
                statement.push(" AND c.id = ANY (").ids(ids).push(")")
            }
            WorkflowStepTransitionFilter::OfSteps(steps) => {
                statement.push(" AND c.workflow_step_id = ANY (").ids(steps).push(")")
            }
            WorkflowStepTransitionFilter::OfTasks(tasks) => statement
                .push(" AND c.workflow_step_id IN ")
                .push("(SELECT s.workflow_step_id FROM tasker_workflow_steps AS s WHERE s.task_id = ANY (")
                .ids(tasks)
                .push("))"),
            WorkflowStepTransitionFilter::MostRecent => statement.push(" AND c.most_recent"),
            WorkflowStepTransitionFilter::ToState(state) => {
                statement.push(" AND c.to_state = ").bind(state.as_str())
            }
            WorkflowStepTransitionFilter::WithMetadataKey(key) => metadata_key(statement, key),
            WorkflowStepTransitionFilter::WithMetadataValue { key, value } => {
                metadata_value(statement, key, value)
            }
            WorkflowStepTransitionFilter::InTimeRange { from, to } => statement
                .push(" AND c.created_at BETWEEN ")
                .moment(*from)
                .push(" AND ")
                .moment(*to),
            WorkflowStepTransitionFilter::RetryTransitions => statement.push(
                " AND c.to_state = 'pending' AND EXISTS (SELECT FROM tasker_workflow_step_transitions AS f \
                 WHERE f.workflow_step_id = c.workflow_step_id AND f.sort_key < c.sort_key AND f.to_state = 'error')",
            ),
        };
    }

    fn keys(column: WorkflowStepTransitionColumn) -> &'static [&'static str] {
        match column {
            WorkflowStepTransitionColumn::Id => &["c.id"],
            WorkflowStepTransitionColumn::ToState => &["c.to_state COLLATE \"C\""],
            WorkflowStepTransitionColumn::FromState => {
                &["c.from_state IS NULL", "coalesce(c.from_state, '') COLLATE \"C\""]
            }
            WorkflowStepTransitionColumn::SortKey => &["c.sort_key"],
            WorkflowStepTransitionColumn::MostRecent => &["c.most_recent"],
            WorkflowStepTransitionColumn::WorkflowStepId => &["c.workflow_step_id"],
            WorkflowStepTransitionColumn::CreatedAt => &["c.created_at"],
            WorkflowStepTransitionColumn::UpdatedAt => &["c.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<WorkflowStepTransitionRow, StorageError> {
        let id: i64 = column(row, "id")?;
        Ok(WorkflowStepTransitionRow {
            id: id.into(),
            workflow_step_id: column::<i64>(row, "workflow_step_id")?.into(),
            step_name: column(row, "step_name")?,
            task_id: column::<i64>(row, "task_id")?.into(),
            to_state: state(row, "to_state", "workflow step transition", id)?,
            from_state: maybe_state(row, "from_state", "workflow step transition", id)?,
            metadata: json(row, "metadata")?,
            sort_key: column(row, "sort_key")?,
            most_recent: column(row, "most_recent")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

fn metadata_key<'s>(statement: &'s mut Statement, key: &str) -> &'s mut Statement {
    statement.push(" AND c.metadata -> ").text(key).push(" IS NOT NULL")
}

fn metadata_value<'s>(statement: &'s mut Statement, key: &str, value: &Value) -> &'s mut Statement {
    let values: Vec<Jsonb> = alike(value).into_iter().map(Jsonb::from).collect();
    statement.push(" AND c.metadata -> ").text(key).push(" = ANY (").bind(values).push(")")
}
