//! The statements of the read models, and the rows that they answer.

use sqlx::PgPool;
use tasker_engine::records::{
    AnalyticsMetricsRow, Period, SlowestStepRow, SlowestTaskRow, StepReadinessRow, SystemHealthCountsRow,
    TaskDurationsRow, TaskExecutionContextRow, milliseconds,
};
use tasker_engine::{StepId, StorageError, TaskId, Timestamp};

use super::super::error::corrupt;
use super::super::values::Moment;

pub(super) struct Readiness {
    workflow_step_id: i64,
    task_id: i64,
    named_step_id: i32,
    name: String,
    current_state: String,
    dependencies_satisfied: bool,
    retry_eligible: bool,
    ready_for_execution: bool,
    last_failure_at: Option<Moment>,
    next_retry_at: Option<Moment>,
    total_parents: i32,
    completed_parents: i32,
    attempts: i32,
    retry_limit: i32,
    backoff_request_seconds: Option<i32>,
    last_attempted_at: Option<Moment>,
    retryable: bool,
    in_process: bool,
    processed: bool,
}

impl Readiness {
    pub(super) fn told(self, now: Timestamp) -> Result<StepReadinessRow, StorageError> {
        let step = self.workflow_step_id;
        Ok(StepReadinessRow {
            workflow_step_id: StepId(step),
            task_id: TaskId(self.task_id),
            named_step_id: i64::from(self.named_step_id).into(),
            name: self.name,
            current_state: word(&self.current_state, || format!("the state of step {step}"))?,
            dependencies_satisfied: self.dependencies_satisfied,
            retry_eligible: self.retry_eligible,
            ready_for_execution: self.ready_for_execution,
            last_failure_at: self.last_failure_at.map(|moment| moment.0),
            next_retry_at: self.next_retry_at.map(|moment| moment.0),
            total_parents: self.total_parents,
            completed_parents: self.completed_parents,
            attempts: self.attempts,
            retry_limit: self.retry_limit,
            backoff_request_seconds: self.backoff_request_seconds,
            last_attempted_at: self.last_attempted_at.map(|moment| moment.0),
            retryable: self.retryable,
            in_process: self.in_process,
            processed: self.processed,
            now,
        })
    }
}

fn word<W>(text: &str, what: impl FnOnce() -> String) -> Result<W, StorageError>
where
    W: std::str::FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error: W::Err| corrupt(what(), error))
}

/// The steps are probed one by one, whatever their table holds.
pub(super) async fn step_readiness(
    pool: &PgPool,
    task: i64,
    steps: Option<&[i64]>,
    now: Moment,
) -> sqlx::Result<Vec<Readiness>> {
    sqlx::query_as!(
        Readiness,
        r#"SELECT
            r.workflow_step_id AS "workflow_step_id!", r.task_id AS "task_id!", r.named_step_id AS "named_step_id!",
            r.name AS "name!", r.current_state AS "current_state!",
            r.dependencies_satisfied AS "dependencies_satisfied!", r.retry_eligible AS "retry_eligible!",
            r.ready_for_execution AS "ready_for_execution!", r.last_failure_at, r.next_retry_at,
            r.total_parents AS "total_parents!", r.completed_parents AS "completed_parents!",
            r.attempts AS "attempts!", r.retry_limit AS "retry_limit!", r.backoff_request_seconds,
            r.last_attempted_at, s.retryable AS "retryable!", s.in_process AS "in_process!",
            s.processed AS "processed!"
        FROM get_step_readiness_status_at($1::timestamp AT TIME ZONE 'UTC', $2, $3) AS r
        CROSS JOIN LATERAL (
            SELECT s.retryable, s.in_process, s.processed FROM tasker_workflow_steps AS s
            WHERE s.workflow_step_id = r.workflow_step_id OFFSET 0
        ) AS s
        ORDER BY r.workflow_step_id"#,
        now as Moment,
        task,
        steps,
    )
    .fetch_all(pool)
    .await
}

