//! The execution contexts, branch by branch.

use serde_json::{Value, json};
use tasker_engine::StepId;

use crate::fixture::{Fixture, NOW, Started, later};
use crate::raw::only;

async fn told(fixture: &Fixture, task: &Started) -> Value {
    fixture.row(format!("SELECT * FROM get_task_execution_context_at('{NOW}', {})", task.id)).await
}

/// Status and health, of which each is a ladder of its own.
async fn verdict(fixture: &Fixture, task: &Started) -> (String, String) {
    let told = told(fixture, task).await;
    let text = |key: &str| told[key].as_str().expect("a text").to_owned();
    let action = match text("execution_status").as_str() {
        "has_ready_steps" => "execute_ready_steps",
        "processing" => "wait_for_completion",
        "blocked_by_failures" => "handle_failures",
        "all_complete" => "finalize_task",
        _ => "wait_for_dependencies",
    };
    assert_eq!(text("recommended_action"), action);
    (text("execution_status"), text("health_status"))
}

fn pair(status: &str, health: &str) -> (String, String) {
    (status.into(), health.into())
}

/// A failure whose attempts are used up.
async fn exhaust(fixture: &Fixture, step: StepId) {
    fixture.put_in(step, "error").await;
    fixture.set(step, "attempts = 3").await;
}

/// A failure that will be retried, later than now.
async fn fail(fixture: &Fixture, step: StepId) {
    fixture.put_in(step, "error").await;
    fixture.set(step, "attempts = 1").await;
}

#[tokio::test]
async fn a_task_is_told_whole() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> e, b, c, d, f, g").await;
    let states = [
        ("a", "complete"),
        ("b", "in_progress"),
        ("c", "resolved_manually"),
        ("d", "cancelled"),
        ("f", "error"),
    ];
    for (step, state) in states {
        fixture.put_in(task.step(step), state).await;
    }
    fixture.put_task(task.id, "in_progress", NOW).await;
    let named = fixture.number("SELECT named_task_id::bigint FROM tasker_tasks").await;
    let expected = json!({
        "task_id": task.id, "named_task_id": named, "status": "in_progress", "total_steps": 7, "pending_steps": 2,
        "in_progress_steps": 1, "completed_steps": 2, "failed_steps": 1, "ready_steps": 2,
        "execution_status": "has_ready_steps", "recommended_action": "execute_ready_steps",
        "completion_percentage": 28.57, "health_status": "recovering",
    });
    assert_eq!(told(&fixture, &task).await, expected);
}

#[tokio::test]
async fn the_status_is_that_of_the_current_row_or_pending() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    assert_eq!(told(&fixture, &task).await["status"], "pending");
    for state in ["in_progress", "complete", "error", "cancelled", "resolved_manually", "pending"] {
        fixture.put_task(task.id, state, NOW).await;
        assert_eq!(told(&fixture, &task).await["status"], state);
    }
    fixture.put_task(task.id, "error", NOW).await;
    fixture.sql("UPDATE tasker_task_transitions SET most_recent = false").await;
    assert_eq!(told(&fixture, &task).await["status"], "pending");
}

#[tokio::test]
async fn each_rung_gives_way_to_those_before_it() {
    let fixture = Fixture::new().await;
    let task = fixture.start("done, gone, dead -> behind, back, runs, next").await;
    let step = |name| task.step(name);
    for name in ["gone", "dead", "behind", "back", "runs", "next"] {
        fixture.put_in(step(name), "cancelled").await;
    }
    fixture.put_in(step("done"), "complete").await;
    assert_eq!(verdict(&fixture, &task).await, pair("all_complete", "healthy"));

    // A step that can never run, and one behind it that waits for ever.
    fixture.put_in(step("behind"), "pending").await;
    assert_eq!(verdict(&fixture, &task).await, pair("waiting_for_dependencies", "healthy"));
    exhaust(&fixture, step("dead")).await;
    assert_eq!(verdict(&fixture, &task).await, pair("blocked_by_failures", "blocked"));
    fail(&fixture, step("back")).await;
    assert_eq!(verdict(&fixture, &task).await, pair("waiting_for_dependencies", "blocked"));
    fixture.put_in(step("runs"), "in_progress").await;
    assert_eq!(verdict(&fixture, &task).await, pair("processing", "blocked"));
    fixture.put_in(step("next"), "pending").await;
    assert_eq!(verdict(&fixture, &task).await, pair("has_ready_steps", "recovering"));
}

