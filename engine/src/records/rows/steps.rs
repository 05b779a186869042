//! Rows of `tasker_workflow_steps` and `tasker_workflow_step_edges`.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::records::{EdgeId, NamedStepId};
use crate::{StepId, StepState, TaskId, Timestamp};

/// A step of a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorkflowStepRow {
    /// The step.
    pub workflow_step_id: StepId,
    /// Its task.
    pub task_id: TaskId,
    /// What it is called, and in which system.
    pub named_step_id: NamedStepId,
    /// What it is called.
    pub name: String,
    /// The state; `pending` where there is no transition.
    pub status: StepState,
    /// Whether a failed attempt may be followed by another.
    pub retryable: bool,
    /// How many attempts there may be; null means 3.
    pub retry_limit: Option<i32>,
    /// Repeats whether the state is `in_progress`.
    pub in_process: bool,
    /// Repeats whether it is complete, or resolved.
    pub processed: bool,
    /// When it became so.
    pub processed_at: Option<Timestamp>,
    /// Attempts begun; null means none.
    pub attempts: Option<i32>,
    /// When the last one began.
    pub last_attempted_at: Option<Timestamp>,
    /// The wait that was asked for, in seconds.
    pub backoff_request_seconds: Option<i32>,
    /// What its handler is given.
    pub inputs: Arc<Value>,
    /// What it yielded.
    pub results: Arc<Value>,
    /// Whether it may be passed over.
    pub skippable: bool,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// An edge: `to_step_id` waits for `from_step_id`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WorkflowStepEdgeRow {
    /// The edge.
    pub id: EdgeId,
    /// The parent.
    pub from_step_id: StepId,
    /// The child.
    pub to_step_id: StepId,
    /// What the parent is to the child: mostly [`PROVIDES`](Self::PROVIDES).
    pub name: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

impl WorkflowStepEdgeRow {
    /// The name of the edges that the engine draws.
    pub const PROVIDES: &'static str = "provides";
}