pub(super) async fn step_readiness_of_tasks(
    pool: &PgPool,
    tasks: &[i64],
    now: Moment,
) -> sqlx::Result<Vec<Readiness>> {
    sqlx::query_as!(
        Readiness,
        r#"SELECT
            r.workflow_step_id AS "workflow_step_id!", r.task_id AS "task_id!", r.named_step_id AS "named_step_id!",
            r.name AS "name!", r.current_state AS "current_state!",
            r.dependencies_satisfied AS "dependencies_satisfied!", r.retry_eligible AS "retry_eligible!",
            r.ready_for_execution AS "ready_for_execution!", r.last_failure_at, r.next_retry_at,
            r.total_parents AS "total_parents!", r.completed_parents AS "completed_parents!",
            r.attempts AS "attempts!", r.retry_limit AS "retry_limit!", r.backoff_request_seconds,
            r.last_attempted_at, s.retryable AS "retryable!", s.in_process AS "in_process!",
            s.processed AS "processed!"
        FROM get_step_readiness_status_batch_at($1::timestamp AT TIME ZONE 'UTC', $2) AS r
        CROSS JOIN LATERAL (
            SELECT s.retryable, s.in_process, s.processed FROM tasker_workflow_steps AS s
            WHERE s.workflow_step_id = r.workflow_step_id OFFSET 0
        ) AS s
        ORDER BY r.task_id, r.workflow_step_id"#,
        now as Moment,
        tasks,
    )
    .fetch_all(pool)
    .await
}

pub(super) struct Context {
    task_id: i64,
    named_task_id: i32,
    status: String,
    total_steps: i64,
    pending_steps: i64,
    in_progress_steps: i64,
    completed_steps: i64,
    failed_steps: i64,
    ready_steps: i64,
    execution_status: String,
    recommended_action: String,
    completion_percentage: f64,
    health_status: String,
}

impl Context {
    pub(super) fn told(self, now: Timestamp) -> Result<TaskExecutionContextRow, StorageError> {
        let task = self.task_id;
        let what = || format!("the execution context of task {task}");
        Ok(TaskExecutionContextRow {
            task_id: TaskId(task),
            named_task_id: i64::from(self.named_task_id).into(),
            status: word(&self.status, what)?,
            total_steps: self.total_steps,
            pending_steps: self.pending_steps,
            in_progress_steps: self.in_progress_steps,
            completed_steps: self.completed_steps,
            failed_steps: self.failed_steps,
            ready_steps: self.ready_steps,
            execution_status: word(&self.execution_status, what)?,
            recommended_action: word(&self.recommended_action, what)?,
            completion_percentage: self.completion_percentage,
            health_status: word(&self.health_status, what)?,
            now,
        })
    }
}

pub(super) async fn contexts(pool: &PgPool, tasks: &[i64], now: Moment) -> sqlx::Result<Vec<Context>> {
    sqlx::query_as!(
        Context,
        r#"SELECT
            task_id AS "task_id!", named_task_id AS "named_task_id!", status AS "status!",
            total_steps AS "total_steps!", pending_steps AS "pending_steps!",
            in_progress_steps AS "in_progress_steps!", completed_steps AS "completed_steps!",
            failed_steps AS "failed_steps!", ready_steps AS "ready_steps!",
            execution_status AS "execution_status!", recommended_action AS "recommended_action!",
            completion_percentage::float8 AS "completion_percentage!", health_status AS "health_status!"
        FROM get_task_execution_contexts_batch_at($1::timestamp AT TIME ZONE 'UTC', $2)"#,
        now as Moment,
        tasks,
    )
    .fetch_all(pool)
    .await
}

pub(super) struct Level {
    pub(super) step: i64,
    pub(super) level: i32,
}

