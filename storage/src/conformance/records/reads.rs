//! Read models: how steps, tasks and the whole storage stand at a moment.

use std::time::Duration;

use serde_json::{Value, json};
use tasker_engine::decide::{BlockingReason, ExecutionStatus, HealthStatus, RecommendedAction, RetryStatus};
use tasker_engine::records::{
    BackoffType, BottleneckAnalytics, Counted, PerformanceAnalytics, Period, Records, StepReadinessRow,
    StepStatistics, SystemHealthCountsRow, TaskDurationsRow, TaskTransitions, Tasks, TransitionStatistics,
    WorkflowStepTransitions, WorkflowSteps,
};
use tasker_engine::{RetryAdvice, TaskCommand, Timestamp};

use super::super::Scene;
use super::super::fixture::{Started, at, completed, failed, graph};
use super::records;
use super::world::{NAMESPACES, VERSIONS};

async fn readiness(scene: &Scene, task: &Started, step: &str, second: u64) -> StepReadinessRow {
    let steps = [task.step(step)];
    let rows = records(scene).step_readiness(task.id, Some(&steps), at(second)).await.expect("readiness");
    let [row] = <[StepReadinessRow; 1]>::try_from(rows).expect("one row");
    row
}

/// Up to the moment itself, which is over then.
pub async fn step_in_backoff_says_until_when(scene: Scene) {
    let task = scene.start("x -> y").await;
    let claim = scene.claim(&task, "x").await;
    scene.record_at(failed(&task, &claim, RetryAdvice::After(Duration::from_secs(10))), 5).await;
    let row = readiness(&scene, &task, "x", 14).await;
    assert!(!row.ready_for_execution && row.retry_eligible && row.waits_for_backoff());
    assert_eq!(row.blocking_reason(), Some(BlockingReason::WaitingForBackoff));
    assert_eq!((row.time_until_ready(), row.next_retry_at), (Some(1), Some(at(15))));
    assert_eq!(
        (row.retry_status(), row.backoff_type()),
        (RetryStatus::WaitingForBackoff, BackoffType::ExplicitBackoff)
    );
    assert_eq!((row.last_failure_at, row.effective_backoff_seconds()), (Some(at(5)), 10));
    let row = readiness(&scene, &task, "x", 15).await;
    assert!(row.ready_for_execution && row.can_retry_now() && !row.waits_for_backoff());
    assert_eq!((row.blocking_reason(), row.time_until_ready()), (None, Some(0)));
    let row = readiness(&scene, &task, "y", 15).await;
    assert_eq!(row.blocking_reason(), Some(BlockingReason::DependenciesNotSatisfied));
    assert_eq!((row.dependency_status().as_str(), row.time_until_ready()), ("0/1_satisfied", None));
}

/// In the order in which they are asked of each step.
pub async fn step_says_why_it_does_not_run(scene: Scene) {
    let task = scene.start(graph("done -> fresh, runs, gone, dead, spent").limit("spent", 1)).await;
    scene.complete(&task, "done", json!({})).await;
    scene.act_on(&task, "gone", tasker_engine::StepCommand::Cancel).await;
    scene.claim(&task, "runs").await;
    for (step, retry) in [("dead", RetryAdvice::Never), ("spent", RetryAdvice::Default)] {
        let claim = scene.claim(&task, step).await;
        scene.record(failed(&task, &claim, retry)).await;
    }
    for (step, reason, dependencies) in [
        ("done", Some(BlockingReason::InvalidState), "no_dependencies"),
        ("gone", Some(BlockingReason::InvalidState), "no_dependencies"),
        ("runs", Some(BlockingReason::InProcess), "no_dependencies"),
        ("dead", Some(BlockingReason::NotRetryable), "no_dependencies"),
        ("spent", Some(BlockingReason::RetryNotEligible), "no_dependencies"),
        ("fresh", None, "all_satisfied"),
    ] {
        let row = readiness(&scene, &task, step, 9).await;
        assert_eq!(row.blocking_reason(), reason, "{step}");
        assert_eq!(row.dependency_status(), dependencies, "{step}");
        let told = row.detailed_status();
        assert_eq!((told.ready, told.blocking_reason), (reason.is_none(), reason), "{step}");
    }
    let spent = readiness(&scene, &task, "spent", 9).await;
    assert!(spent.retry_exhausted() && spent.is_root());
    assert_eq!(spent.retry_status(), RetryStatus::MaxRetriesReached);
}

