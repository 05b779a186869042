//! Rows of the audit trail.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::{StepId, StepState, TaskId, TaskState, Timestamp, TransitionId};

/// A move of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskTransitionRow {
    /// The row.
    pub id: TransitionId,
    /// The task.
    pub task_id: TaskId,
    /// The state after.
    pub to_state: TaskState,
    /// The state before; null in rows of the reference.
    pub from_state: Option<TaskState>,
    /// What the move says about itself.
    pub metadata: Arc<Value>,
    /// Ascending within one task.
    pub sort_key: i32,
    /// Whether it is the current one.
    pub most_recent: bool,
    /// When the move was made.
    pub created_at: Timestamp,
    /// When the row was changed last: when the next move was made, if there was one.
    pub updated_at: Timestamp,
}

/// A move of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkflowStepTransitionRow {
    /// The row.
    pub id: TransitionId,
    /// The step.
    pub workflow_step_id: StepId,
    /// What that is called.
    pub step_name: String,
    /// Its task.
    pub task_id: TaskId,
    /// The state after.
    pub to_state: StepState,
    /// The state before; null in rows of the reference.
    pub from_state: Option<StepState>,
    /// What the move says about itself.
    pub metadata: Arc<Value>,
    /// Ascending within one step.
    pub sort_key: i32,
    /// Whether it is the current one.
    pub most_recent: bool,
    /// When the move was made.
    pub created_at: Timestamp,
    /// When the row was changed last: when the next move was made, if there was one.
    pub updated_at: Timestamp,
}
