//! Read models: questions about how steps, tasks and the whole storage stand at a moment.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::{
    AnalyticsMetricsRow, DependencyLevels, RecordError, SlowestStepRow, SlowestTaskRow, StepReadinessRow,
    SystemHealthCountsRow, TaskDurationsRow, TaskExecutionContextRow,
};
use crate::{StepId, TaskId, Timestamp};

/// The function-backed read models of the reference.
///
/// # Contract
///
/// - What depends on time takes it: the same rows at the same `now` give the same answer.
/// - Each is one statement on a database, and sees one moment.
/// - Questions about tasks cost what those tasks cost, however many others there are. Those about the whole storage read
///   all of it, so none of them belongs on the path of a task.
#[async_trait]
pub trait Read: Send + Sync {
    /// How the steps of a task stand, or those of them that are given; ascending. Empty for an unknown task.
    async fn step_readiness(
        &self,
        task: TaskId,
        steps: Option<&[StepId]>,
        now: Timestamp,
    ) -> Result<Vec<StepReadinessRow>, RecordError>;

    /// How the steps of many tasks stand; ascending by task and step, each once however often its task is named.
    async fn step_readiness_of_tasks(
        &self,
        tasks: &[TaskId],
        now: Timestamp,
    ) -> Result<Vec<StepReadinessRow>, RecordError>;

    /// How tasks stand as a whole: one row for each of them that there is, ascending.
    async fn task_execution_contexts(
        &self,
        tasks: &[TaskId],
        now: Timestamp,
    ) -> Result<Vec<TaskExecutionContextRow>, RecordError>;

    /// How a task stands as a whole.
    ///
    /// # Errors
    /// [`RecordError::NotFound`] when there is no such task.
    async fn task_execution_context(
        &self,
        task: TaskId,
        now: Timestamp,
    ) -> Result<TaskExecutionContextRow, RecordError> {
        let found = self.task_execution_contexts(&[task], now).await?;
        found.into_iter().next().ok_or(RecordError::NotFound { what: "task", id: task.0 })
    }

    /// The level of each step of a task. Empty for an unknown task; steps that only wait for steps of other tasks, as old
    /// data may have them, are left out.
    ///
    /// # Errors
    /// When the steps wait for each other in a circle, as only other programs can write them.
    async fn dependency_levels(&self, task: TaskId) -> Result<DependencyLevels, RecordError>;

    /// What went on in a period, by one of two ways to count.
    async fn analytics_metrics(
        &self,
        counted: Counted,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<AnalyticsMetricsRow, RecordError>;

    /// How all tasks and steps stand, counted.
    async fn system_health_counts(&self, now: Timestamp) -> Result<SystemHealthCountsRow, RecordError>;

    /// Completed steps, the slowest first: by the time from their creation to their completion. Those that took no time
    /// at all are left out.
    async fn slowest_steps(&self, of: &Period, now: Timestamp) -> Result<Vec<SlowestStepRow>, RecordError>;

    /// Tasks in which some step completed or failed, the slowest first: by the time from their creation to the last such
    /// moment.
    async fn slowest_tasks(&self, of: &Period, now: Timestamp) -> Result<Vec<SlowestTaskRow>, RecordError>;

    /// How long complete tasks took, from their creation to their completion: percentiles and ranges, computed. The
    /// limit does not count.
    async fn task_durations(&self, of: &Period, now: Timestamp) -> Result<TaskDurationsRow, RecordError>;
}

/// Two ways to count tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Counted {
    /// As the reference does: a task that has a completed step counts as completed, one that has a failed step as failed,
    /// and it may be both (`get_analytics_metrics_v01`).
    ByStep,
    /// By the state of the task (`get_analytics_metrics_v02`).
    ByTask,
}

/// Of which steps or tasks the slowest are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Period {
    /// Created after that moment; in the last day when `None`.
    pub since: Option<Timestamp>,
    /// How many at most.
    pub limit: u32,
    /// Only in that namespace.
    pub namespace: Option<String>,
    /// Only of workflows of that name.
    pub task_name: Option<String>,
    /// Only of workflows of that version.
    pub version: Option<String>,
}

impl Default for Period {
    /// The last day, everywhere; ten.
    fn default() -> Self {
        Self { since: None, limit: 10, namespace: None, task_name: None, version: None }
    }
}
