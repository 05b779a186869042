//! What goes wrong and what takes long in a period, put together from scopes and read models: the reference's analytics
//! service. A part that fails fails the whole: nothing is shown as zero that was not counted.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;

use super::{
    AnalyticsMetricsRow, Counted, Period, RecordError, Records, Scope, SlowestStepRow, SlowestTaskRow,
    StepReadinessRow, TaskDurationsRow, Tasks, WorkflowStepRow, WorkflowStepTransitions, WorkflowSteps,
};
use crate::{StepState, TaskId, Timestamp};

/// How the whole storage does, and how it did in the last hour, four hours, and day; by the state of tasks.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PerformanceAnalytics {
    /// Of the last hour.
    pub last_hour: AnalyticsMetricsRow,
    /// Of the last four hours.
    pub last_4_hours: AnalyticsMetricsRow,
    /// Of the last day.
    pub last_24_hours: AnalyticsMetricsRow,
    /// The moment of all this.
    pub generated_at: Timestamp,
}

impl PerformanceAnalytics {
    /// # Errors
    /// When the backend fails.
    pub async fn of(records: &dyn Records, now: Timestamp) -> Result<Self, RecordError> {
        let since = |hours: u64| Some(now - Duration::from_secs(hours * 3600));
        Ok(Self {
            last_hour: records.analytics_metrics(Counted::ByTask, since(1), now).await?,
            last_4_hours: records.analytics_metrics(Counted::ByTask, since(4), now).await?,
            last_24_hours: records.analytics_metrics(Counted::ByTask, since(24), now).await?,
            generated_at: now,
        })
    }
}

/// What goes wrong and what takes long among tasks created in a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BottleneckAnalytics {
    /// How much there is.
    pub scope_summary: ScopeSummary,
    /// The slowest tasks.
    pub slowest_tasks: Vec<SlowestTaskRow>,
    /// The slowest steps.
    pub slowest_steps: Vec<SlowestStepRow>,
    /// What failed.
    pub error_patterns: ErrorPatterns,
    /// What waits.
    pub dependency_bottlenecks: DependencyBottlenecks,
    /// How long complete tasks took.
    pub performance_distribution: TaskDurationsRow,
    /// What there is to do, in the words of the reference.
    pub recommendations: Vec<String>,
    /// The moment of all this.
    pub generated_at: Timestamp,
}

/// How much there is in a period.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ScopeSummary {
    /// Tasks.
    pub total_tasks: u64,
    /// Names of their workflows.
    pub unique_task_types: usize,
    /// How long the period is, in hours.
    pub time_span_hours: f64,
}

/// What failed in a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorPatterns {
    /// Tasks in error.
    pub total_errors: u64,
    /// Of a hundred tasks, to one decimal.
    pub recent_error_rate: f64,
    /// The three classes of errors that most steps failed with last, the most frequent first.
    pub common_error_classes: Vec<String>,
    /// Of a hundred steps that were tried more than once, how many are complete; to one decimal, 0 of none.
    pub retry_success_rate: f64,
}

/// What waits in a period.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DependencyBottlenecks {
    /// Edges to pending steps from steps that are not satisfied.
    pub blocking_dependencies: u64,
    /// The mean age of pending steps that are older than five minutes, in seconds, to one decimal; 0 of none.
    pub avg_wait_time: f64,
    /// The names of most pending steps that wait for others, at most three.
    pub most_blocked_steps: Vec<String>,
}

/// So many tasks are looked at in one statement.
const PAGE: u32 = 1000;
/// How many names and classes are told.
const TOLD: usize = 3;
/// Older than that a pending step waits.
const WAITS_AFTER: Duration = Duration::from_secs(300);
/// A task that takes longer is worth a word.
const LONG: f64 = 60.0;

impl BottleneckAnalytics {
    /// Looks at every task of the period, page by page.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn of(records: &dyn Records, of: &Period, now: Timestamp) -> Result<Self, RecordError> {
        let since = of.since.unwrap_or(now - Duration::from_secs(24 * 3600));
        let tasks = tasks_of(of, since);
        let mut tally = Tally::default();
        let mut page = tasks.clone().limit(PAGE);
        loop {
            let rows = page.rows(records).await?;
            tally.tasks += count(rows.len());
            tally.names.extend(rows.iter().map(|task| task.name.clone()));
            let ids: Vec<_> = rows.iter().map(|task| task.task_id).collect();
            tally.look_at(records, &ids, now).await?;
            match ids.last() {
                Some(last) if rows.len() >= usize::try_from(PAGE).expect("a size") => {
                    page = page.after(*last);
                }
                _ => break,
            }
        }
        let total_errors = tasks.failed_since(since).count(records).await?;
        let (slowest_tasks, slowest_steps) =
            (records.slowest_tasks(of, now).await?, records.slowest_steps(of, now).await?);
        Ok(Self {
            scope_summary: ScopeSummary {
                total_tasks: tally.tasks,
                unique_task_types: tally.names.len(),
                time_span_hours: now.since(since).as_secs_f64() / 3600.0,
            },
            recommendations: recommendations(&slowest_tasks, &slowest_steps),
            slowest_tasks,
            slowest_steps,
            error_patterns: ErrorPatterns {
                total_errors,
                recent_error_rate: share(total_errors, tally.tasks),
                common_error_classes: most_frequent(&tally.error_classes),
                retry_success_rate: share(tally.retried_and_complete, tally.retried),
            },
            dependency_bottlenecks: DependencyBottlenecks {
                blocking_dependencies: tally.blocking,
                avg_wait_time: tenths(mean(tally.waited, tally.waiting)),
                most_blocked_steps: most_frequent(&tally.blocked_names),
            },
            performance_distribution: records.task_durations(of, now).await?,
            generated_at: now,
        })
    }
}

