//! Tasks.

use sqlx::postgres::PgRow;
use tasker_engine::records::{TaskColumn, TaskFilter, TaskRow, Tasks};
use tasker_engine::{StorageError, TaskState};

use super::super::values::column;
use super::model::SqlModel;
use super::statement::Statement;
use super::values::{json, moment, state};

impl SqlModel for Tasks {
    const COLUMNS: &'static str = "t.task_id, t.named_task_id::bigint AS named_task_id, n.name, \
        p.name AS namespace_name, n.version, coalesce(c.to_state, 'pending') AS status, t.complete, t.requested_at, \
        t.initiator, t.source_system, t.reason, coalesce(t.bypass_steps, '[]')::jsonb AS bypass_steps, \
        coalesce(t.tags, '[]') AS tags, t.context, t.identity_hash, t.created_at, t.updated_at";
    const TABLE: &'static str = "tasker_tasks AS t";
    const JOINS: &'static str = " JOIN tasker_named_tasks AS n ON n.named_task_id = t.named_task_id \
        JOIN tasker_task_namespaces AS p ON p.task_namespace_id = n.task_namespace_id \
        LEFT JOIN tasker_task_transitions AS c ON c.task_id = t.task_id AND c.most_recent";
    const ID: &'static str = "t.task_id";

    fn condition(filter: &TaskFilter, statement: &mut Statement) {
        match filter {
            TaskFilter::WithIds(ids) => statement.push(" AND t.task_id = ANY (").ids(ids).push(")"),
            TaskFilter::WithIdentityHash(hash) => statement.push(" AND t.identity_hash = ").text(hash),
            TaskFilter::OfNamedTasks(ids) => statement.push(" AND t.named_task_id = ANY (").ids(ids).push(")"),
            TaskFilter::ByAnnotation { name, key, value } => statement
                .push(" AND EXISTS (SELECT FROM tasker_task_annotations AS a ")
                .push("JOIN tasker_annotation_types AS y ON y.annotation_type_id = a.annotation_type_id ")
                .push("WHERE a.task_id = t.task_id AND y.name = ")
                .text(name.trim())
                .push(" AND a.annotation ->> ")
                .text(&TaskFilter::annotation_key(key))
                .push(" = ")
                .text(value)
                .push(")"),
            TaskFilter::ByCurrentState(state) => statement.push(in_state(*state)),
            TaskFilter::CreatedSince(since) => statement.push(" AND t.created_at > ").moment(*since),
            TaskFilter::CompletedSince(since) => statement
                .push(" AND t.task_id IN (SELECT s.task_id FROM tasker_workflow_step_transitions AS c ")
                .push("JOIN tasker_workflow_steps AS s ON s.workflow_step_id = c.workflow_step_id ")
                .push("WHERE c.most_recent AND c.to_state = 'complete' AND c.created_at > ")
                .moment(*since)
                .push(")"),
            TaskFilter::FailedSince(since) => statement
                .push(" AND EXISTS (SELECT FROM tasker_task_transitions AS c ")
                .push("WHERE c.task_id = t.task_id AND c.most_recent AND c.to_state = 'error' AND c.created_at > ")
                .moment(*since)
                .push(")"),
            TaskFilter::Active => statement.push(
                " AND NOT EXISTS (SELECT FROM tasker_task_transitions AS c WHERE c.task_id = t.task_id \
                 AND c.most_recent AND c.to_state IN ('complete', 'error', 'cancelled', 'resolved_manually'))",
            ),
            TaskFilter::InNamespace(name) => statement
                .push(" AND t.named_task_id IN (SELECT n.named_task_id FROM tasker_named_tasks AS n ")
                .push("JOIN tasker_task_namespaces AS p ON p.task_namespace_id = n.task_namespace_id ")
                .push("WHERE p.name = ")
                .text(name)
                .push(")"),
            TaskFilter::WithTaskName(name) => statement
                .push(" AND t.named_task_id IN (SELECT n.named_task_id FROM tasker_named_tasks AS n WHERE n.name = ")
                .text(name)
                .push(")"),
            TaskFilter::WithVersion(version) => statement
                .push(" AND t.named_task_id IN ")
                .push("(SELECT n.named_task_id FROM tasker_named_tasks AS n WHERE n.version = ")
                .text(version)
                .push(")"),
        };
    }

    fn keys(column: TaskColumn) -> &'static [&'static str] {
        match column {
            TaskColumn::TaskId => &["t.task_id"],
            TaskColumn::NamedTaskId => &["t.named_task_id"],
            TaskColumn::Complete => &["t.complete"],
            TaskColumn::RequestedAt => &["t.requested_at"],
            TaskColumn::Initiator => &["t.initiator IS NULL", "coalesce(t.initiator, '') COLLATE \"C\""],
            TaskColumn::SourceSystem => {
                &["t.source_system IS NULL", "coalesce(t.source_system, '') COLLATE \"C\""]
            }
            TaskColumn::Reason => &["t.reason IS NULL", "coalesce(t.reason, '') COLLATE \"C\""],
            TaskColumn::IdentityHash => &["t.identity_hash COLLATE \"C\""],
            TaskColumn::CreatedAt => &["t.created_at"],
            TaskColumn::UpdatedAt => &["t.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<TaskRow, StorageError> {
        let id: i64 = column(row, "task_id")?;
        Ok(TaskRow {
            task_id: id.into(),
            named_task_id: column::<i64>(row, "named_task_id")?.into(),
            name: column(row, "name")?,
            namespace_name: column(row, "namespace_name")?,
            version: column(row, "version")?,
            status: state(row, "status", "task", id)?,
            complete: column(row, "complete")?,
            requested_at: moment(row, "requested_at")?,
            initiator: column(row, "initiator")?,
            source_system: column(row, "source_system")?,
            reason: column(row, "reason")?,
            bypass_steps: json(row, "bypass_steps")?,
            tags: json(row, "tags")?,
            context: json(row, "context")?,
            identity_hash: column(row, "identity_hash")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

in_state!(TaskState, "tasker_task_transitions", "task_id", "t.task_id");
