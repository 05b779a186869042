//! Rows of what people and programs note about tasks.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::records::{AnnotationId, AnnotationTypeId};
use crate::{TaskId, Timestamp};

/// A kind of annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AnnotationTypeRow {
    /// The kind.
    pub annotation_type_id: AnnotationTypeId,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A note about a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskAnnotationRow {
    /// The note.
    pub task_annotation_id: AnnotationId,
    /// The task.
    pub task_id: TaskId,
    /// What kind it is.
    pub annotation_type_id: AnnotationTypeId,
    /// The name of that.
    pub annotation_type_name: String,
    /// What it says; null is allowed.
    pub annotation: Arc<Value>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}
