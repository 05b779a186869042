//! The readiness functions, branch by branch.

use std::time::Duration;

use serde_json::{Value, json};
use tasker_engine::{StepId, StepState, Timestamp};

use crate::fixture::{Fixture, NOW, Started, later};
use crate::raw::{naive, only};

const MICRO: Duration = Duration::from_micros(1);

/// What is told of one step at a moment.
async fn told_at(fixture: &Fixture, now: Timestamp, task: &Started, step: StepId) -> Value {
    let id = task.id;
    fixture.row(format!("SELECT * FROM get_step_readiness_status_at('{now}', {id}, ARRAY[{step}])")).await
}

async fn is_ready_at(fixture: &Fixture, now: Timestamp, task: &Started, step: StepId) -> bool {
    told_at(fixture, now, task, step).await["ready_for_execution"].as_bool().expect("never null")
}

/// A fixture with one task of the one step `a`.
async fn one_step() -> (Fixture, Started, StepId) {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    let step = task.step("a");
    (fixture, task, step)
}

#[tokio::test]
async fn a_fresh_step_is_told_whole() {
    let (fixture, task, step) = one_step().await;
    let named = fixture.number("SELECT named_step_id::bigint FROM tasker_workflow_steps").await;
    let expected = json!({
        "workflow_step_id": step, "task_id": task.id, "named_step_id": named, "name": "a", "current_state": "pending",
        "dependencies_satisfied": true, "retry_eligible": true, "ready_for_execution": true,
        "last_failure_at": null, "next_retry_at": null, "total_parents": 0, "completed_parents": 0,
        "attempts": 0, "retry_limit": 3, "backoff_request_seconds": null, "last_attempted_at": null,
    });
    assert_eq!(told_at(&fixture, NOW, &task, step).await, expected);
}

#[tokio::test]
async fn only_pending_and_failed_steps_are_ready() {
    let (fixture, task, step) = one_step().await;
    for state in StepState::ALL {
        fixture.put_in(step, state.as_str()).await;
        let told = told_at(&fixture, later(60), &task, step).await;
        let ready = matches!(state, StepState::Pending | StepState::Error);
        assert_eq!(told["current_state"], state.as_str());
        assert_eq!(told["ready_for_execution"], ready, "{state}");
        let failed = if state == StepState::Error { naive(NOW) } else { Value::Null };
        assert_eq!(told["last_failure_at"], failed, "{state}");
    }
}

#[tokio::test]
async fn a_history_without_a_current_row_is_pending() {
    let (fixture, task, step) = one_step().await;
    fixture.put_in(step, "complete").await;
    fixture.sql("UPDATE tasker_workflow_step_transitions SET most_recent = false").await;
    assert_eq!(told_at(&fixture, NOW, &task, step).await["current_state"], "pending");
}

#[tokio::test]
async fn parents_are_satisfied_when_all_are_complete_or_resolved() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> c, b -> c").await;
    let (a, b, c) = (task.step("a"), task.step("b"), task.step("c"));
    let keys = ["dependencies_satisfied", "ready_for_execution", "total_parents", "completed_parents"];
    let told = async || {
        let told = told_at(&fixture, later(60), &task, c).await;
        keys.map(|key| told[key].clone())
    };
    assert_eq!(told().await, [json!(false), json!(false), json!(2), json!(0)]);
    fixture.put_in(a, "complete").await;
    for state in StepState::ALL {
        fixture.put_in(b, state.as_str()).await;
        let satisfied = state.is_satisfied();
        let completed = 1 + i32::from(satisfied);
        let expected = [json!(satisfied), json!(satisfied), json!(2), json!(completed)];
        assert_eq!(told().await, expected, "{state}");
    }
}

#[tokio::test]
async fn edges_of_old_data_count_as_often_as_they_stand_and_from_wherever() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.start("a -> b").await, fixture.start("x").await);
    fixture.sql("DROP INDEX index_workflow_step_edges_on_from_step_id_and_to_step_id").await;
    fixture.edge(one.step("a"), one.step("b")).await;
    fixture.edge(other.step("x"), one.step("b")).await;
    fixture.put_in(one.step("a"), "complete").await;
    let keys = ["dependencies_satisfied", "total_parents", "completed_parents"];
    let told = told_at(&fixture, NOW, &one, one.step("b")).await;
    assert_eq!(
        only(&told, &keys),
        json!({ "dependencies_satisfied": false, "total_parents": 3, "completed_parents": 2 })
    );
    fixture.put_in(other.step("x"), "resolved_manually").await;
    let told = told_at(&fixture, NOW, &one, one.step("b")).await;
    assert_eq!(
        only(&told, &keys),
        json!({ "dependencies_satisfied": true, "total_parents": 3, "completed_parents": 3 })
    );
}