/// The tasks of a period.
fn tasks_of(of: &Period, since: Timestamp) -> Scope<Tasks> {
    let mut tasks = Tasks::created_since(since);
    if let Some(namespace) = &of.namespace {
        tasks = tasks.in_namespace(namespace);
    }
    if let Some(name) = &of.task_name {
        tasks = tasks.with_task_name(name);
    }
    match &of.version {
        Some(version) => tasks.with_version(version),
        None => tasks,
    }
}

/// What was counted so far.
#[derive(Default)]
struct Tally {
    tasks: u64,
    names: BTreeSet<String>,
    retried: u64,
    retried_and_complete: u64,
    waiting: u64,
    /// Seconds, summed.
    waited: f64,
    blocking: u64,
    blocked_names: BTreeMap<String, u64>,
    error_classes: BTreeMap<String, u64>,
}

impl Tally {
    async fn look_at(
        &mut self,
        records: &dyn Records,
        tasks: &[TaskId],
        now: Timestamp,
    ) -> Result<(), RecordError> {
        for step in WorkflowSteps::of_tasks(tasks.iter().copied()).rows(records).await? {
            self.count_step(&step, now);
        }
        for step in records.step_readiness_of_tasks(tasks, now).await? {
            self.count_readiness(step);
        }
        let errors = WorkflowStepTransitions::of_tasks(tasks.iter().copied());
        for row in errors.to_state(StepState::Error).most_recent().rows(records).await? {
            if let Some(class) = row.metadata("error_class").and_then(Value::as_str) {
                *self.error_classes.entry(class.to_owned()).or_default() += 1;
            }
        }
        Ok(())
    }

    fn count_step(&mut self, step: &WorkflowStepRow, now: Timestamp) {
        if step.attempts.is_some_and(|attempts| attempts > 1) {
            self.retried += 1;
            self.retried_and_complete += u64::from(step.status == StepState::Complete);
        }
        let age = now.since(step.created_at);
        if step.status == StepState::Pending && age > WAITS_AFTER {
            self.waiting += 1;
            self.waited += age.as_secs_f64();
        }
    }

    fn count_readiness(&mut self, step: StepReadinessRow) {
        if step.current_state == StepState::Pending && !step.dependencies_satisfied {
            self.blocking += u64::try_from(step.total_parents - step.completed_parents).unwrap_or(0);
            *self.blocked_names.entry(step.name).or_default() += 1;
        }
    }
}

/// The keys with the highest counts; of equal ones, in their order.
fn most_frequent(counts: &BTreeMap<String, u64>) -> Vec<String> {
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    counts.into_iter().take(TOLD).map(|(key, _)| key.clone()).collect()
}

fn recommendations(tasks: &[SlowestTaskRow], steps: &[SlowestStepRow]) -> Vec<String> {
    let long: Vec<f64> = tasks.iter().map(|task| task.duration_seconds).filter(|took| *took > LONG).collect();
    let mut advice = vec![];
    if !long.is_empty() {
        let average = tenths(mean(long.iter().sum(), count(long.len())));
        advice.push(format!("Consider optimizing long-running tasks ({average:.1}s average)"));
    }
    if steps.iter().any(|step| step.attempts > 1) {
        advice.push(
            "High retry patterns detected. Review error handling and timeout configurations.".to_owned(),
        );
    }
    if advice.is_empty() {
        advice.extend(
            [
                "Monitor task performance trends regularly",
                "Review timeout configurations for network operations",
                "Consider implementing caching for repeated operations",
            ]
            .map(str::to_owned),
        );
    }
    advice
}

fn count(rows: usize) -> u64 {
    u64::try_from(rows).expect("a count of rows")
}

/// A share of a hundred, to one decimal; 0 of nothing.
fn share(part: u64, whole: u64) -> f64 {
    tenths(mean(float(part) * 100.0, whole))
}

fn mean(sum: f64, many: u64) -> f64 {
    if many == 0 { 0.0 } else { sum / float(many) }
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows")]
const fn float(count: u64) -> f64 {
    count as f64
}

fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
