//! The database's read side and the engine's decisions give the same answers at the same moment: for tasks in whatever
//! state the contract brings them to, on both storages, and for rows that nobody's program writes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngSeed, TestError, TestRunner};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool, Row as _};
use tasker_engine::decide::{
    ExecutionCounts, ExecutionStatus, Readiness, blocking_reason, next_retry_at, readiness, step_phase,
    task_phase,
};
use tasker_engine::{
    Detail, StepPhase, StepRecord, StepState, Storage, TaskId, TaskPhase, TaskRecord, TaskState, Timestamp,
};
use tasker_storage::conformance::fixture::at;
use tasker_storage::conformance::same::operations;
use tasker_storage::conformance::{Harness as _, Scene, same_answers};
use tokio::runtime::Builder;

use crate::contract::{Memory, Postgres, cases, seed};
use crate::fixture::{Fixture, NOW, later};
use crate::raw::naive;

const MICRO: Duration = Duration::from_micros(1);

/// What the engine says of a step, in the columns of the database; ids differ from storage to storage and are left out.
fn row(task: &TaskRecord, step: &StepRecord, now: Timestamp) -> Value {
    let state = |id| task.position(id).map(|place| task.steps[place].current.state);
    let completed = step.parents.iter().filter(|id| state(**id).is_some_and(StepState::is_satisfied));
    let failed = step.current.since.filter(|_| step.current.state == StepState::Error);
    let moment = |moment: Option<Timestamp>| moment.map_or(Value::Null, naive);
    json!({
        "name": step.name, "current_state": step.current.state,
        "dependencies_satisfied": task.parents_satisfied(step),
        "retry_eligible": step.attempts < step.retry_limit,
        "ready_for_execution": blocking_reason(step, task.parents_satisfied(step), now).is_none(),
        "last_failure_at": moment(failed), "next_retry_at": moment(next_retry_at(&step.attempted())),
        "total_parents": step.parents.len(), "completed_parents": completed.count(),
        "attempts": step.attempts, "retry_limit": step.retry_limit,
        "backoff_request_seconds": step.backoff_request_seconds,
        "last_attempted_at": moment(step.last_attempted_at),
    })
}

/// What the engine says of a task, in the columns of the database.
fn context(task: &TaskRecord, now: Timestamp) -> Value {
    let counts = ExecutionCounts::of(task, now);
    json!({
        "status": task.current.state, "total_steps": counts.total, "pending_steps": counts.pending,
        "in_progress_steps": counts.in_progress, "completed_steps": counts.completed,
        "failed_steps": counts.failed, "ready_steps": counts.ready, "execution_status": counts.status(),
        "recommended_action": counts.status().recommended_action(),
        "completion_percentage": counts.completion_percentage(), "health_status": counts.health(),
    })
}

/// The rows of a function at a moment, without ids.
async fn told(pool: &PgPool, function: &str, now: Timestamp, tasks: &[TaskId]) -> Vec<Value> {
    let ids: Vec<i64> = tasks.iter().map(|task| task.0).collect();
    let query = format!("SELECT to_jsonb(r)::text FROM {function}($1::text::timestamptz, $2) AS r");
    let query = sqlx::query(AssertSqlSafe(query)).bind(now.to_string()).bind(&ids);
    let rows = query.fetch_all(pool).await.expect(function);
    let read = rows.iter().map(|row| {
        let mut row: Value = serde_json::from_str(row.get(0)).expect("an object");
        for id in ["workflow_step_id", "task_id", "named_step_id", "named_task_id"] {
            row.as_object_mut().expect("an object").remove(id);
        }
        row
    });
    read.collect()
}

/// Moments at which something changes, one before each, and some at which nothing does.
fn moments(tasks: &[TaskRecord]) -> BTreeSet<Timestamp> {
    let steps = tasks.iter().flat_map(|task| &task.steps);
    let ends = steps.filter_map(|step| step.facts().not_before);
    let around =
        ends.flat_map(|end| [end - MICRO, end]).filter(|end| (NOW - MICRO..later(1 << 20)).contains(end));
    around.chain([NOW, later(20), later(2000)]).collect()
}

