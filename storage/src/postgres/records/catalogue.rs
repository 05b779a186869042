//! The catalogue: namespaces, workflows, names of steps, and which step stands in which workflow.

use sqlx::postgres::PgRow;
use tasker_engine::StorageError;
use tasker_engine::records::{
    NamedStepColumn, NamedStepFilter, NamedStepRow, NamedSteps, NamedTaskColumn, NamedTaskFilter,
    NamedTaskRow, NamedTasks, NamedTasksNamedStepColumn, NamedTasksNamedStepFilter, NamedTasksNamedStepRow,
    NamedTasksNamedSteps, TaskNamespaceColumn, TaskNamespaceFilter, TaskNamespaceRow, TaskNamespaces,
};

use super::super::values::column;
use super::model::SqlModel;
use super::statement::Statement;
use super::values::{json, moment};

impl SqlModel for TaskNamespaces {
    const COLUMNS: &'static str =
        "p.task_namespace_id::bigint AS task_namespace_id, p.name, p.description, p.created_at, p.updated_at";
    const TABLE: &'static str = "tasker_task_namespaces AS p";
    const JOINS: &'static str = "";
    const ID: &'static str = "p.task_namespace_id";

    fn condition(filter: &TaskNamespaceFilter, statement: &mut Statement) {
        match filter {
            TaskNamespaceFilter::WithIds(ids) => {
                statement.push(" AND p.task_namespace_id = ANY (").ids(ids).push(")")
            }
            TaskNamespaceFilter::Named(name) => statement.push(" AND p.name = ").text(name),
            TaskNamespaceFilter::Custom => statement.push(" AND p.name <> 'default'"),
        };
    }

