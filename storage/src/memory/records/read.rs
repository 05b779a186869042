//! Read models: how steps, tasks and the whole store stand at a moment.

use std::collections::HashSet;
use std::time::Duration;

use async_trait::async_trait;
use tasker_engine::records::{
    AnalyticsMetricsRow, Counted, DependencyLevels, NamedTaskRow, Period, Read, RecordError, SlowestStepRow,
    SlowestTaskRow, StepReadinessRow, SystemHealthCountsRow, TaskDurationsRow, TaskExecutionContextRow,
    milliseconds,
};
use tasker_engine::{Detail, StepId, StepState, TaskId, TaskState, Timestamp};

use super::super::MemoryStorage;
use super::super::store::Store;
use super::super::task::Task;
use super::steps::StepHandle;

#[async_trait]
impl Read for MemoryStorage {
    async fn step_readiness(
        &self,
        task: TaskId,
        steps: Option<&[StepId]>,
        now: Timestamp,
    ) -> Result<Vec<StepReadinessRow>, RecordError> {
        let mut rows = self.store().readiness(&[task], now);
        rows.retain(|row| steps.is_none_or(|steps| steps.contains(&row.workflow_step_id)));
        Ok(rows)
    }

    async fn step_readiness_of_tasks(
        &self,
        tasks: &[TaskId],
        now: Timestamp,
    ) -> Result<Vec<StepReadinessRow>, RecordError> {
        Ok(self.store().readiness(tasks, now))
    }

    async fn task_execution_contexts(
        &self,
        tasks: &[TaskId],
        now: Timestamp,
    ) -> Result<Vec<TaskExecutionContextRow>, RecordError> {
        let store = self.store();
        let context = |task: &Task| {
            let named_task = task.graph.learned().named_task();
            TaskExecutionContextRow::of(&task.record(Detail::Graph), named_task, now)
        };
        Ok(store.distinct(tasks).map(context).collect())
    }

    async fn dependency_levels(&self, task: TaskId) -> Result<DependencyLevels, RecordError> {
        Ok(DependencyLevels(self.store().find(task).map_or_else(Vec::new, levels)))
    }