/// Compares the functions with the engine, at every moment that matters to these tasks.
async fn compare(pool: &PgPool, ids: &[TaskId], tasks: &[TaskRecord]) -> Result<(), TestCaseError> {
    for now in moments(tasks) {
        let expected: Vec<_> =
            tasks.iter().flat_map(|task| task.steps.iter().map(move |step| row(task, step, now))).collect();
        let found = told(pool, "get_step_readiness_status_batch_at", now, ids).await;
        prop_assert_eq!(&found, &expected, "readiness at {}", now);
        let expected: Vec<_> = tasks.iter().map(|task| context(task, now)).collect();
        let found = told(pool, "get_task_execution_contexts_batch_at", now, ids).await;
        prop_assert_eq!(found, expected, "contexts at {}", now);
    }
    Ok(())
}

/// The engine's own words for how a step and a task stand say the same as the reference's. Of rows that contradict
/// themselves there is nothing to be said.
fn compare_phases(task: &TaskRecord, now: Timestamp) -> Result<(), TestCaseError> {
    for step in &task.steps {
        let satisfied = task.parents_satisfied(step);
        let ready = blocking_reason(step, satisfied, now).is_none();
        prop_assert_eq!(ready, readiness(&step.facts(), satisfied, now) == Readiness::Ready);
        prop_assert_eq!(ready, step_phase(step, satisfied, now) == StepPhase::Ready);
    }
    let phase = task_phase(task, now);
    if matches!(phase, TaskPhase::Draft | TaskPhase::Paused | TaskPhase::Planned | TaskPhase::Launched)
        || !matches!(task.current.state, TaskState::Pending | TaskState::InProgress)
    {
        return Ok(());
    }
    let expected = match ExecutionCounts::of(task, now).status() {
        ExecutionStatus::HasReadySteps | ExecutionStatus::Processing => TaskPhase::Running,
        ExecutionStatus::BlockedByFailures => TaskPhase::Blocked,
        ExecutionStatus::AllComplete => TaskPhase::WaitingForDependencies,
        ExecutionStatus::WaitingForDependencies if phase == TaskPhase::WaitingForRetry => phase,
        ExecutionStatus::WaitingForDependencies => TaskPhase::WaitingForDependencies,
    };
    prop_assert_eq!(phase, expected);
    Ok(())
}

fn runner(cases: u32, seed: u64) -> TestRunner {
    TestRunner::new(Config {
        cases,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        max_shrink_iters: 500,
        ..Config::default()
    })
}

fn report<T: std::fmt::Debug>(seed: u64, result: Result<(), TestError<T>>) {
    if let Err(error) = result {
        panic!("seed {seed}: {error}");
    }
}

#[test]
fn the_functions_agree_with_the_engine_on_whatever_the_contract_makes() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let seed = seed();
    let result = runner(cases().div_ceil(2), seed).run(&operations(20), |operations| {
        runtime.block_on(async {
            let harness = Arc::new(Postgres::default());
            let storage = Arc::new(harness.storage().await);
            let pool = storage.pool().clone();
            let (memory, postgres) = (Scene::new(Memory).await, Scene::around(storage, harness));
            let played = same_answers(&memory, &postgres, &operations).await;
            played.map_err(|difference| TestCaseError::fail(difference.to_string()))?;
            let ids: Vec<i64> = sqlx::query_scalar("SELECT task_id FROM tasker_tasks ORDER BY task_id")
                .fetch_all(&pool)
                .await
                .expect("ids");
            let ids: Vec<_> = ids.into_iter().map(TaskId).collect();
            // Both number tasks and steps in the order in which they were made, memory without gaps.
            let mut in_memory = Vec::new();
            let mut next = 1;
            while in_memory.len() < ids.len() {
                in_memory.extend(memory.storage().load(&[TaskId(next)], Detail::Graph).await.expect("load"));
                next += 1;
            }
            let in_postgres = postgres.storage().load(&ids, Detail::Graph).await.expect("load");
            for tasks in [&in_memory, &in_postgres] {
                compare(&pool, &ids, tasks).await?;
                for task in tasks {
                    compare_phases(task, at(0))?;
                    compare_phases(task, at(2000))?;
                }
            }
            Ok(())
        })
    });
    report(seed, result);
}