pub(super) async fn levels(pool: &PgPool, task: i64) -> sqlx::Result<Vec<Level>> {
    sqlx::query_as!(
        Level,
        r#"SELECT workflow_step_id AS "step!", dependency_level AS "level!" FROM tasker_dependency_levels($1)"#,
        task,
    )
    .fetch_all(pool)
    .await
}

pub(super) struct Metrics {
    active_tasks_count: i64,
    total_namespaces_count: i64,
    unique_task_types_count: i64,
    system_health_score: f64,
    task_throughput: i64,
    completion_count: i64,
    error_count: i64,
    completion_rate: f64,
    error_rate: f64,
    avg_task_duration: f64,
    avg_step_duration: f64,
    step_throughput: i64,
    analysis_period_start: Moment,
    calculated_at: Moment,
}

impl Metrics {
    pub(super) fn told(self) -> AnalyticsMetricsRow {
        AnalyticsMetricsRow {
            active_tasks_count: self.active_tasks_count,
            total_namespaces_count: self.total_namespaces_count,
            unique_task_types_count: self.unique_task_types_count,
            system_health_score: self.system_health_score,
            task_throughput: self.task_throughput,
            completion_count: self.completion_count,
            error_count: self.error_count,
            completion_rate: self.completion_rate,
            error_rate: self.error_rate,
            avg_task_duration: self.avg_task_duration,
            avg_step_duration: self.avg_step_duration,
            step_throughput: self.step_throughput,
            analysis_period_start: self.analysis_period_start.0,
            calculated_at: self.calculated_at.0,
        }
    }
}

pub(super) async fn metrics_by_step(
    pool: &PgPool,
    since: Option<Moment>,
    now: Moment,
) -> sqlx::Result<Metrics> {
    sqlx::query_as!(
        Metrics,
        r#"SELECT
            active_tasks_count AS "active_tasks_count!", total_namespaces_count AS "total_namespaces_count!",
            unique_task_types_count AS "unique_task_types_count!",
            system_health_score::float8 AS "system_health_score!", task_throughput AS "task_throughput!",
            completion_count AS "completion_count!", error_count AS "error_count!",
            completion_rate::float8 AS "completion_rate!", error_rate::float8 AS "error_rate!",
            avg_task_duration::float8 AS "avg_task_duration!", avg_step_duration::float8 AS "avg_step_duration!",
            step_throughput AS "step_throughput!",
            analysis_period_start AT TIME ZONE 'UTC' AS "analysis_period_start!",
            calculated_at AT TIME ZONE 'UTC' AS "calculated_at!"
        FROM get_analytics_metrics_v01_at($1::timestamp AT TIME ZONE 'UTC', $2::timestamp AT TIME ZONE 'UTC')"#,
        now as Moment,
        since as Option<Moment>,
    )
    .fetch_one(pool)
    .await
}

pub(super) async fn metrics_by_task(
    pool: &PgPool,
    since: Option<Moment>,
    now: Moment,
) -> sqlx::Result<Metrics> {
    sqlx::query_as!(
        Metrics,
        r#"SELECT
            active_tasks_count AS "active_tasks_count!", total_namespaces_count AS "total_namespaces_count!",
            unique_task_types_count AS "unique_task_types_count!",
            system_health_score::float8 AS "system_health_score!", task_throughput AS "task_throughput!",
            completion_count AS "completion_count!", error_count AS "error_count!",
            completion_rate::float8 AS "completion_rate!", error_rate::float8 AS "error_rate!",
            avg_task_duration::float8 AS "avg_task_duration!", avg_step_duration::float8 AS "avg_step_duration!",
            step_throughput AS "step_throughput!",
            analysis_period_start AT TIME ZONE 'UTC' AS "analysis_period_start!",
            calculated_at AT TIME ZONE 'UTC' AS "calculated_at!"
        FROM get_analytics_metrics_v02_at($1::timestamp AT TIME ZONE 'UTC', $2::timestamp AT TIME ZONE 'UTC')"#,
        now as Moment,
        since as Option<Moment>,
    )
    .fetch_one(pool)
    .await
}