    async fn analytics_metrics(
        &self,
        counted: Counted,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<AnalyticsMetricsRow, RecordError> {
        let hour = now - Duration::from_secs(3600);
        let moments = Moments { hour, period: since.unwrap_or(hour), now };
        Ok(match counted {
            Counted::ByStep => by_step(&self.store(), &moments),
            Counted::ByTask => by_task(&self.store(), &moments),
        })
    }

    async fn system_health_counts(&self, now: Timestamp) -> Result<SystemHealthCountsRow, RecordError> {
        let store = self.store();
        let mut counts = SystemHealthCountsRow::default();
        for task in store.tasks() {
            count_task(&mut counts, task);
            for step in StepHandle::of_task(task) {
                count_step(&mut counts, step, now);
            }
        }
        Ok(counts)
    }

    async fn slowest_steps(&self, of: &Period, now: Timestamp) -> Result<Vec<SlowestStepRow>, RecordError> {
        let (store, since) = (self.store(), since(of, now));
        let steps = store.tasks().filter(|task| store.is_of(task, of)).flat_map(StepHandle::of_task);
        let mut found: Vec<_> = steps
            .filter(|step| step.created_at() > since && step.step().state == StepState::Complete)
            .filter_map(|step| Some((step.since()?, step)))
            .filter(|(completed_at, step)| *completed_at > step.created_at())
            .map(|(completed_at, step)| (micros(step.created_at(), completed_at), completed_at, step))
            .collect();
        found.sort_by_key(|(took, _, step)| (std::cmp::Reverse(*took), step.id()));
        found.truncate(size(of.limit));
        let row = |(took, completed_at, step): (i64, Timestamp, StepHandle<'_>)| {
            let named = store.named_task(step.task);
            SlowestStepRow {
                workflow_step_id: step.id(),
                task_id: step.task.id,
                step_name: step.task.graph.name(step.place).to_string(),
                task_name: named.name.clone(),
                namespace_name: named.namespace_name.clone(),
                version: named.version.clone(),
                duration_seconds: seconds(took.into(), 1),
                attempts: i32::try_from(step.step().attempts).unwrap_or(i32::MAX),
                created_at: step.created_at(),
                completed_at,
                retryable: step.step().retryable,
                step_status: step.step().state,
            }
        };
        Ok(found.into_iter().map(row).collect())
    }

    async fn slowest_tasks(&self, of: &Period, now: Timestamp) -> Result<Vec<SlowestTaskRow>, RecordError> {
        let (store, since) = (self.store(), since(of, now));
        let tasks = store.tasks().filter(|task| task.created_at > since && store.is_of(task, of));
        let mut found: Vec<_> = tasks
            .filter_map(|task| Some((last_end(task)?, task)))
            .map(|(ended_at, task)| (micros(task.created_at, ended_at), ended_at, task))
            .collect();
        found.sort_by_key(|(took, _, task)| (std::cmp::Reverse(*took), task.id));
        found.truncate(size(of.limit));
        let row = |(took, completed_at, task): (i64, Timestamp, &Task)| {
            let named = store.named_task(task);
            SlowestTaskRow {
                task_id: task.id,
                task_name: named.name.clone(),
                namespace_name: named.namespace_name.clone(),
                version: named.version.clone(),
                duration_seconds: seconds(took.into(), 1),
                step_count: number(task.steps.len()),
                completed_steps: in_state(task, StepState::Complete),
                error_steps: in_state(task, StepState::Error),
                created_at: task.created_at,
                completed_at,
                initiator: Some(task.request.initiator.clone()),
                source_system: Some(task.request.source_system.clone()),
            }
        };
        Ok(found.into_iter().map(row).collect())
    }

    async fn task_durations(&self, of: &Period, now: Timestamp) -> Result<TaskDurationsRow, RecordError> {
        let (store, since) = (self.store(), since(of, now));
        let tasks = store.tasks().filter(|task| task.created_at > since && store.is_of(task, of));
        let mut took: Vec<i64> =
            tasks.filter_map(|task| Some(micros(task.created_at, completed_at(task)?))).collect();
        took.sort_unstable();
        let below = |end: i64| number(took.partition_point(|took| *took < end));
        let (ten, thirty) = (below(10_000_000), below(30_000_000));
        Ok(TaskDurationsRow {
            completed: number(took.len()),
            p50: percentile(&took, 0.5),
            p95: percentile(&took, 0.95),
            p99: percentile(&took, 0.99),
            under_10s: ten,
            from_10s_to_30s: thirty - ten,
            over_30s: number(took.len()) - thirty,
        })
    }
}

impl Store {
    /// Those of the tasks that there are, ascending, each once.
    fn distinct(&self, tasks: &[TaskId]) -> impl Iterator<Item = &Task> {
        let ids: std::collections::BTreeSet<_> = tasks.iter().copied().collect();
        ids.into_iter().filter_map(|task| self.find(task))
    }

    fn readiness(&self, tasks: &[TaskId], now: Timestamp) -> Vec<StepReadinessRow> {
        let rows = |task: &Task| {
            let record = task.record(Detail::Graph);
            let row = |(place, step)| StepReadinessRow::of(&record, step, task.graph.named_step(place), now);
            record.steps.iter().enumerate().map(row).collect::<Vec<_>>()
        };
        self.distinct(tasks).flat_map(rows).collect()
    }

    fn named_task(&self, task: &Task) -> &NamedTaskRow {
        let named_task = task.graph.learned().named_task();
        self.catalogue.named_tasks.get(named_task.0).expect("what has tasks is never removed")
    }