/// Ascending, each once, and only of tasks that there are.
pub async fn readiness_of_many_tasks_is_that_of_each(scene: Scene) {
    let (one, two) = (scene.start("a -> b").await, scene.start("c").await);
    let records = records(&scene);
    let asked = [two.id, one.id, two.id, (-1).into()];
    let rows = records.step_readiness_of_tasks(&asked, at(0)).await.unwrap();
    let mut each = records.step_readiness(one.id, None, at(0)).await.unwrap();
    each.extend(records.step_readiness(two.id, None, at(0)).await.unwrap());
    assert_eq!(rows, each);
    assert_eq!(rows.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["a", "b", "c"]);
    assert_eq!(records.step_readiness_of_tasks(&[], at(0)).await.unwrap(), []);
    assert_eq!(records.step_readiness((-1).into(), None, at(0)).await.unwrap(), []);
    let others = [two.step("c")];
    assert_eq!(records.step_readiness(one.id, Some(&others), at(0)).await.unwrap(), [], "of another task");
}

/// From ready steps to the last one, and in words.
pub async fn context_tells_how_a_task_stands(scene: Scene) {
    let task = scene.start("a -> b, c").await;
    let context = || async { records(&scene).task_execution_context(task.id, at(1)).await.unwrap() };
    let fresh = context().await;
    assert_eq!((fresh.total_steps, fresh.ready_steps, fresh.pending_steps), (3, 2, 3));
    assert!(fresh.needs_immediate_action() && fresh.can_make_progress() && fresh.has_work_to_do());
    assert_eq!(fresh.next_action().description, "2 steps ready for execution");
    scene.complete(&task, "a", json!({})).await;
    let told = context().await;
    assert_eq!(told.completion_percentage, 33.33);
    let summary = serde_json::to_value(told.workflow_summary()).unwrap();
    assert_eq!(
        summary["progress_details"],
        json!({
            "completed_ratio": "1/3", "completion_percentage": "33.33%", "remaining_steps": 2,
            "failed_steps": 0, "ready_steps": 2,
        })
    );
    let claim = scene.claim(&task, "c").await;
    scene.record(failed(&task, &claim, RetryAdvice::Never)).await;
    scene.complete(&task, "b", json!({})).await;
    let told = context().await;
    assert!(told.is_blocked() && told.needs_intervention() && !told.should_reenqueue());
    assert_eq!(told.recommended_action, RecommendedAction::HandleFailures);
    assert_eq!(told.next_action().description, "1 failed steps blocking progress");
    let done = scene.start("").await;
    let told = records(&scene).task_execution_context(done.id, at(1)).await.unwrap();
    assert_eq!(
        (told.execution_status, told.health_status),
        (ExecutionStatus::AllComplete, HealthStatus::Healthy)
    );
    assert!(told.is_complete() && told.is_healthy());
    assert_eq!(told.workflow_summary().progress_details.completion_percentage, "0.0%");
}

/// In a batch it is left out.
pub async fn context_of_an_unknown_task_is_not_found(scene: Scene) {
    let task = scene.start("a").await;
    let records = records(&scene);
    let refused = records.task_execution_context((-1).into(), at(0)).await.unwrap_err();
    assert!(
        matches!(refused, tasker_engine::records::RecordError::NotFound { what: "task", id: -1 }),
        "{refused}"
    );
    let asked = [(-1).into(), task.id, task.id];
    let found = records.task_execution_contexts(&asked, at(0)).await.unwrap();
    assert_eq!(found.iter().map(|row| row.task_id).collect::<Vec<_>>(), [task.id]);
}

/// And not the shortest one.
pub async fn level_is_the_longest_way_from_a_root(scene: Scene) {
    let task = scene.start("a -> b -> c, a -> c, d").await;
    let levels = records(&scene).dependency_levels(task.id).await.unwrap();
    let expected = [("a", 0), ("d", 0), ("b", 1), ("c", 2)];
    let mut expected: Vec<_> = expected.map(|(name, level)| (task.step(name), level)).into();
    expected.sort_by_key(|(step, level)| (*level, *step));
    assert_eq!(levels.0, expected);
    assert_eq!((levels.max_level(), levels.steps_at(1)), (2, vec![task.step("b")]));
    assert_eq!(levels.by_step()[&task.step("c")], 2);
    let mut roots = vec![task.step("a"), task.step("d")];
    roots.sort();
    assert_eq!(levels.roots(), roots);
    let none = records(&scene).dependency_levels((-1).into()).await.unwrap();
    assert_eq!((none.max_level(), none.0.len()), (0, 0));
}

