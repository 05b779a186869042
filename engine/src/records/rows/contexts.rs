//! How tasks stand as a whole at a moment: the execution contexts of the reference.

use serde::Serialize;

use crate::decide::{ExecutionCounts, ExecutionStatus, HealthStatus, RecommendedAction};
use crate::records::NamedTaskId;
use crate::{TaskId, TaskRecord, TaskState, Timestamp};

/// How a task stands at the moment `now`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskExecutionContextRow {
    /// The task.
    pub task_id: TaskId,
    /// What it is a run of.
    pub named_task_id: NamedTaskId,
    /// The state of the task.
    pub status: TaskState,
    /// All steps.
    pub total_steps: i64,
    /// In the state `pending`.
    pub pending_steps: i64,
    /// In the state `in_progress`.
    pub in_progress_steps: i64,
    /// Complete or resolved.
    pub completed_steps: i64,
    /// In the state `error`.
    pub failed_steps: i64,
    /// Those that may be claimed.
    pub ready_steps: i64,
    /// How its steps stand, in one word.
    pub execution_status: ExecutionStatus,
    /// What is to be done.
    pub recommended_action: RecommendedAction,
    /// How many of a hundred steps are complete or resolved, to two decimals.
    pub completion_percentage: f64,
    /// How well it does.
    pub health_status: HealthStatus,
    /// The moment of all this.
    pub now: Timestamp,
}

/// How a task stands, under the keys of the reference's `workflow_summary`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[expect(missing_docs, reason = "each repeats a column of the context that it is made of")]
pub struct WorkflowSummary {
    pub total_steps: i64,
    pub completed: i64,
    pub pending: i64,
    pub in_progress: i64,
    pub failed: i64,
    pub ready: i64,
    pub completion_percentage: f64,
    pub status: ExecutionStatus,
    pub health: HealthStatus,
    pub recommended_action: RecommendedAction,
    pub progress_details: ProgressDetails,
}

/// The same for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProgressDetails {
    /// As `1/3`.
    pub completed_ratio: String,
    /// As `33.33%` or `100.0%`.
    pub completion_percentage: String,
    /// All that are not complete or resolved.
    pub remaining_steps: i64,
    /// Those in `error`.
    pub failed_steps: i64,
    /// Those that may be claimed.
    pub ready_steps: i64,
}

/// How soon somebody has to do something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "they are their names")]
pub enum Urgency {
    Low,
    Medium,
    High,
    Critical,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NextAction {
    /// In one word.
    pub action: RecommendedAction,
    /// In a sentence.
    pub description: String,
    /// How soon.
    pub urgency: Urgency,
    /// Whether the task goes on by that.
    pub can_proceed: bool,
}

impl TaskExecutionContextRow {
    /// How a task stands.
    pub fn of(task: &TaskRecord, named_task_id: NamedTaskId, now: Timestamp) -> Self {
        let counts = ExecutionCounts::of(task, now);
        let number = |count: usize| i64::try_from(count).expect("a count of steps");
        Self {
            task_id: task.id,
            named_task_id,
            status: task.current.state,
            total_steps: number(counts.total),
            pending_steps: number(counts.pending),
            in_progress_steps: number(counts.in_progress),
            completed_steps: number(counts.completed),
            failed_steps: number(counts.failed),
            ready_steps: number(counts.ready),
            execution_status: counts.status(),
            recommended_action: counts.status().recommended_action(),
            completion_percentage: counts.completion_percentage(),
            health_status: counts.health(),
            now,
        }
    }

    /// Whether some step may be claimed, or runs.
    pub const fn has_work_to_do(&self) -> bool {
        matches!(self.execution_status, ExecutionStatus::HasReadySteps | ExecutionStatus::Processing)
    }

    /// Whether nothing goes on because of failures.
    pub const fn is_blocked(&self) -> bool {
        matches!(self.execution_status, ExecutionStatus::BlockedByFailures)
    }

    /// Whether every step is settled.
    pub const fn is_complete(&self) -> bool {
        matches!(self.execution_status, ExecutionStatus::AllComplete)
    }

    /// Whether nothing failed.
    pub const fn is_healthy(&self) -> bool {
        matches!(self.health_status, HealthStatus::Healthy)
    }

    /// Whether an operator has to do something.
    pub const fn needs_intervention(&self) -> bool {
        matches!(self.health_status, HealthStatus::Blocked)
    }

    /// Whether some step may be claimed.
    pub const fn can_make_progress(&self) -> bool {
        self.ready_steps > 0
    }

    /// Whether it is to be looked at again later.
    pub const fn should_reenqueue(&self) -> bool {
        matches!(self.execution_status, ExecutionStatus::Processing | ExecutionStatus::WaitingForDependencies)
    }

    /// Whether it is to be looked at at once.
    pub const fn needs_immediate_action(&self) -> bool {
        matches!(self.execution_status, ExecutionStatus::HasReadySteps)
    }

    /// All of it under the keys of the reference.
    pub fn workflow_summary(&self) -> WorkflowSummary {
        WorkflowSummary {
            total_steps: self.total_steps,
            completed: self.completed_steps,
            pending: self.pending_steps,
            in_progress: self.in_progress_steps,
            failed: self.failed_steps,
            ready: self.ready_steps,
            completion_percentage: self.completion_percentage,
            status: self.execution_status,
            health: self.health_status,
            recommended_action: self.recommended_action,
            progress_details: ProgressDetails {
                completed_ratio: format!("{}/{}", self.completed_steps, self.total_steps),
                // Written with a decimal at least, and without zeros at its end.
                completion_percentage: format!("{:?}%", self.completion_percentage),
                remaining_steps: self.total_steps - self.completed_steps,
                failed_steps: self.failed_steps,
                ready_steps: self.ready_steps,
            },
        }
    }

    /// What is to be done next, in the words of the reference.
    pub fn next_action(&self) -> NextAction {
        let (description, urgency, can_proceed) = match self.recommended_action {
            RecommendedAction::ExecuteReadySteps => {
                (format!("{} steps ready for execution", self.ready_steps), Urgency::High, true)
            }
            RecommendedAction::WaitForCompletion => {
                (format!("{} steps currently processing", self.in_progress_steps), Urgency::Low, false)
            }
            RecommendedAction::HandleFailures => {
                (format!("{} failed steps blocking progress", self.failed_steps), Urgency::Critical, false)
            }
            RecommendedAction::FinalizeTask => {
                ("All steps completed successfully".to_owned(), Urgency::Medium, true)
            }
            RecommendedAction::WaitForDependencies => {
                ("Waiting for dependencies to be satisfied".to_owned(), Urgency::Low, false)
            }
        };
        NextAction { action: self.recommended_action, description, urgency, can_proceed }
    }
}