    fn is_of(&self, task: &Task, period: &Period) -> bool {
        let named = self.named_task(task);
        let is = |wanted: &Option<String>, name: &str| wanted.as_ref().is_none_or(|wanted| *wanted == *name);
        is(&period.namespace, &named.namespace_name)
            && is(&period.task_name, &named.name)
            && is(&period.version, &named.version)
    }
}

/// The moment after which something has to have been created.
fn since(of: &Period, now: Timestamp) -> Timestamp {
    of.since.unwrap_or(now - Duration::from_secs(24 * 3600))
}

/// Each step with the longest way to it from one that waits for none; ascending by level and step.
fn levels(task: &Task) -> Vec<(StepId, u32)> {
    let steps = task.steps.len();
    let mut waits_for: Vec<usize> = (0..steps).map(|place| task.graph.parents(place).len()).collect();
    let mut levels = vec![0; steps];
    let mut passed: Vec<usize> = (0..steps).filter(|place| waits_for[*place] == 0).collect();
    let mut next = 0;
    while let Some(place) = passed.get(next).copied() {
        for child in task.graph.children(place) {
            levels[*child] = levels[*child].max(levels[place] + 1);
            waits_for[*child] -= 1;
            if waits_for[*child] == 0 {
                passed.push(*child);
            }
        }
        next += 1;
    }
    let mut told: Vec<_> = (0..steps).map(|place| (task.graph.id(place), levels[place])).collect();
    told.sort_by_key(|(step, level)| (*level, *step));
    told
}

fn count_task(counts: &mut SystemHealthCountsRow, task: &Task) {
    counts.total_tasks += 1;
    match task.state() {
        TaskState::Pending => counts.pending_tasks += 1,
        TaskState::InProgress => counts.in_progress_tasks += 1,
        TaskState::Complete => counts.complete_tasks += 1,
        TaskState::Error => counts.error_tasks += 1,
        TaskState::Cancelled => counts.cancelled_tasks += 1,
        TaskState::ResolvedManually => {}
    }
}

fn count_step(counts: &mut SystemHealthCountsRow, handle: StepHandle<'_>, now: Timestamp) {
    counts.total_steps += 1;
    match handle.step().state {
        StepState::Pending => counts.pending_steps += 1,
        StepState::InProgress => counts.in_progress_steps += 1,
        StepState::Complete => counts.complete_steps += 1,
        StepState::Error => {
            let facts = handle.step().facts(handle.task.latest(handle.place));
            let may_run = facts.blocked().is_none();
            counts.error_steps += 1;
            counts.retryable_error_steps += i64::from(may_run);
            counts.exhausted_retry_steps += i64::from(facts.attempts >= facts.retry_limit);
            counts.in_backoff_steps += i64::from(may_run && facts.not_before.is_some_and(|end| end > now));
        }
        StepState::Cancelled | StepState::ResolvedManually => {}
    }
}

/// When the last hour and the period begin, and when they end.
struct Moments {
    hour: Timestamp,
    period: Timestamp,
    now: Timestamp,
}

fn by_step(store: &Store, moments: &Moments) -> AnalyticsMetricsRow {
    let has = |task: &&Task, state| in_state(task, state) > 0;
    // A step without a row counts as nothing here.
    let is_active = |step: StepHandle<'_>| {
        let done = [StepState::Complete, StepState::Error, StepState::ResolvedManually];
        step.since().is_some() && !done.contains(&step.step().state)
    };
    let active = store.tasks().filter(|task| StepHandle::of_task(task).any(is_active)).count();
    let (completed, failed) = (StepState::Complete, StepState::Error);
    let in_hour = || store.tasks().filter(|task| task.created_at > moments.hour);
    let in_period = || store.tasks().filter(|task| task.created_at > moments.period);
    let ended: Vec<_> = completed_steps(in_period()).collect();
    let since_task = ended.iter().map(|(at, step)| micros(step.task.created_at, *at));
    Tallied {
        active,
        hour_completed: in_hour().filter(|task| has(task, completed)).count(),
        hour_failed: in_hour().filter(|task| has(task, failed)).count(),
        completed: in_period().filter(|task| has(task, completed)).count(),
        failed: in_period().filter(|task| has(task, failed)).count(),
        task_duration: mean(since_task),
    }
    .told(store, moments)
}

fn by_task(store: &Store, moments: &Moments) -> AnalyticsMetricsRow {
    let is = |task: &&Task, state| task.state() == state;
    let (completed, failed) = (TaskState::Complete, TaskState::Error);
    let in_hour = || store.tasks().filter(|task| task.created_at > moments.hour);
    let in_period = || store.tasks().filter(|task| task.created_at > moments.period);
    let took = in_period().filter_map(|task| Some(micros(task.created_at, completed_at(task)?)));
    Tallied {
        active: store.tasks().filter(|task| task.state().is_open()).count(),
        hour_completed: in_hour().filter(|task| is(task, completed)).count(),
        hour_failed: in_hour().filter(|task| is(task, failed)).count(),
        completed: in_period().filter(|task| is(task, completed)).count(),
        failed: in_period().filter(|task| is(task, failed)).count(),
        task_duration: mean(took),
    }
    .told(store, moments)
}

/// What the two ways to count tell apart.
struct Tallied {
    active: usize,
    hour_completed: usize,
    hour_failed: usize,
    completed: usize,
    failed: usize,
    task_duration: f64,
}