/// The moment decides who is in back-off.
pub async fn health_counts_count_everything(scene: Scene) {
    let task = scene.start(graph("done, runs, dead, back, fresh").limit("dead", 1)).await;
    scene.start("x").await;
    let cancelled = scene.start("y").await;
    scene.act(&cancelled, TaskCommand::Cancel { force: false }).await;
    scene.complete(&task, "done", json!({})).await;
    scene.claim(&task, "runs").await;
    for step in ["dead", "back"] {
        let claim = scene.claim(&task, step).await;
        scene.record(failed(&task, &claim, RetryAdvice::After(Duration::from_secs(10)))).await;
    }
    for (second, in_backoff_steps) in [(9, 1), (10, 0)] {
        let told = records(&scene).system_health_counts(at(second)).await.unwrap();
        let expected = SystemHealthCountsRow {
            total_tasks: 3,
            pending_tasks: 1,
            in_progress_tasks: 1,
            cancelled_tasks: 1,
            total_steps: 7,
            pending_steps: 2,
            in_progress_steps: 1,
            complete_steps: 1,
            error_steps: 2,
            retryable_error_steps: 1,
            exhausted_retry_steps: 1,
            in_backoff_steps,
            active_connections: told.active_connections,
            max_connections: told.max_connections,
            ..SystemHealthCountsRow::default()
        };
        assert_eq!(told, expected);
    }
}

/// Steps in progress and cancelled ones count as pending, as the reference has it.
pub async fn statistics_of_steps_and_moves_are_those_of_the_rows(scene: Scene) {
    let task = scene.start("done, runs, gone, dead").await;
    scene.complete(&task, "done", json!({})).await;
    scene.act_on(&task, "gone", tasker_engine::StepCommand::Cancel).await;
    scene.claim(&task, "runs").await;
    let claim = scene.claim(&task, "dead").await;
    scene.record(failed(&task, &claim, RetryAdvice::Never)).await;
    let steps = WorkflowSteps::for_task(task.id).rows(records(&scene)).await.unwrap();
    let expected = StepStatistics {
        total_steps: 4,
        completed_steps: 1,
        failed_steps: 1,
        pending_steps: 2,
        in_progress_steps: 1,
        cancelled_steps: 1,
        latest_completion_time: Some(at(0)),
        all_complete: false,
    };
    assert_eq!(StepStatistics::of(&steps), expected);
    assert!(StepStatistics::of(&[]).all_complete);
    let moves = WorkflowStepTransitions::for_task(task.id).rows(records(&scene)).await.unwrap();
    let told = TransitionStatistics::of_steps(&moves, at(1));
    assert_eq!((told.total_transitions, told.recent_activity, told.retry_attempts), (6, 6, 0));
    assert_eq!((told.states["complete"], told.states["cancelled"], told.states["error"]), (1, 1, 1));
    assert_eq!(told.average_execution_time, Some(0.25));
    let moves = TaskTransitions::of_tasks([task.id]).rows(records(&scene)).await.unwrap();
    assert_eq!(TransitionStatistics::of_tasks(&moves, at(1)).total_transitions, moves.len());
}

/// Completes one step tasks, each after so many seconds.
async fn finished_after(scene: &Scene, seconds: &[u64]) -> Vec<Started> {
    let tasks = scene.start_many("x", seconds.len()).await;
    for (task, seconds) in tasks.iter().zip(seconds) {
        let claim = scene.claim(task, "x").await;
        scene.record_at(completed(task, &claim, json!({})), *seconds).await;
    }
    tasks
}

