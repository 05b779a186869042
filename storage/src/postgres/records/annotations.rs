//! Annotations, and their kinds.

use sqlx::postgres::PgRow;
use tasker_engine::StorageError;
use tasker_engine::records::{
    AnnotationTypeColumn, AnnotationTypeFilter, AnnotationTypeRow, AnnotationTypes, TaskAnnotationColumn,
    TaskAnnotationFilter, TaskAnnotationRow, TaskAnnotations,
};

use super::super::values::column;
use super::model::SqlModel;
use super::statement::Statement;
use super::values::{json, moment};

impl SqlModel for AnnotationTypes {
    const COLUMNS: &'static str = "y.annotation_type_id::bigint AS annotation_type_id, y.name, y.description, y.created_at, y.updated_at";
    const TABLE: &'static str = "tasker_annotation_types AS y";
    const JOINS: &'static str = "";
    const ID: &'static str = "y.annotation_type_id";

    fn condition(filter: &AnnotationTypeFilter, statement: &mut Statement) {
        match filter {
            AnnotationTypeFilter::WithIds(ids) => {
                statement.push(" AND y.annotation_type_id = ANY (").ids(ids).push(")")
            }
            AnnotationTypeFilter::Named(name) => statement.push(" AND y.name = ").text(name),
        };
    }

    fn keys(column: AnnotationTypeColumn) -> &'static [&'static str] {
        match column {
            AnnotationTypeColumn::AnnotationTypeId => &["y.annotation_type_id"],
            AnnotationTypeColumn::Name => &["y.name COLLATE \"C\""],
            AnnotationTypeColumn::Description => {
                &["y.description IS NULL", "coalesce(y.description, '') COLLATE \"C\""]
            }
            AnnotationTypeColumn::CreatedAt => &["y.created_at"],
            AnnotationTypeColumn::UpdatedAt => &["y.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<AnnotationTypeRow, StorageError> {
        Ok(AnnotationTypeRow {
            annotation_type_id: column::<i64>(row, "annotation_type_id")?.into(),
            name: column(row, "name")?,
            description: column(row, "description")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

impl SqlModel for TaskAnnotations {
    const COLUMNS: &'static str = "a.task_annotation_id, a.task_id, \
        a.annotation_type_id::bigint AS annotation_type_id, y.name AS annotation_type_name, a.annotation, \
        a.created_at, a.updated_at";
    const TABLE: &'static str = "tasker_task_annotations AS a";
    const JOINS: &'static str =
        " JOIN tasker_annotation_types AS y ON y.annotation_type_id = a.annotation_type_id";
    const ID: &'static str = "a.task_annotation_id";

    fn condition(filter: &TaskAnnotationFilter, statement: &mut Statement) {
        match filter {
            TaskAnnotationFilter::WithIds(ids) => {
                statement.push(" AND a.task_annotation_id = ANY (").ids(ids).push(")")
            }
            TaskAnnotationFilter::OfTasks(tasks) => {
                statement.push(" AND a.task_id = ANY (").ids(tasks).push(")")
            }
            TaskAnnotationFilter::OfTypes(ids) => {
                statement.push(" AND a.annotation_type_id = ANY (").ids(ids).push(")")
            }
        };
    }

    fn keys(column: TaskAnnotationColumn) -> &'static [&'static str] {
        match column {
            TaskAnnotationColumn::TaskAnnotationId => &["a.task_annotation_id"],
            TaskAnnotationColumn::TaskId => &["a.task_id"],
            TaskAnnotationColumn::AnnotationTypeId => &["a.annotation_type_id"],
            TaskAnnotationColumn::CreatedAt => &["a.created_at"],
            TaskAnnotationColumn::UpdatedAt => &["a.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<TaskAnnotationRow, StorageError> {
        Ok(TaskAnnotationRow {
            task_annotation_id: column::<i64>(row, "task_annotation_id")?.into(),
            task_id: column::<i64>(row, "task_id")?.into(),
            annotation_type_id: column::<i64>(row, "annotation_type_id")?.into(),
            annotation_type_name: column(row, "annotation_type_name")?,
            annotation: json(row, "annotation")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}
