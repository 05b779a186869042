//! Read models: the database answers by its own functions, whose settings come with them.

use async_trait::async_trait;
use tasker_engine::records::{
    AnalyticsMetricsRow, Counted, DependencyLevels, Period, Read, RecordError, SlowestStepRow,
    SlowestTaskRow, StepReadinessRow, SystemHealthCountsRow, TaskDurationsRow, TaskExecutionContextRow,
};
use tasker_engine::{StepId, TaskId, Timestamp};

use super::super::PostgresStorage;
use super::super::error::storage_error;
use super::super::values::{Moment, integer};
use super::rows;
use super::statement::within_reach;

#[async_trait]
impl Read for PostgresStorage {
    async fn step_readiness(
        &self,
        task: TaskId,
        steps: Option<&[StepId]>,
        now: Timestamp,
    ) -> Result<Vec<StepReadinessRow>, RecordError> {
        let steps: Option<Vec<i64>> = steps.map(|steps| steps.iter().map(|step| step.0).collect());
        let rows = rows::step_readiness(&self.pool, task.0, steps.as_deref(), moment(now)).await;
        let rows = rows.map_err(storage_error)?;
        Ok(rows.into_iter().map(|row| row.told(now)).collect::<Result<_, _>>()?)
    }

    async fn step_readiness_of_tasks(
        &self,
        tasks: &[TaskId],
        now: Timestamp,
    ) -> Result<Vec<StepReadinessRow>, RecordError> {
        let rows = rows::step_readiness_of_tasks(&self.pool, &numbers(tasks), moment(now)).await;
        let rows = rows.map_err(storage_error)?;
        Ok(rows.into_iter().map(|row| row.told(now)).collect::<Result<_, _>>()?)
    }

    async fn task_execution_contexts(
        &self,
        tasks: &[TaskId],
        now: Timestamp,
    ) -> Result<Vec<TaskExecutionContextRow>, RecordError> {
        let rows = rows::contexts(&self.pool, &numbers(tasks), moment(now)).await;
        let rows = rows.map_err(storage_error)?;
        Ok(rows.into_iter().map(|row| row.told(now)).collect::<Result<_, _>>()?)
    }

    async fn dependency_levels(&self, task: TaskId) -> Result<DependencyLevels, RecordError> {
        let rows = rows::levels(&self.pool, task.0).await.map_err(storage_error)?;
        let level = |level: i32| u32::try_from(level).expect("levels begin at 0");
        Ok(DependencyLevels(rows.into_iter().map(|row| (StepId(row.step), level(row.level))).collect()))
    }

    async fn analytics_metrics(
        &self,
        counted: Counted,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<AnalyticsMetricsRow, RecordError> {
        let (pool, since) = (&self.pool, since.map(moment));
        let row = match counted {
            Counted::ByStep => rows::metrics_by_step(pool, since, moment(now)).await,
            Counted::ByTask => rows::metrics_by_task(pool, since, moment(now)).await,
        };
        Ok(row.map_err(storage_error)?.told())
    }

    async fn system_health_counts(&self, now: Timestamp) -> Result<SystemHealthCountsRow, RecordError> {
        Ok(rows::health_counts(&self.pool, moment(now)).await.map_err(storage_error)?)
    }

    async fn slowest_steps(&self, of: &Period, now: Timestamp) -> Result<Vec<SlowestStepRow>, RecordError> {
        if is_nobodys(of) {
            return Ok(vec![]);
        }
        let rows = rows::slowest_steps(&self.pool, of, of.since.map(moment), moment(now), limit(of)).await;
        let rows = rows.map_err(storage_error)?;
        Ok(rows.into_iter().map(rows::SlowStep::told).collect::<Result<_, _>>()?)
    }

    async fn slowest_tasks(&self, of: &Period, now: Timestamp) -> Result<Vec<SlowestTaskRow>, RecordError> {
        if is_nobodys(of) {
            return Ok(vec![]);
        }
        let rows = rows::slowest_tasks(&self.pool, of, of.since.map(moment), moment(now), limit(of)).await;
        Ok(rows.map_err(storage_error)?.into_iter().map(rows::SlowTask::told).collect())
    }

    async fn task_durations(&self, of: &Period, now: Timestamp) -> Result<TaskDurationsRow, RecordError> {
        if is_nobodys(of) {
            return Ok(TaskDurationsRow::default());
        }
        let row = rows::task_durations(&self.pool, of, of.since.map(moment), moment(now)).await;
        Ok(row.map_err(storage_error)?.told())
    }
}

/// A moment that a column can hold.
fn moment(moment: Timestamp) -> Moment {
    Moment(within_reach(moment))
}

fn numbers(tasks: &[TaskId]) -> Vec<i64> {
    tasks.iter().map(|task| task.0).collect()
}

fn limit(of: &Period) -> i32 {
    integer(of.limit)
}

/// Whether a filter is a text that PostgreSQL cannot hold, and so equals no name.
fn is_nobodys(of: &Period) -> bool {
    [&of.namespace, &of.task_name, &of.version].into_iter().flatten().any(|text| text.contains('\0'))
}