#[tokio::test]
async fn a_failure_in_its_back_off_is_recovering_and_ready_when_it_is_over() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    fail(&fixture, task.step("a")).await;
    assert_eq!(verdict(&fixture, &task).await, pair("waiting_for_dependencies", "recovering"));
    let over = format!("SELECT * FROM get_task_execution_context_at('{}', {})", later(2), task.id);
    let keys = ["execution_status", "health_status", "ready_steps"];
    let expected =
        json!({ "execution_status": "has_ready_steps", "health_status": "recovering", "ready_steps": 1 });
    assert_eq!(only(&fixture.row(over).await, &keys), expected);
}

#[tokio::test]
async fn what_can_never_run_again_blocks_whatever_its_state() {
    let fixture = Fixture::new().await;
    for (state, columns) in [
        ("error", "attempts = 1, retryable = false"),
        ("error", "attempts = 3"),
        ("error", "attempts = NULL, retry_limit = 0"),
        ("pending", "attempts = 3, retry_limit = NULL"),
        ("pending", "attempts = 1, retryable = false"),
    ] {
        let task = fixture.start("a").await;
        fixture.put_in(task.step("a"), state).await;
        fixture.set(task.step("a"), columns).await;
        assert_eq!(
            verdict(&fixture, &task).await,
            pair("blocked_by_failures", "blocked"),
            "{state}, {columns}"
        );
    }
}

#[tokio::test]
async fn what_is_used_up_and_settled_or_running_does_not_block() {
    let fixture = Fixture::new().await;
    for (state, status) in [
        ("complete", "all_complete"),
        ("cancelled", "all_complete"),
        ("resolved_manually", "all_complete"),
        ("in_progress", "processing"),
    ] {
        let task = fixture.start("a").await;
        fixture.put_in(task.step("a"), state).await;
        fixture.set(task.step("a"), "attempts = 3, retryable = false").await;
        assert_eq!(verdict(&fixture, &task).await, pair(status, "healthy"), "{state}");
    }
}

#[tokio::test]
async fn a_task_without_steps_is_complete_at_nought() {
    let fixture = Fixture::new().await;
    let task = fixture.start("").await;
    let told = told(&fixture, &task).await;
    let keys = ["total_steps", "completed_steps", "ready_steps"];
    assert_eq!(only(&told, &keys), json!({ "total_steps": 0, "completed_steps": 0, "ready_steps": 0 }));
    assert_eq!(verdict(&fixture, &task).await, pair("all_complete", "healthy"));
}

/// As text, for the scale of a number is told, too.
#[tokio::test]
async fn percentages_have_two_decimals_and_that_of_nothing_one() {
    let fixture = Fixture::new().await;
    for (steps, complete, expected) in [
        (0, 0, "0.0"),
        (3, 0, "0.00"),
        (3, 1, "33.33"),
        (3, 2, "66.67"),
        (7, 1, "14.29"),
        (3, 3, "100.00"),
        (16, 1, "6.25"),
    ] {
        let graph: Vec<_> = (0..steps).map(|number| format!("s{number}")).collect();
        let task = fixture.start(&graph.join(", ")).await;
        for step in &task.steps[..complete] {
            fixture.put_in(*step, "complete").await;
        }
        let query = format!(
            "SELECT completion_percentage::text AS it FROM get_task_execution_context_at('{NOW}', {})",
            task.id
        );
        assert_eq!(fixture.row(query).await["it"], expected);
    }
}

#[tokio::test]
async fn tasks_are_told_in_order_and_each_once_and_unknown_ones_not_at_all() {
    let fixture = Fixture::new().await;
    let (one, other) = (fixture.start("a").await, fixture.start("").await);
    let (first, second) = (one.id, other.id);
    for (ids, expected) in [
        (format!("ARRAY[{second}, -1, {first}, {second}, NULL]"), vec![first, second]),
        ("ARRAY[]::bigint[]".to_owned(), vec![]),
        ("NULL".to_owned(), vec![]),
    ] {
        let query = format!("SELECT * FROM get_task_execution_contexts_batch_at('{NOW}', {ids})");
        assert_eq!(json!(fixture.column("task_id", query).await), json!(expected), "{ids}");
    }
    for id in ["-1", "NULL"] {
        let query = format!("SELECT * FROM get_task_execution_context_at('{NOW}', {id})");
        assert_eq!(fixture.rows(query).await, Vec::<Value>::new(), "{id}");
    }
}