pub(super) async fn health_counts(pool: &PgPool, now: Moment) -> sqlx::Result<SystemHealthCountsRow> {
    sqlx::query_as!(
        SystemHealthCountsRow,
        r#"SELECT
            total_tasks AS "total_tasks!", pending_tasks AS "pending_tasks!",
            in_progress_tasks AS "in_progress_tasks!", complete_tasks AS "complete_tasks!",
            error_tasks AS "error_tasks!", cancelled_tasks AS "cancelled_tasks!", total_steps AS "total_steps!",
            pending_steps AS "pending_steps!", in_progress_steps AS "in_progress_steps!",
            complete_steps AS "complete_steps!", error_steps AS "error_steps!",
            retryable_error_steps AS "retryable_error_steps!", exhausted_retry_steps AS "exhausted_retry_steps!",
            in_backoff_steps AS "in_backoff_steps!", active_connections, max_connections
        FROM get_system_health_counts_v01_at($1::timestamp AT TIME ZONE 'UTC')"#,
        now as Moment,
    )
    .fetch_one(pool)
    .await
}

pub(super) struct SlowStep {
    workflow_step_id: i64,
    task_id: i64,
    step_name: String,
    task_name: String,
    namespace_name: String,
    version: String,
    duration_seconds: f64,
    attempts: Option<i32>,
    created_at: Moment,
    completed_at: Moment,
    retryable: bool,
    step_status: String,
}

impl SlowStep {
    pub(super) fn told(self) -> Result<SlowestStepRow, StorageError> {
        let step = self.workflow_step_id;
        Ok(SlowestStepRow {
            workflow_step_id: StepId(step),
            task_id: TaskId(self.task_id),
            step_name: self.step_name,
            task_name: self.task_name,
            namespace_name: self.namespace_name,
            version: self.version,
            duration_seconds: self.duration_seconds,
            attempts: self.attempts.unwrap_or(0),
            created_at: self.created_at.0,
            completed_at: self.completed_at.0,
            retryable: self.retryable,
            step_status: word(&self.step_status, || format!("the state of step {step}"))?,
        })
    }
}

pub(super) async fn slowest_steps(
    pool: &PgPool,
    of: &Period,
    since: Option<Moment>,
    now: Moment,
    limit: i32,
) -> sqlx::Result<Vec<SlowStep>> {
    sqlx::query_as!(
        SlowStep,
        r#"SELECT
            workflow_step_id AS "workflow_step_id!", task_id AS "task_id!", step_name AS "step_name!",
            task_name AS "task_name!", namespace_name AS "namespace_name!", version AS "version!",
            duration_seconds::float8 AS "duration_seconds!", attempts, created_at AT TIME ZONE 'UTC' AS "created_at!",
            completed_at AT TIME ZONE 'UTC' AS "completed_at!", retryable AS "retryable!",
            step_status AS "step_status!"
        FROM get_slowest_steps_v01_at(
            $1::timestamp AT TIME ZONE 'UTC', $2::timestamp AT TIME ZONE 'UTC', $3, $4, $5, $6)"#,
        now as Moment,
        since as Option<Moment>,
        limit,
        of.namespace.as_deref(),
        of.task_name.as_deref(),
        of.version.as_deref(),
    )
    .fetch_all(pool)
    .await
}

pub(super) struct SlowTask {
    task_id: i64,
    task_name: String,
    namespace_name: String,
    version: String,
    duration_seconds: f64,
    step_count: i64,
    completed_steps: i64,
    error_steps: i64,
    created_at: Moment,
    completed_at: Moment,
    initiator: Option<String>,
    source_system: Option<String>,
}

