//! Annotations, and their kinds.

use tasker_engine::records::{
    AnnotationTypeColumn, AnnotationTypeFilter, AnnotationTypeRow, AnnotationTypes, TaskAnnotationColumn,
    TaskAnnotationFilter, TaskAnnotationRow, TaskAnnotations,
};

use super::model::{Key, among, catalogued};

catalogued! {
    AnnotationTypes: AnnotationTypeRow in annotation_types,
    AnnotationTypeFilter(_store, filter) => match filter {
        AnnotationTypeFilter::WithIds(ids) => among::<Self, _>(ids, |row| row.annotation_type_id),
        AnnotationTypeFilter::Named(name) => Box::new(move |row| row.name == *name),
    },
    AnnotationTypeColumn(row, column) => match column {
        AnnotationTypeColumn::AnnotationTypeId => Key::number(row.annotation_type_id),
        AnnotationTypeColumn::Name => Key::text(&row.name),
        AnnotationTypeColumn::Description => Key::maybe(row.description.as_deref(), Key::text),
        AnnotationTypeColumn::CreatedAt => Key::moment(row.created_at),
        AnnotationTypeColumn::UpdatedAt => Key::moment(row.updated_at),
    }
}

catalogued! {
    TaskAnnotations: TaskAnnotationRow in annotations,
    TaskAnnotationFilter(_store, filter) => match filter {
        TaskAnnotationFilter::WithIds(ids) => among::<Self, _>(ids, |row| row.task_annotation_id),
        TaskAnnotationFilter::OfTasks(tasks) => among::<Self, _>(tasks, |row| row.task_id),
        TaskAnnotationFilter::OfTypes(ids) => among::<Self, _>(ids, |row| row.annotation_type_id),
    },
    TaskAnnotationColumn(row, column) => match column {
        TaskAnnotationColumn::TaskAnnotationId => Key::number(row.task_annotation_id),
        TaskAnnotationColumn::TaskId => Key::number(row.task_id),
        TaskAnnotationColumn::AnnotationTypeId => Key::number(row.annotation_type_id),
        TaskAnnotationColumn::CreatedAt => Key::moment(row.created_at),
        TaskAnnotationColumn::UpdatedAt => Key::moment(row.updated_at),
    }
}