/// A step with columns and a row as an operator, Rails or a fault may leave them.
#[derive(Clone, Debug)]
struct RawStep {
    parents: u8,
    /// The state and the age of its row, in milliseconds; `None` when it has none.
    row: Option<(StepState, i64)>,
    backoff_until: Option<String>,
    attempts: Option<i32>,
    retry_limit: Option<i32>,
    retryable: bool,
    processed: bool,
    in_process: bool,
    last_attempted: Option<i64>,
    requested: Option<i32>,
}

fn raw_step() -> impl Strategy<Value = RawStep> {
    let state = (0..6_usize, -40_000..40_000_i64).prop_map(|(place, age)| (StepState::ALL[place], age));
    let moment = (-60_000_000..60_000_000_i64)
        .prop_map(|micros| Timestamp::from_micros(NOW.as_micros() + micros).to_string());
    let odd = proptest::sample::select(vec![
        "soon",
        "2026-01-01",
        "2026-02-31T00:00:00Z",
        "2026-01-01T00:00:30+00:00",
    ]);
    let until = prop_oneof![3 => moment, 1 => odd.prop_map(str::to_owned)];
    let rare = || proptest::bool::weighted(0.05);
    (
        (any::<u8>(), weighted(0.8, state), weighted(0.3, until)),
        (weighted(0.9, 0..5_i32), weighted(0.9, 0..5_i32), proptest::bool::weighted(0.8), rare(), rare()),
        (of(-60_000..20_000_i64), weighted(0.4, -5..60_i32)),
    )
        .prop_map(
            |(
                (parents, row, backoff_until),
                (attempts, retry_limit, retryable, processed, in_process),
                (last_attempted, requested),
            )| RawStep {
                parents,
                row,
                backoff_until,
                attempts,
                retry_limit,
                retryable,
                processed,
                in_process,
                last_attempted,
                requested,
            },
        )
}

fn null_or<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| value.to_string())
}

fn millis(offset: i64) -> Timestamp {
    Timestamp::from_micros(NOW.as_micros() + offset * 1000)
}

/// Writes the steps of a fresh task as they were drawn.
async fn write(fixture: &Fixture, steps: &[RawStep]) -> TaskId {
    let mut graph: Vec<_> = (0..steps.len()).map(|place| format!("s{place}")).collect();
    for (place, step) in steps.iter().enumerate() {
        let parents = (0..place).filter(|parent| step.parents >> parent & 1 == 1);
        graph.extend(parents.map(|parent| format!("s{parent} -> s{place}")));
    }
    let task = fixture.start(&graph.join(", ")).await;
    for (place, step) in steps.iter().enumerate() {
        let id = task.step(&format!("s{place}"));
        let columns = format!(
            "attempts = {}, retry_limit = {}, retryable = {}, processed = {}, in_process = {},
             last_attempted_at = {}, backoff_request_seconds = {}",
            null_or(step.attempts),
            null_or(step.retry_limit),
            step.retryable,
            step.processed,
            step.in_process,
            null_or(step.last_attempted.map(|offset| format!("'{}'", millis(offset)))),
            null_or(step.requested),
        );
        fixture.set(id, &columns).await;
        if let Some((state, age)) = step.row {
            let metadata = step.backoff_until.as_ref();
            let metadata = metadata.map_or(json!({}), |until| json!({ "backoff_until": until }));
            fixture.put(id, state.as_str(), millis(-age), metadata).await;
        }
    }
    task.id
}

#[test]
fn the_functions_agree_with_the_engine_on_rows_that_nobody_writes() {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let fixture = runtime.block_on(Fixture::new());
    let seed = seed();
    let result = runner(cases() * 2, seed).run(&vec(raw_step(), 0..6), |steps| {
        runtime.block_on(async {
            let task = write(&fixture, &steps).await;
            let loaded = fixture.storage.load(&[task], Detail::Graph).await.expect("load");
            compare(fixture.pool(), &[task], &loaded).await
        })
    });
    report(seed, result);
}