    fn keys(column: TaskNamespaceColumn) -> &'static [&'static str] {
        match column {
            TaskNamespaceColumn::TaskNamespaceId => &["p.task_namespace_id"],
            TaskNamespaceColumn::Name => &["p.name COLLATE \"C\""],
            TaskNamespaceColumn::Description => {
                &["p.description IS NULL", "coalesce(p.description, '') COLLATE \"C\""]
            }
            TaskNamespaceColumn::CreatedAt => &["p.created_at"],
            TaskNamespaceColumn::UpdatedAt => &["p.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<TaskNamespaceRow, StorageError> {
        Ok(TaskNamespaceRow {
            task_namespace_id: column::<i64>(row, "task_namespace_id")?.into(),
            name: column(row, "name")?,
            description: column(row, "description")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

impl SqlModel for NamedTasks {
    const COLUMNS: &'static str = "n.named_task_id::bigint AS named_task_id, n.task_namespace_id, \
        p.name AS namespace_name, n.name, n.version, n.description, n.configuration, n.created_at, n.updated_at";
    const TABLE: &'static str = "tasker_named_tasks AS n";
    const JOINS: &'static str =
        " JOIN tasker_task_namespaces AS p ON p.task_namespace_id = n.task_namespace_id";
    const ID: &'static str = "n.named_task_id";

    fn condition(filter: &NamedTaskFilter, statement: &mut Statement) {
        match filter {
            NamedTaskFilter::WithIds(ids) => {
                statement.push(" AND n.named_task_id = ANY (").ids(ids).push(")")
            }
            NamedTaskFilter::OfNamespaces(ids) => {
                statement.push(" AND n.task_namespace_id = ANY (").ids(ids).push(")")
            }
            NamedTaskFilter::Named(name) => statement.push(" AND n.name = ").text(name),
            NamedTaskFilter::InNamespace(name) => statement
                .push(" AND n.task_namespace_id IN ")
                .push("(SELECT p.task_namespace_id FROM tasker_task_namespaces AS p WHERE p.name = ")
                .text(name)
                .push(")"),
            NamedTaskFilter::WithVersion(version) => statement.push(" AND n.version = ").text(version),
            NamedTaskFilter::LatestVersions => statement.push(
                " AND NOT EXISTS (SELECT FROM tasker_named_tasks AS o \
                 WHERE o.task_namespace_id = n.task_namespace_id AND o.name = n.name \
                 AND (tasker_version(o.version), o.named_task_id) > (tasker_version(n.version), n.named_task_id))",
            ),
        };
    }

    fn keys(column: NamedTaskColumn) -> &'static [&'static str] {
        match column {
            NamedTaskColumn::NamedTaskId => &["n.named_task_id"],
            NamedTaskColumn::TaskNamespaceId => &["n.task_namespace_id"],
            NamedTaskColumn::Name => &["n.name COLLATE \"C\""],
            NamedTaskColumn::Version => &["tasker_version(n.version)"],
            NamedTaskColumn::FullName => {
                &["n.task_namespace_id", "n.name COLLATE \"C\"", "tasker_version(n.version)"]
            }
            NamedTaskColumn::Description => {
                &["n.description IS NULL", "coalesce(n.description, '') COLLATE \"C\""]
            }
            NamedTaskColumn::CreatedAt => &["n.created_at"],
            NamedTaskColumn::UpdatedAt => &["n.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<NamedTaskRow, StorageError> {
        Ok(NamedTaskRow {
            named_task_id: column::<i64>(row, "named_task_id")?.into(),
            task_namespace_id: column::<i64>(row, "task_namespace_id")?.into(),
            namespace_name: column(row, "namespace_name")?,
            name: column(row, "name")?,
            version: column(row, "version")?,
            description: column(row, "description")?,
            configuration: json(row, "configuration")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

impl SqlModel for NamedSteps {
    const COLUMNS: &'static str = "n.named_step_id::bigint AS named_step_id, \
        n.dependent_system_id::bigint AS dependent_system_id, y.name AS dependent_system_name, n.name, \
        n.description, n.created_at, n.updated_at";
    const TABLE: &'static str = "tasker_named_steps AS n";
    const JOINS: &'static str =
        " JOIN tasker_dependent_systems AS y ON y.dependent_system_id = n.dependent_system_id";
    const ID: &'static str = "n.named_step_id";

    fn condition(filter: &NamedStepFilter, statement: &mut Statement) {
        match filter {
            NamedStepFilter::WithIds(ids) => {
                statement.push(" AND n.named_step_id = ANY (").ids(ids).push(")")
            }
            NamedStepFilter::OfSystems(ids) => {
                statement.push(" AND n.dependent_system_id = ANY (").ids(ids).push(")")
            }
            NamedStepFilter::Named(name) => statement.push(" AND n.name = ").text(name),
        };
    }

    fn keys(column: NamedStepColumn) -> &'static [&'static str] {
        match column {
            NamedStepColumn::NamedStepId => &["n.named_step_id"],
            NamedStepColumn::DependentSystemId => &["n.dependent_system_id"],
            NamedStepColumn::Name => &["n.name COLLATE \"C\""],
            NamedStepColumn::Description => {
                &["n.description IS NULL", "coalesce(n.description, '') COLLATE \"C\""]
            }
            NamedStepColumn::CreatedAt => &["n.created_at"],
            NamedStepColumn::UpdatedAt => &["n.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<NamedStepRow, StorageError> {
        Ok(NamedStepRow {
            named_step_id: column::<i64>(row, "named_step_id")?.into(),
            dependent_system_id: column::<i64>(row, "dependent_system_id")?.into(),
            dependent_system_name: column(row, "dependent_system_name")?,
            name: column(row, "name")?,
            description: column(row, "description")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

impl SqlModel for NamedTasksNamedSteps {
    const COLUMNS: &'static str = "l.id::bigint AS id, l.named_task_id::bigint AS named_task_id, n.name AS task_name, \
        l.named_step_id::bigint AS named_step_id, s.name AS step_name, l.skippable, l.default_retryable, \
        l.default_retry_limit, l.created_at, l.updated_at";
    const TABLE: &'static str = "tasker_named_tasks_named_steps AS l";
    const JOINS: &'static str = " JOIN tasker_named_tasks AS n ON n.named_task_id = l.named_task_id \
        JOIN tasker_named_steps AS s ON s.named_step_id = l.named_step_id";
    const ID: &'static str = "l.id";

    fn condition(filter: &NamedTasksNamedStepFilter, statement: &mut Statement) {
        match filter {
            NamedTasksNamedStepFilter::WithIds(ids) => statement.push(" AND l.id = ANY (").ids(ids).push(")"),
            NamedTasksNamedStepFilter::OfNamedTasks(ids) => {
                statement.push(" AND l.named_task_id = ANY (").ids(ids).push(")")
            }
            NamedTasksNamedStepFilter::OfNamedSteps(ids) => {
                statement.push(" AND l.named_step_id = ANY (").ids(ids).push(")")
            }
        };
    }

    fn keys(column: NamedTasksNamedStepColumn) -> &'static [&'static str] {
        match column {
            NamedTasksNamedStepColumn::Id => &["l.id"],
            NamedTasksNamedStepColumn::NamedTaskId => &["l.named_task_id"],
            NamedTasksNamedStepColumn::NamedStepId => &["l.named_step_id"],
            NamedTasksNamedStepColumn::Skippable => &["l.skippable"],
            NamedTasksNamedStepColumn::DefaultRetryable => &["l.default_retryable"],
            NamedTasksNamedStepColumn::DefaultRetryLimit => &["l.default_retry_limit"],
            NamedTasksNamedStepColumn::CreatedAt => &["l.created_at"],
            NamedTasksNamedStepColumn::UpdatedAt => &["l.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<NamedTasksNamedStepRow, StorageError> {
        Ok(NamedTasksNamedStepRow {
            id: column::<i64>(row, "id")?.into(),
            named_task_id: column::<i64>(row, "named_task_id")?.into(),
            task_name: column(row, "task_name")?,
            named_step_id: column::<i64>(row, "named_step_id")?.into(),
            step_name: column(row, "step_name")?,
            skippable: column(row, "skippable")?,
            default_retryable: column(row, "default_retryable")?,
            default_retry_limit: column(row, "default_retry_limit")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}