impl Tallied {
    fn told(self, store: &Store, moments: &Moments) -> AnalyticsMetricsRow {
        let in_period = || store.tasks().filter(|task| task.created_at > moments.period);
        let named: Vec<_> = store.tasks().map(|task| store.named_task(task)).collect();
        let namespaces: HashSet<_> = named.iter().map(|named| named.task_namespace_id).collect();
        let names: HashSet<_> = named.iter().map(|named| &named.name).collect();
        let (tasks, hour) = (in_period().count(), self.hour_completed + self.hour_failed);
        let step_duration = completed_steps(in_period()).map(|(at, step)| micros(step.created_at(), at));
        AnalyticsMetricsRow {
            active_tasks_count: number(self.active),
            total_namespaces_count: number(namespaces.len()),
            unique_task_types_count: number(names.len()),
            system_health_score: share(self.hour_completed, hour, 1000).map_or(1.0, |parts| parts / 1000.0),
            task_throughput: number(tasks),
            completion_count: number(self.completed),
            error_count: number(self.failed),
            completion_rate: share(self.completed, tasks, 10_000).map_or(0.0, |parts| parts / 100.0),
            error_rate: share(self.failed, tasks, 10_000).map_or(0.0, |parts| parts / 100.0),
            avg_task_duration: self.task_duration,
            avg_step_duration: mean(step_duration),
            step_throughput: in_period().map(|task| number(task.steps.len())).sum(),
            analysis_period_start: moments.period,
            calculated_at: moments.now,
        }
    }
}

/// Steps that are complete, and since when.
fn completed_steps<'a>(
    tasks: impl Iterator<Item = &'a Task>,
) -> impl Iterator<Item = (Timestamp, StepHandle<'a>)> {
    let steps = tasks.flat_map(StepHandle::of_task);
    steps
        .filter(|step| step.step().state == StepState::Complete)
        .filter_map(|step| Some((step.since()?, step)))
}

fn completed_at(task: &Task) -> Option<Timestamp> {
    task.trail.task().filter(|row| row.to == TaskState::Complete).map(|row| row.at)
}

fn last_end(task: &Task) -> Option<Timestamp> {
    let ended = [StepState::Complete, StepState::Error];
    let steps = StepHandle::of_task(task).filter(|step| ended.contains(&step.step().state));
    steps.filter_map(StepHandle::since).max()
}

fn in_state(task: &Task, state: StepState) -> i64 {
    number(task.steps.iter().filter(|step| step.state == state).count())
}

/// A share in so many parts, rounded to whole ones, halves up; `None` of nothing.
fn share(part: usize, whole: usize, parts: usize) -> Option<f64> {
    let rounded = (part * parts * 2 + whole).checked_div(whole * 2)?;
    Some(f64::from(u32::try_from(rounded).expect("a share of at most ten thousand parts")))
}

/// The mean in seconds; 0 of nothing.
fn mean(micros: impl Iterator<Item = i64>) -> f64 {
    let (sum, many) = micros.fold((0i128, 0i128), |(sum, many), next| (sum + i128::from(next), many + 1));
    if many == 0 { 0.0 } else { seconds(sum, many) }
}

/// So many microseconds divided by a number, as seconds with three decimals, halves away from zero.
fn seconds(micros: i128, by: i128) -> f64 {
    let divisor = by * 1000;
    let rounded = (micros.abs() * 2 + divisor) / (divisor * 2) * micros.signum();
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of three hundred thousand years are exact")]
    let milliseconds = rounded as f64;
    milliseconds / 1000.0
}

/// The value below which that share of the sorted values lies, between two of them in proportion, as `percentile_cont`
/// computes it; in seconds, 0 of nothing.
fn percentile(sorted: &[i64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    #[expect(clippy::cast_precision_loss, reason = "as PostgreSQL does it")]
    let (place, value) = (share * last as f64, |place: usize| sorted[place] as f64);
    let lower = place.floor();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a place in the list")]
    let (one, next) = (lower as usize, place.ceil() as usize);
    let (one, next) = (value(one), value(next));
    milliseconds(one + (place - lower) * (next - one))
}

/// From one moment to another; negative when it comes before.
const fn micros(from: Timestamp, to: Timestamp) -> i64 {
    to.as_micros().saturating_sub(from.as_micros())
}

fn number(count: usize) -> i64 {
    i64::try_from(count).expect("a count of rows in memory")
}

fn size(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