/// Filtered before they are counted off.
pub async fn slowest_come_first_within_the_filters(scene: Scene) {
    let tasks = finished_after(&scene, &[3, 9, 5]).await;
    let records = records(&scene);
    let all = Period::default();
    let rows = records.slowest_steps(&all, at(60)).await.unwrap();
    let told: Vec<_> = rows.iter().map(|row| (row.task_id, row.duration_seconds)).collect();
    assert_eq!(told, [(tasks[1].id, 9.0), (tasks[2].id, 5.0), (tasks[0].id, 3.0)]);
    assert_eq!((rows[0].completed_at, rows[0].attempts, rows[0].step_name.as_str()), (at(9), 1, "x"));
    let rows = records.slowest_tasks(&Period { limit: 2, ..all.clone() }, at(60)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.task_id).collect::<Vec<_>>(), [tasks[1].id, tasks[2].id]);
    assert_eq!((rows[0].step_count, rows[0].completed_steps, rows[0].error_steps), (1, 1, 0));
    let (name, namespace, version) =
        (rows[0].task_name.clone(), rows[0].namespace_name.clone(), rows[0].version.clone());
    let own =
        Period { task_name: Some(name), namespace: Some(namespace), version: Some(version), ..all.clone() };
    assert_eq!(records.slowest_steps(&own, at(60)).await.unwrap().len(), 3);
    let day = 24 * 3600;
    for (other, now) in [
        (Period { limit: 0, ..all.clone() }, 60),
        (Period { namespace: Some("nowhere".into()), ..all.clone() }, 60),
        (Period { task_name: Some("nothing\0".into()), ..all.clone() }, 60),
        (Period { version: Some("9.9.9".into()), ..all.clone() }, 60),
        (Period { since: Some(at(0)), ..all.clone() }, 60),
        (all.clone(), day),
    ] {
        assert_eq!(records.slowest_steps(&other, at(now)).await.unwrap(), [], "{other:?}");
        assert_eq!(records.slowest_tasks(&other, at(now)).await.unwrap(), [], "{other:?}");
    }
}

/// Between two tasks in proportion; the reference made the numbers up.
pub async fn percentiles_are_computed(scene: Scene) {
    let records = records(&scene);
    let none = records.task_durations(&Period::default(), at(60)).await.unwrap();
    assert_eq!(none, TaskDurationsRow::default());
    finished_after(&scene, &[1, 2, 9, 10, 30]).await;
    scene.start("open").await;
    let told = records.task_durations(&Period::default(), at(60)).await.unwrap();
    let expected = TaskDurationsRow {
        completed: 5,
        p50: 9.0,
        p95: 26.0,
        p99: 29.2,
        under_10s: 3,
        from_10s_to_30s: 1,
        over_30s: 1,
    };
    assert_eq!(told, expected);
}

/// Of which the reference counts one twice.
pub async fn metrics_count_by_step_or_by_task(scene: Scene) {
    let task = scene.start("a, b").await;
    scene.complete(&task, "a", json!({})).await;
    let claim = scene.claim(&task, "b").await;
    scene.record(failed(&task, &claim, RetryAdvice::Default)).await;
    finished_after(&scene, &[4]).await;
    let records = records(&scene);
    let by_step = records.analytics_metrics(Counted::ByStep, None, at(60)).await.unwrap();
    assert_eq!((by_step.completion_count, by_step.error_count, by_step.task_throughput), (2, 1, 2));
    assert_eq!((by_step.completion_rate, by_step.error_rate), (100.0, 50.0));
    assert_eq!((by_step.system_health_score, by_step.active_tasks_count), (0.667, 0));
    let by_task = records.analytics_metrics(Counted::ByTask, None, at(60)).await.unwrap();
    assert_eq!((by_task.completion_count, by_task.error_count, by_task.active_tasks_count), (1, 0, 1));
    assert_eq!((by_task.avg_task_duration, by_task.avg_step_duration), (4.0, 2.0));
    assert_eq!((by_task.completion_rate, by_task.step_throughput), (50.0, 3));
    let later = records.analytics_metrics(Counted::ByTask, Some(at(0)), at(60)).await.unwrap();
    assert_eq!((later.task_throughput, later.analysis_period_start), (0, at(0)), "created since, not then");
}