#[tokio::test]
async fn a_step_that_is_not_retryable_may_run_once() {
    let (fixture, task, step) = one_step().await;
    for (columns, ready) in [
        ("retryable = false, attempts = NULL", true),
        ("retryable = false, attempts = 0", true),
        ("retryable = false, attempts = 1", false),
        ("retryable = true, attempts = 1", true),
    ] {
        fixture.set(step, columns).await;
        let told = told_at(&fixture, NOW, &task, step).await;
        assert_eq!(told["ready_for_execution"], ready, "{columns}");
        assert_eq!(told["retry_eligible"], true, "{columns}: it tells of attempts only");
    }
}

#[tokio::test]
async fn attempts_count_against_the_limit_and_nulls_are_none_and_three() {
    let (fixture, task, step) = one_step().await;
    for (columns, attempts, limit, eligible) in [
        ("attempts = NULL, retry_limit = NULL", 0, 3, true),
        ("attempts = 2, retry_limit = NULL", 2, 3, true),
        ("attempts = 3, retry_limit = NULL", 3, 3, false),
        ("attempts = NULL, retry_limit = 0", 0, 0, false),
        ("attempts = 4, retry_limit = 5", 4, 5, true),
        ("attempts = 6, retry_limit = 5", 6, 5, false),
    ] {
        fixture.set(step, columns).await;
        let told = told_at(&fixture, NOW, &task, step).await;
        let expected = json!({
            "attempts": attempts, "retry_limit": limit, "retry_eligible": eligible, "ready_for_execution": eligible,
        });
        let keys = ["attempts", "retry_limit", "retry_eligible", "ready_for_execution"];
        assert_eq!(only(&told, &keys), expected, "{columns}");
    }
}

#[tokio::test]
async fn a_step_with_a_flag_of_one_that_runs_or_is_done_is_not_ready() {
    let (fixture, task, step) = one_step().await;
    for columns in ["processed = true, in_process = false", "processed = false, in_process = true"] {
        fixture.set(step, columns).await;
        assert!(!is_ready_at(&fixture, NOW, &task, step).await, "{columns}");
    }
}

/// Every count of attempts has an answer, also where the reference's overflows.
#[tokio::test]
async fn a_failure_waits_one_two_four_up_to_thirty_seconds_and_not_a_microsecond_longer() {
    let (fixture, task, step) = one_step().await;
    fixture.put_in(step, "error").await;
    for (attempts, seconds) in [
        ("NULL", 1),
        ("0", 1),
        ("1", 2),
        ("2", 4),
        ("3", 8),
        ("4", 16),
        ("5", 30),
        ("44", 30),
        ("1024", 30),
        ("2147483646", 30),
    ] {
        fixture.set(step, &format!("attempts = {attempts}, retry_limit = 2147483647")).await;
        let due = later(seconds);
        let told = told_at(&fixture, due, &task, step).await;
        assert_eq!(told["next_retry_at"], naive(due), "{attempts}");
        assert_eq!(told["ready_for_execution"], true, "{attempts}");
        assert!(!is_ready_at(&fixture, due - MICRO, &task, step).await, "{attempts}");
    }
}

#[tokio::test]
async fn of_two_gates_the_later_one_holds() {
    let (fixture, task, step) = one_step().await;
    fixture.put(step, "error", later(10), json!({})).await;
    // The failure gate opens at 10 + 4 seconds.
    for (asked, due) in [(20, 20), (14, 14), (5, 14), (0, 14), (-7, 14)] {
        fixture
            .set(
                step,
                &format!("attempts = 2, last_attempted_at = '{NOW}', backoff_request_seconds = {asked}"),
            )
            .await;
        let told = told_at(&fixture, later(due), &task, step).await;
        assert_eq!(told["next_retry_at"], naive(later(due)), "{asked}");
        assert_eq!(told["backoff_request_seconds"], asked);
        assert_eq!(told["last_attempted_at"], naive(NOW));
        assert_eq!(told["ready_for_execution"], true, "{asked}");
        assert!(!is_ready_at(&fixture, later(due) - MICRO, &task, step).await, "{asked}");
    }
    fixture.set(step, "last_attempted_at = NULL, backoff_request_seconds = 20").await;
    assert!(is_ready_at(&fixture, later(14), &task, step).await, "without an attempt nothing was asked for");
}

#[tokio::test]
async fn a_pending_step_waits_for_what_was_asked_for_and_for_nothing_else() {
    let (fixture, task, step) = one_step().await;
    fixture.put(step, "pending", later(10), json!({})).await;
    fixture.set(step, &format!("attempts = 2, last_attempted_at = '{NOW}'")).await;
    assert!(is_ready_at(&fixture, NOW, &task, step).await);
    fixture.set(step, "backoff_request_seconds = 20").await;
    assert!(!is_ready_at(&fixture, later(20) - MICRO, &task, step).await);
    assert!(is_ready_at(&fixture, later(20), &task, step).await);
    fixture.set(step, "backoff_request_seconds = -20").await;
    assert!(is_ready_at(&fixture, NOW, &task, step).await);
}

