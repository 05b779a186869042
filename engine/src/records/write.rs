//! What can be written beside what the engine writes.

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    AnnotationId, AnnotationTypeRow, Deletion, DependentSystemObjectMapRow, DependentSystemRow, Kept,
    NamedStepRow, NamedTaskId, NamedTaskRow, NamedTasksNamedStepRow, NewAnnotation, NewEdge, NewNamed,
    NewNamedStep, NewNamedTask, NewNamedTasksNamedStep, NewObjectMap, RecordError, StepChange,
    TaskAnnotationRow, TaskChange, TaskNamespaceRow, TaskRow, WorkflowStepEdgeRow, WorkflowStepRow,
};
use crate::{StepId, TaskId, Timestamp};

/// Writes rows of the tables that no wave moves, and the few columns of tasks and steps that people may change.
///
/// # Contract
///
/// - What is to be written is checked first, and all that is wrong is told at once; then nothing was written.
/// - `find_or_create_…` writes one row however many ask for it at a time, and tells all of them the same. A row that is
///   there stays as it is.
/// - Each is one transaction.
#[async_trait]
pub trait Write: Send + Sync {
    /// The namespace of that name.
    async fn find_or_create_task_namespace(
        &self,
        new: &NewNamed,
        now: Timestamp,
    ) -> Result<Kept<TaskNamespaceRow>, RecordError>;

    /// The workflow of that name and version, in a namespace that is found or written with it.
    async fn find_or_create_named_task(
        &self,
        new: &NewNamedTask,
        now: Timestamp,
    ) -> Result<Kept<NamedTaskRow>, RecordError>;

    /// Merges changes into the configuration of a workflow, all the way down. See [`merged`](super::merged).
    async fn update_config(
        &self,
        named_task: NamedTaskId,
        changes: &Map<String, Value>,
        now: Timestamp,
    ) -> Result<NamedTaskRow, RecordError>;

    /// The system of that name.
    async fn find_or_create_dependent_system(
        &self,
        new: &NewNamed,
        now: Timestamp,
    ) -> Result<Kept<DependentSystemRow>, RecordError>;

    /// The names of those steps, in the order asked for, in systems that are found or written with them.
    async fn find_or_create_named_steps(
        &self,
        new: &[NewNamedStep],
        now: Timestamp,
    ) -> Result<Vec<NamedStepRow>, RecordError>;

    /// The place of that step in that workflow.
    async fn find_or_create_named_tasks_named_step(
        &self,
        new: &NewNamedTasksNamedStep,
        now: Timestamp,
    ) -> Result<Kept<NamedTasksNamedStepRow>, RecordError>;

    /// The map of that thing, whichever way round it is given, between systems that are found or written with it.
    async fn find_or_create_object_map(
        &self,
        new: &NewObjectMap,
        now: Timestamp,
    ) -> Result<Kept<DependentSystemObjectMapRow>, RecordError>;

    /// The kind of annotations of that name.
    async fn find_or_create_annotation_type(
        &self,
        new: &NewNamed,
        now: Timestamp,
    ) -> Result<Kept<AnnotationTypeRow>, RecordError>;

    /// A note about a task, of a kind that is found or written with it. Two notes may say the same.
    async fn annotate(&self, new: &NewAnnotation, now: Timestamp) -> Result<TaskAnnotationRow, RecordError>;

    /// What an annotation says from now on.
    async fn update_annotation(
        &self,
        annotation: AnnotationId,
        says: &Value,
        now: Timestamp,
    ) -> Result<TaskAnnotationRow, RecordError>;

    /// An edge between two steps of one task, judged and drawn under the lock of the task: see
    /// [`judge_edge`](super::judge_edge). Edges are never changed afterwards, so none can be moved into a circle.
    async fn create_edge(
        &self,
        new: &NewEdge,
        now: Timestamp,
    ) -> Result<Kept<WorkflowStepEdgeRow>, RecordError>;

    /// Changes what people may change of a task, in any state. Its identity stays.
    async fn update_task(
        &self,
        task: TaskId,
        change: &TaskChange,
        now: Timestamp,
    ) -> Result<TaskRow, RecordError>;

    /// Changes what people may change of a step that is pending or in error, and has its task looked at: with more
    /// attempts it may be able to run again. An engine that remembers the task goes on with the inputs that it knows.
    async fn update_step(
        &self,
        step: StepId,
        change: &StepChange,
        now: Timestamp,
    ) -> Result<WorkflowStepRow, RecordError>;

    /// Removes a row that nothing needs; [`RecordError::InUse`] where something does.
    async fn delete(&self, row: Deletion) -> Result<(), RecordError>;
}