/// Nothing is made up, and nothing that was not counted is told as zero.
pub async fn bottlenecks_of_a_period_are_counted(scene: Scene) {
    let task = scene.start(graph("a -> b -> c, d").limit("a", 2)).await;
    for second in [0, 9] {
        let claim = scene.claim_at(&task, "a", second).await;
        scene.record_at(failed(&task, &claim, RetryAdvice::After(Duration::from_secs(1))), second + 1).await;
    }
    let claim = scene.claim_at(&task, "d", 10).await;
    scene.record_at(completed(&task, &claim, json!({})), 70).await;
    finished_after(&scene, &[3]).await;
    let told = BottleneckAnalytics::of(records(&scene), &Period::default(), at(1000)).await.unwrap();
    assert_eq!((told.scope_summary.total_tasks, told.scope_summary.unique_task_types), (2, 1));
    assert_eq!(told.scope_summary.time_span_hours, 24.0);
    let errors = &told.error_patterns;
    assert_eq!((errors.total_errors, errors.recent_error_rate, errors.retry_success_rate), (1, 50.0, 0.0));
    assert_eq!(errors.common_error_classes, ["Boom"]);
    let waits = &told.dependency_bottlenecks;
    assert_eq!((waits.blocking_dependencies, waits.avg_wait_time), (2, 1000.0));
    assert_eq!(waits.most_blocked_steps, ["b", "c"]);
    assert_eq!(told.performance_distribution.completed, 1);
    assert_eq!(told.recommendations, ["Consider optimizing long-running tasks (70.0s average)"]);
    let nowhere = Period { namespace: Some("nowhere".into()), ..Period::default() };
    let none = BottleneckAnalytics::of(records(&scene), &nowhere, at(1000)).await.unwrap();
    assert_eq!((none.scope_summary.total_tasks, none.error_patterns.recent_error_rate), (0, 0.0));
    assert_eq!(none.recommendations.len(), 3, "three that always hold");
    let trends = PerformanceAnalytics::of(records(&scene), at(1000)).await.unwrap();
    assert_eq!((trends.last_hour.task_throughput, trends.last_24_hours.completion_count), (2, 1));
    let types = Tasks::all().unique_task_types(records(&scene)).await.unwrap();
    assert_eq!(types.len(), 1);
    assert!(Tasks::in_namespace("nowhere").unique_task_types(records(&scene)).await.unwrap().is_empty());
}

/// Everything that two backends are asked of the same world, under names that both share.
pub(super) async fn told(records: &dyn Records, names: &super::names::Names) -> Vec<(String, Value)> {
    let tasks: Vec<_> = names.tasks.iter().map(|task| (*task).into()).collect();
    let mut told = vec![];
    for now in [at(9), Timestamp::from_micros(at(45).as_micros() + 1), at(4000)] {
        let readiness = records.step_readiness_of_tasks(&tasks, now).await.expect("readiness");
        let status: Vec<_> = readiness.iter().map(StepReadinessRow::detailed_status).collect();
        told.push((format!("readiness at {now}"), names.told(&readiness)));
        told.push((format!("detailed status at {now}"), names.told(&status)));
        let contexts = records.task_execution_contexts(&tasks, now).await.expect("contexts");
        told.push((format!("contexts at {now}"), names.told(&contexts)));
        let counts = records.system_health_counts(now).await.expect("counts");
        let counts = SystemHealthCountsRow { active_connections: None, max_connections: None, ..counts };
        told.push((format!("health counts at {now}"), names.told(&counts)));
        for since in [None, Some(at(10))] {
            for counted in [Counted::ByStep, Counted::ByTask] {
                let metrics = records.analytics_metrics(counted, since, now).await.expect("metrics");
                told.push((format!("metrics {counted:?} since {since:?} at {now}"), names.told(&metrics)));
            }
            for place in 0..4 {
                let of = Period {
                    since,
                    limit: [1000, 3][place % 2],
                    namespace: NAMESPACES.get(place).map(|name| (*name).to_owned()).filter(|_| place != 3),
                    task_name: None,
                    version: VERSIONS.get(place).map(|name| (*name).to_owned()).filter(|_| place % 2 == 1),
                };
                let steps = records.slowest_steps(&of, now).await.expect("steps");
                let slow_tasks = records.slowest_tasks(&of, now).await.expect("tasks");
                let durations = records.task_durations(&of, now).await.expect("durations");
                let all = (names.told(&steps), names.told(&slow_tasks), names.told(&durations));
                told.push((format!("the slowest of {of:?} at {now}"), json!([all.0, all.1, all.2])));
            }
        }
    }
    for task in tasks {
        let levels = records.dependency_levels(task).await.expect("levels");
        let levels = levels.0.iter().map(|(step, level)| json!({ "workflow_step_id": step, "level": level }));
        told.push((
            format!("levels of {}", names.told(&json!({ "task_id": task }))),
            names.told(&levels.collect::<Vec<_>>()),
        ));
    }
    told
}
