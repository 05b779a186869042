//! Scopes of annotations.

use serde::{Deserialize, Serialize};

use super::{model, scopes};
use crate::TaskId;
use crate::records::{AnnotationId, AnnotationTypeId, AnnotationTypeRow, TaskAnnotationRow};

model! {
    /// Kinds of annotations: `tasker_annotation_types`.
    AnnotationTypes("annotation type"):
    AnnotationTypeRow by annotation_type_id: AnnotationTypeId, AnnotationTypeFilter,
    AnnotationTypeColumn {
        AnnotationTypeId = "annotation_type_id",
        Name = "name",
        Description = "description",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on kinds of annotations; the scopes of [`AnnotationTypes`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum AnnotationTypeFilter {
    WithIds(Vec<AnnotationTypeId>),
    Named(String),
}

scopes! { AnnotationTypes {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = AnnotationTypeId>) => {
        AnnotationTypeFilter::WithIds(ids.into_iter().collect())
    };
    /// The one of that name.
    named(name: impl Into<String>) => AnnotationTypeFilter::Named(name.into());
} }

model! {
    /// Notes about tasks: `tasker_task_annotations`.
    TaskAnnotations("task annotation"):
    TaskAnnotationRow by task_annotation_id: AnnotationId, TaskAnnotationFilter,
    TaskAnnotationColumn {
        TaskAnnotationId = "task_annotation_id",
        TaskId = "task_id",
        AnnotationTypeId = "annotation_type_id",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on annotations; the scopes of [`TaskAnnotations`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum TaskAnnotationFilter {
    WithIds(Vec<AnnotationId>),
    OfTasks(Vec<TaskId>),
    OfTypes(Vec<AnnotationTypeId>),
}

scopes! { TaskAnnotations {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = AnnotationId>) => {
        TaskAnnotationFilter::WithIds(ids.into_iter().collect())
    };
    /// Notes about those tasks.
    of_tasks(tasks: impl IntoIterator<Item = TaskId>) => {
        TaskAnnotationFilter::OfTasks(tasks.into_iter().collect())
    };
    /// Notes of those kinds.
    of_types(ids: impl IntoIterator<Item = AnnotationTypeId>) => {
        TaskAnnotationFilter::OfTypes(ids.into_iter().collect())
    };
} }
