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

/// How the steps of a task stand, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct StepStatistics {
    /// All of them.
    pub total_steps: usize,
    /// Complete or resolved.
    pub completed_steps: usize,
    /// In error.
    pub failed_steps: usize,
    /// All others, whatever their state.
    pub pending_steps: usize,
    /// In progress; they count as pending, too.
    pub in_progress_steps: usize,
    /// Cancelled; they count as pending, too.
    pub cancelled_steps: usize,
    /// When the last of them became complete or resolved.
    pub latest_completion_time: Option<Timestamp>,
    /// Whether every one is settled, or there is none.
    pub all_complete: bool,
}

impl StepStatistics {
    /// Of all steps of a task.
    pub fn of(steps: &[WorkflowStepRow]) -> Self {
        let count =
            |holds: &dyn Fn(StepState) -> bool| steps.iter().filter(|step| holds(step.status)).count();
        let completed_steps = count(&StepState::is_satisfied);
        let failed_steps = count(&|state| state == StepState::Error);
        let completed = steps.iter().filter(|step| step.status.is_satisfied());
        Self {
            total_steps: steps.len(),
            completed_steps,
            failed_steps,
            pending_steps: steps.len() - completed_steps - failed_steps,
            in_progress_steps: count(&|state| state == StepState::InProgress),
            cancelled_steps: count(&|state| state == StepState::Cancelled),
            latest_completion_time: completed.filter_map(|step| step.processed_at).max(),
            all_complete: steps.iter().all(|step| step.status.is_settled()),
        }
    }
}