impl SlowTask {
    pub(super) fn told(self) -> SlowestTaskRow {
        SlowestTaskRow {
            task_id: TaskId(self.task_id),
            task_name: self.task_name,
            namespace_name: self.namespace_name,
            version: self.version,
            duration_seconds: self.duration_seconds,
            step_count: self.step_count,
            completed_steps: self.completed_steps,
            error_steps: self.error_steps,
            created_at: self.created_at.0,
            completed_at: self.completed_at.0,
            initiator: self.initiator,
            source_system: self.source_system,
        }
    }
}

pub(super) async fn slowest_tasks(
    pool: &PgPool,
    of: &Period,
    since: Option<Moment>,
    now: Moment,
    limit: i32,
) -> sqlx::Result<Vec<SlowTask>> {
    sqlx::query_as!(
        SlowTask,
        r#"SELECT
            task_id AS "task_id!", task_name AS "task_name!", namespace_name AS "namespace_name!",
            version AS "version!", duration_seconds::float8 AS "duration_seconds!", step_count AS "step_count!",
            completed_steps AS "completed_steps!", error_steps AS "error_steps!",
            created_at AT TIME ZONE 'UTC' AS "created_at!", completed_at AT TIME ZONE 'UTC' AS "completed_at!",
            initiator, source_system
        FROM get_slowest_tasks_v01_at(
            $1::timestamp AT TIME ZONE 'UTC', $2::timestamp AT TIME ZONE 'UTC', $3, $4, $5, $6)"#,
        now as Moment,
        since as Option<Moment>,
        limit,
        of.namespace.as_deref(),
        of.task_name.as_deref(),
        of.version.as_deref(),
    )
    .fetch_all(pool)
    .await
}

pub(super) struct Durations {
    completed: i64,
    percentiles: Option<Vec<f64>>,
    under: i64,
    between: i64,
    over: i64,
}

impl Durations {
    pub(super) fn told(self) -> TaskDurationsRow {
        let percentiles = self.percentiles.unwrap_or_default();
        let seconds = |place: usize| percentiles.get(place).copied().map_or(0.0, milliseconds);
        TaskDurationsRow {
            completed: self.completed,
            p50: seconds(0),
            p95: seconds(1),
            p99: seconds(2),
            under_10s: self.under,
            from_10s_to_30s: self.between,
            over_30s: self.over,
        }
    }
}

/// Durations in whole microseconds, so that what is between two of them is computed of exact numbers.
pub(super) async fn task_durations(
    pool: &PgPool,
    of: &Period,
    since: Option<Moment>,
    now: Moment,
) -> sqlx::Result<Durations> {
    sqlx::query_as!(
        Durations,
        r#"SELECT
            count(*) AS "completed!",
            percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY took.micros) AS percentiles,
            count(*) FILTER (WHERE took.micros < 10000000) AS "under!",
            count(*) FILTER (WHERE took.micros >= 10000000 AND took.micros < 30000000) AS "between!",
            count(*) FILTER (WHERE took.micros >= 30000000) AS "over!"
        FROM (
            SELECT round(extract(epoch FROM t.created_at - k.created_at) * 1000000)::float8 AS micros
            FROM tasker_tasks AS k
            JOIN tasker_task_transitions AS t ON t.task_id = k.task_id AND t.most_recent AND t.to_state = 'complete'
            JOIN tasker_named_tasks AS w ON w.named_task_id = k.named_task_id
            JOIN tasker_task_namespaces AS p ON p.task_namespace_id = w.task_namespace_id
            WHERE k.created_at > coalesce($2::timestamp, $1::timestamp - interval '24 hours')
                AND ($3::text IS NULL OR p.name = $3)
                AND ($4::text IS NULL OR w.name = $4)
                AND ($5::text IS NULL OR w.version = $5)
        ) AS took"#,
        now as Moment,
        since as Option<Moment>,
        of.namespace.as_deref(),
        of.task_name.as_deref(),
        of.version.as_deref(),
    )
    .fetch_one(pool)
    .await
}