#[tokio::test]
async fn a_moment_that_was_decided_governs_alone() {
    let (fixture, task, step) = one_step().await;
    let asked = format!("attempts = 2, last_attempted_at = '{NOW}', backoff_request_seconds = 60");
    fixture.set(step, &asked).await;
    for state in ["error", "pending"] {
        for until in [NOW + Duration::from_millis(50), later(3 * 24 * 3600)] {
            fixture.put(step, state, NOW, json!({ "backoff_until": until })).await;
            let told = told_at(&fixture, until, &task, step).await;
            assert_eq!(told["next_retry_at"], naive(until));
            assert_eq!(told["ready_for_execution"], true);
            assert!(!is_ready_at(&fixture, until - MICRO, &task, step).await);
        }
    }
}

#[tokio::test]
async fn a_moment_that_is_none_does_not_govern() {
    let (fixture, task, step) = one_step().await;
    for odd in
        ["soon", "2026-02-30T00:00:00Z", "2030-01-01T00:00:00+00:00", "2030-01-01", "0000-01-01T00:00:00Z"]
    {
        fixture.put(step, "error", NOW, json!({ "backoff_until": odd })).await;
        let told = told_at(&fixture, NOW, &task, step).await;
        assert_eq!(told["next_retry_at"], naive(later(1)), "{odd}");
    }
}

#[tokio::test]
async fn what_was_asked_for_is_told_in_every_state() {
    let (fixture, task, step) = one_step().await;
    fixture
        .set(step, &format!("attempts = 1, last_attempted_at = '{NOW}', backoff_request_seconds = 7"))
        .await;
    for state in ["pending", "in_progress", "complete", "error", "cancelled", "resolved_manually"] {
        fixture.put_in(step, state).await;
        let told = told_at(&fixture, NOW, &task, step).await;
        assert_eq!(told["next_retry_at"], naive(later(7)), "{state}");
    }
}

#[tokio::test]
async fn only_the_steps_that_are_asked_for_are_told_and_only_of_that_task() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.start("a, b, c").await, fixture.start("x").await);
    let (a, c, x) = (one.step("a"), one.step("c"), other.step("x"));
    let id = one.id;
    for (steps, expected) in [
        ("NULL".to_owned(), one.steps.clone()),
        (format!("ARRAY[{c}, {a}, {c}, {x}, -1]"), vec![a, c]),
        ("ARRAY[]::bigint[]".to_owned(), vec![]),
        ("ARRAY[NULL]::bigint[]".to_owned(), vec![]),
    ] {
        let query = format!("SELECT * FROM get_step_readiness_status_at('{NOW}', {id}, {steps})");
        assert_eq!(json!(fixture.column("workflow_step_id", query).await), json!(expected), "{steps}");
    }
    let without = format!("SELECT * FROM get_step_readiness_status_at('{NOW}', {id})");
    assert_eq!(json!(fixture.column("workflow_step_id", without).await), json!(one.steps));
    for task in ["-1", "NULL"] {
        let query = format!("SELECT * FROM get_step_readiness_status_at('{NOW}', {task})");
        assert_eq!(fixture.rows(query).await, Vec::<Value>::new());
    }
}

/// Rows that were updated lie behind the others, so their order in the table is not that of their keys.
#[tokio::test]
async fn rows_are_told_by_task_and_step_and_each_once() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.start("a, b").await, fixture.start("c, d").await);
    fixture.set(one.steps[0], "attempts = 1").await;
    let batch = |ids: String| {
        let query = format!("SELECT * FROM get_step_readiness_status_batch_at('{NOW}', {ids})");
        let fixture = &fixture;
        async move { json!(fixture.column("workflow_step_id", query).await) }
    };
    let both: Vec<StepId> = one.steps.iter().chain(&other.steps).copied().collect();
    let (first, second) = (one.id, other.id);
    assert_eq!(batch(format!("ARRAY[{second}, -1, {first}, {second}, NULL]")).await, json!(both));
    assert_eq!(batch(format!("ARRAY[{second}]")).await, json!(other.steps));
    assert_eq!(batch("ARRAY[]::bigint[]".into()).await, json!([]));
    assert_eq!(batch("NULL".into()).await, json!([]));
    let single = format!("SELECT * FROM get_step_readiness_status_at('{NOW}', {first})");
    let several = format!("SELECT * FROM get_step_readiness_status_batch_at('{NOW}', ARRAY[{first}])");
    assert_eq!(fixture.rows(several).await, fixture.rows(single).await);
}
