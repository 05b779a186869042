//! What goes on in the whole storage.

use serde::Serialize;

use crate::{StepId, StepState, TaskId, Timestamp};

/// What went on in a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AnalyticsMetricsRow {
    /// Tasks that are under way, whenever they were created.
    pub active_tasks_count: i64,
    /// Namespaces that have a task.
    pub total_namespaces_count: i64,
    /// Names of workflows that have a task.
    pub unique_task_types_count: i64,
    /// Of the tasks created in the last hour that completed or failed, the share that completed; 1 when there is none.
    pub system_health_score: f64,
    /// Tasks created in the period.
    pub task_throughput: i64,
    /// Those of them that completed.
    pub completion_count: i64,
    /// Those of them that failed.
    pub error_count: i64,
    /// Of a hundred, to two decimals.
    pub completion_rate: f64,
    /// Of a hundred, to two decimals.
    pub error_rate: f64,
    /// Seconds, to three decimals.
    pub avg_task_duration: f64,
    /// Seconds, to three decimals.
    pub avg_step_duration: f64,
    /// Steps of the tasks created in the period.
    pub step_throughput: i64,
    /// When the period began: an hour ago unless another moment was given.
    pub analysis_period_start: Timestamp,
    /// When it ended: `now`.
    pub calculated_at: Timestamp,
}

/// How all tasks and steps stand, counted. What was resolved by hand has no count of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct SystemHealthCountsRow {
    /// All tasks.
    pub total_tasks: i64,
    /// Those without a transition are pending.
    pub pending_tasks: i64,
    /// In progress.
    pub in_progress_tasks: i64,
    /// Complete.
    pub complete_tasks: i64,
    /// In error.
    pub error_tasks: i64,
    /// Cancelled.
    pub cancelled_tasks: i64,
    /// All steps.
    pub total_steps: i64,
    /// Those without a transition are pending.
    pub pending_steps: i64,
    /// In progress.
    pub in_progress_steps: i64,
    /// Complete.
    pub complete_steps: i64,
    /// In error.
    pub error_steps: i64,
    /// In error, and may be tried again.
    pub retryable_error_steps: i64,
    /// In error, without an attempt left.
    pub exhausted_retry_steps: i64,
    /// In error, may be tried again, and not yet.
    pub in_backoff_steps: i64,
    /// Connections to the database that are busy; `None` where there is no database.
    pub active_connections: Option<i64>,
    /// Connections that its server allows; `None` where there is no database.
    pub max_connections: Option<i64>,
}

/// A step that took long.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlowestStepRow {
    /// The step.
    pub workflow_step_id: StepId,
    /// Its task.
    pub task_id: TaskId,
    /// Its name.
    pub step_name: String,
    /// The workflow.
    pub task_name: String,
    /// The namespace of that.
    pub namespace_name: String,
    /// The version of that.
    pub version: String,
    /// From its creation to its completion, in seconds, to three decimals.
    pub duration_seconds: f64,
    /// Attempts begun; 0 where the database holds null.
    pub attempts: i32,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it completed.
    pub completed_at: Timestamp,
    /// Whether a failed attempt could be followed by another.
    pub retryable: bool,
    /// The state: `complete`.
    pub step_status: StepState,
}

/// A task that took long.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SlowestTaskRow {
    /// The task.
    pub task_id: TaskId,
    /// The workflow.
    pub task_name: String,
    /// The namespace of that.
    pub namespace_name: String,
    /// The version of that.
    pub version: String,
    /// From its creation to the last completion or failure of a step, in seconds, to three decimals.
    pub duration_seconds: f64,
    /// All its steps.
    pub step_count: i64,
    /// Those that are complete.
    pub completed_steps: i64,
    /// Those in error.
    pub error_steps: i64,
    /// When it was written.
    pub created_at: Timestamp,
    /// When a step completed or failed last.
    pub completed_at: Timestamp,
    /// Who asked for it.
    pub initiator: Option<String>,
    /// From where.
    pub source_system: Option<String>,
}

/// How long complete tasks took, in seconds. All is 0 where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct TaskDurationsRow {
    /// How many there are.
    pub completed: i64,
    /// Half of them took no longer; between two, in proportion. To three decimals, as those below.
    pub p50: f64,
    /// Nineteen of twenty took no longer.
    pub p95: f64,
    /// Ninety-nine of a hundred took no longer.
    pub p99: f64,
    /// Those that took less than ten seconds.
    pub under_10s: i64,
    /// Those that took ten seconds or more, and less than thirty.
    pub from_10s_to_30s: i64,
    /// Those that took thirty seconds or more.
    pub over_30s: i64,
}

/// Seconds with three decimals out of microseconds, halves away from zero.
pub fn milliseconds(micros: f64) -> f64 {
    (micros / 1000.0).round() / 1000.0
}
