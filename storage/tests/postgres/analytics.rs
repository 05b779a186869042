//! Analytics, the slowest, and health counts, branch by branch.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Error};
use tasker_engine::{StepId, TaskId, Timestamp, Version};

use crate::fixture::{Fixture, NOW, Started, bind, later, template};
use crate::raw::{only, zoned};

/// A moment before [`NOW`].
fn ago(seconds: u64) -> Timestamp {
    NOW - Duration::from_secs(seconds)
}

impl Fixture {
    async fn created(&self, task: TaskId, at: Timestamp) {
        self.sql(format!("UPDATE tasker_tasks SET created_at = '{at}' WHERE task_id = {task}")).await;
        self.sql(format!("UPDATE tasker_workflow_steps SET created_at = '{at}' WHERE task_id = {task}"))
            .await;
    }

    async fn created_step(&self, step: StepId, at: Timestamp) {
        self.set(step, &format!("created_at = '{at}'")).await;
    }

    async fn reached(&self, step: StepId, state: &str, at: Timestamp) {
        self.put(step, state, at, json!({})).await;
    }

    /// Numbers as text, for their scale is told, too.
    async fn metrics(&self, version: &str, since: &str) -> [String; 12] {
        let query = format!(
            "SELECT ARRAY[active_tasks_count::text, total_namespaces_count::text, unique_task_types_count::text,
                 system_health_score::text, task_throughput::text, completion_count::text, error_count::text,
                 completion_rate::text, error_rate::text, avg_task_duration::text, avg_step_duration::text,
                 step_throughput::text] AS it
             FROM get_analytics_metrics_{version}_at('{NOW}', {since})"
        );
        serde_json::from_value(self.row(query).await["it"].clone()).expect("twelve texts")
    }
}

/// The reference's worked example: one task of two steps, one complete and one in error; then a second task.
async fn worked_example(fixture: &Fixture) -> (Started, Started) {
    let one = fixture.start("a, b").await;
    fixture.created(one.id, ago(100)).await;
    for step in &one.steps {
        fixture.created_step(*step, ago(90)).await;
    }
    fixture.reached(one.step("a"), "complete", ago(40)).await;
    fixture.reached(one.step("b"), "error", ago(30)).await;
    let other = fixture.start("c, d").await;
    fixture.created(other.id, ago(100)).await;
    fixture.reached(other.step("c"), "complete", ago(80)).await;
    (one, other)
}

#[tokio::test]
async fn of_an_empty_database_all_is_nought_and_healthy() {
    let fixture = Fixture::new().await;
    for version in ["v01", "v02"] {
        let told = fixture.metrics(version, "NULL").await;
        assert_eq!(
            told,
            ["0", "0", "0", "1.0", "0", "0", "0", "0.0", "0.0", "0.000", "0.000", "0"],
            "{version}"
        );
    }
}

#[tokio::test]
async fn the_first_version_keeps_the_numbers_of_the_reference() {
    let fixture = Fixture::new().await;
    let (_, other) = worked_example(&fixture).await;
    let told = fixture.metrics("v01", "NULL").await;
    let expected = ["0", "1", "1", "0.667", "2", "2", "1", "100.00", "50.00", "40.000", "35.000", "4"];
    assert_eq!(told, expected);
    let steps = other.steps.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    fixture
        .sql(format!(
            "DELETE FROM tasker_workflow_step_transitions WHERE workflow_step_id IN ({steps});
             DELETE FROM tasker_workflow_steps WHERE workflow_step_id IN ({steps});
             DELETE FROM tasker_tasks WHERE task_id = {}",
            other.id
        ))
        .await;
    let told = fixture.metrics("v01", "NULL").await;
    let expected = ["0", "1", "1", "0.500", "1", "1", "1", "100.00", "100.00", "60.000", "50.000", "2"];
    assert_eq!(told, expected);
}

#[tokio::test]
async fn the_second_version_counts_tasks_by_their_state() {
    let fixture = Fixture::new().await;
    let (one, other) = worked_example(&fixture).await;
    // Steps have completed and failed, tasks have not: both are open, one of them without a row.
    fixture.put_task(one.id, "in_progress", ago(90)).await;
    let told = fixture.metrics("v02", "NULL").await;
    assert_eq!(told, ["2", "1", "1", "1.0", "2", "0", "0", "0.00", "0.00", "0.000", "35.000", "4"]);
    fixture.put_task(one.id, "error", ago(20)).await;
    fixture.put_task(other.id, "complete", ago(60)).await;
    let told = fixture.metrics("v02", "NULL").await;
    assert_eq!(told, ["0", "1", "1", "0.500", "2", "1", "1", "50.00", "50.00", "40.000", "35.000", "4"]);
    for settled in ["cancelled", "resolved_manually"] {
        fixture.put_task(one.id, settled, ago(10)).await;
        let told = fixture.metrics("v02", "NULL").await;
        assert_eq!(told[..8], ["0", "1", "1", "1.000", "2", "1", "0", "50.00"], "{settled}");
    }
}

#[tokio::test]
async fn a_task_is_active_by_the_state_of_its_steps_or_by_its_own() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a, b").await;
    fixture.put_task(task.id, "complete", NOW).await;
    for (state, first, second) in [
        ("pending", "1", "0"),
        ("in_progress", "1", "0"),
        ("cancelled", "1", "0"),
        ("complete", "0", "0"),
        ("error", "0", "0"),
        ("resolved_manually", "0", "0"),
    ] {
        fixture.put_in(task.step("a"), state).await;
        assert_eq!(fixture.metrics("v01", "NULL").await[0], first, "{state}");
        assert_eq!(fixture.metrics("v02", "NULL").await[0], second, "{state}");
    }
    fixture.sql("UPDATE tasker_workflow_step_transitions SET most_recent = false").await;
    assert_eq!(fixture.metrics("v01", "NULL").await[0], "0", "a step without a row does not count");
    for (state, active) in [("pending", "1"), ("in_progress", "1"), ("error", "0")] {
        fixture.put_task(task.id, state, NOW).await;
        assert_eq!(fixture.metrics("v02", "NULL").await[0], active, "{state}");
    }
}

#[tokio::test]
async fn namespaces_and_names_count_when_they_have_a_task() {
    let fixture = Fixture::new().await;
    let start = async |namespace: &str, name: &str, version: Version| {
        let mut template = template("a");
        template.namespace_name = namespace.into();
        template.name = name.into();
        template.version = version;
        fixture.start_with(bind(template)).await
    };
    start("shop", "order", Version(1, 0, 0)).await;
    start("shop", "order", Version(2, 0, 0)).await;
    start("bank", "order", Version(1, 0, 0)).await;
    let unused = start("nobody", "nothing", Version(1, 0, 0)).await;
    fixture.sql(format!("DELETE FROM tasker_workflow_steps WHERE task_id = {}", unused.id)).await;
    fixture.sql(format!("DELETE FROM tasker_tasks WHERE task_id = {}", unused.id)).await;
    for version in ["v01", "v02"] {
        let told = fixture.metrics(version, "NULL").await;
        assert_eq!((told[1].as_str(), told[2].as_str()), ("2", "1"), "{version}");
    }
}

/// Both bounds are left out, and the score is of the last hour whatever is asked for.
#[tokio::test]
async fn the_period_begins_after_its_start_and_the_score_is_of_the_last_hour() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    fixture.reached(task.step("a"), "error", NOW).await;
    fixture.put_task(task.id, "error", NOW).await;
    for (created, since, tasks, score) in [
        (ago(3600), "NULL".to_owned(), "0", "1.0"),
        (ago(3599), "NULL".to_owned(), "1", "0.000"),
        (ago(3599), format!("'{}'", ago(3599)), "0", "0.000"),
        (ago(7200), format!("'{}'", ago(7201)), "1", "1.0"),
        (ago(60), format!("'{}'", ago(30)), "0", "0.000"),
    ] {
        fixture.created(task.id, created).await;
        for version in ["v01", "v02"] {
            let told = fixture.metrics(version, &since).await;
            assert_eq!(
                [told[4].as_str(), &told[3], &told[11]],
                [tasks, score, tasks],
                "{created} {since} {version}"
            );
        }
    }
    let zoned_since = "'2026-01-01 01:00:00+03'";
    for (since, start) in [("NULL", ago(3600)), (zoned_since, ago(2 * 3600))] {
        for version in ["v01", "v02"] {
            let query = format!("SELECT * FROM get_analytics_metrics_{version}_at('{NOW}', {since})");
            let told = fixture.row(query).await;
            assert_eq!(told["analysis_period_start"], zoned(start), "{since}");
            assert_eq!(told["calculated_at"], zoned(NOW));
        }
    }
}

#[tokio::test]
async fn the_slowest_steps_are_those_that_completed_by_how_long_they_took() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a, b, c, d, e, f").await;
    fixture.created(task.id, ago(100)).await;
    for (step, state, at) in [
        ("a", "complete", ago(90)),
        ("b", "complete", ago(50) + Duration::from_micros(1500)),
        ("c", "complete", ago(100)),
        ("d", "complete", ago(101)),
        ("e", "error", ago(10)),
        ("f", "resolved_manually", ago(10)),
    ] {
        fixture.reached(task.step(step), state, at).await;
    }
    fixture.set(task.step("b"), "attempts = 2, retryable = false").await;
    let slowest = format!("SELECT * FROM get_slowest_steps_v01_at('{NOW}')");
    let rows = fixture.rows(&slowest).await;
    assert_eq!(rows.iter().map(|row| row["step_name"].clone()).collect::<Vec<_>>(), ["b", "a"]);
    let expected = json!({
        "workflow_step_id": task.step("b"), "task_id": task.id, "step_name": "b", "task_name": "workflow",
        "namespace_name": "suite", "version": "1.0.0", "duration_seconds": 50.002, "attempts": 2,
        "created_at": zoned(ago(100)), "completed_at": zoned(ago(50) + Duration::from_micros(1500)),
        "retryable": false, "step_status": "complete",
    });
    assert_eq!(rows[0], expected);
    fixture.set(task.step("b"), "attempts = NULL").await;
    assert_eq!(fixture.rows(&slowest).await[0]["attempts"], Value::Null, "as it is stored");
}

#[tokio::test]
async fn the_slowest_tasks_are_told_with_each_step_counted_once() {
    let fixture = Fixture::new().await;
    // The reference multiplies by rows of the audit trail: it would tell of five steps and three that completed.
    let one = fixture.start("a, b, c").await;
    fixture.created(one.id, ago(100)).await;
    for (state, at) in [("pending", ago(90)), ("in_progress", ago(80)), ("complete", ago(70))] {
        fixture.reached(one.step("a"), state, at).await;
    }
    fixture.reached(one.step("b"), "in_progress", ago(60)).await;
    let other = fixture.start("d, e").await;
    fixture.created(other.id, ago(100)).await;
    fixture.reached(other.step("d"), "complete", ago(60)).await;
    fixture.reached(other.step("e"), "error", ago(20)).await;
    let before_its_time = fixture.start("f").await;
    fixture.created(before_its_time.id, ago(10)).await;
    fixture.reached(before_its_time.step("f"), "complete", ago(15)).await;
    let resolved = fixture.start("g").await;
    fixture.reached(resolved.step("g"), "resolved_manually", NOW).await;

    let slowest = format!("SELECT * FROM get_slowest_tasks_v01_at('{NOW}')");
    let rows = fixture.rows(&slowest).await;
    let told = rows.iter().map(|row| {
        ["task_id", "duration_seconds", "step_count", "completed_steps", "error_steps"]
            .map(|key| row[key].clone())
    });
    assert_eq!(
        json!(told.collect::<Vec<_>>()),
        json!([[other.id, 80.0, 2, 1, 1], [one.id, 30.0, 3, 1, 0], [before_its_time.id, -5.0, 1, 1, 0]])
    );
    let expected = json!({
        "task_name": "workflow", "namespace_name": "suite", "version": "1.0.0", "created_at": zoned(ago(100)),
        "completed_at": zoned(ago(20)), "initiator": "test", "source_system": "test",
    });
    let keys: Vec<_> = expected.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(only(&rows[0], &keys), expected);
}

#[tokio::test]
async fn the_slowest_are_filtered_limited_and_of_the_last_day() {
    let fixture = Fixture::new().await;
    let start = async |namespace: &str, name: &str, version: Version, seconds: u64| {
        let mut template = template("a");
        template.namespace_name = namespace.into();
        template.name = name.into();
        template.version = version;
        let task = fixture.start_with(bind(template)).await;
        fixture.created(task.id, ago(24 * 3600)).await;
        fixture.reached(task.step("a"), "complete", ago(24 * 3600 - seconds)).await;
        task.id
    };
    let one = start("shop", "order", Version(1, 0, 0), 3).await;
    let two = start("shop", "refund", Version(2, 0, 0), 2).await;
    let three = start("bank", "order", Version(2, 0, 0), 1).await;
    let same = start("bank", "order", Version(2, 0, 0), 1).await;
    let since = format!("since_timestamp => '{}'", ago(24 * 3600 + 1));
    for (arguments, expected) in [
        (String::new(), vec![]),
        (since.clone(), vec![one, two, three, same]),
        (format!("{since}, limit_count => 2"), vec![one, two]),
        (format!("{since}, limit_count => 0"), vec![]),
        (format!("{since}, limit_count => NULL"), vec![one, two, three, same]),
        (format!("{since}, namespace_filter => 'shop'"), vec![one, two]),
        (format!("{since}, namespace_filter => ''"), vec![]),
        (format!("{since}, task_name_filter => 'order'"), vec![one, three, same]),
        (format!("{since}, version_filter => '2.0.0', namespace_filter => 'shop'"), vec![two]),
    ] {
        for name in ["get_slowest_steps_v01_at", "get_slowest_tasks_v01_at"] {
            let comma = if arguments.is_empty() { "" } else { ", " };
            let query = format!("SELECT * FROM {name}('{NOW}'{comma}{arguments})");
            assert_eq!(json!(fixture.column("task_id", query).await), json!(expected), "{name} {arguments}");
        }
    }
    // In the second before the limit of a day they are all told.
    let earlier = ago(1);
    let query = format!("SELECT * FROM get_slowest_tasks_v01_at('{earlier}')");
    assert_eq!(fixture.rows(query).await.len(), 4);
    for name in ["get_slowest_steps_v01_at", "get_slowest_tasks_v01_at"] {
        let refused = fixture.try_rows(format!("SELECT * FROM {name}('{NOW}', limit_count => -1)")).await;
        let Err(Error::Database(error)) = refused else { panic!("{refused:?}") };
        assert_eq!(error.code().as_deref(), Some("2201W"), "{name}");
    }
}

async fn health(fixture: &Fixture, now: Timestamp) -> Value {
    fixture.row(format!("SELECT * FROM get_system_health_counts_v01_at('{now}')")).await
}

#[tokio::test]
async fn tasks_and_steps_are_counted_by_state_and_those_without_a_row_are_pending() {
    let fixture = Fixture::new().await;
    let states = ["pending", "in_progress", "complete", "error", "cancelled", "resolved_manually"];
    for state in states {
        let task = fixture.start("a").await;
        fixture.put_task(task.id, state, NOW).await;
        fixture.put_in(task.step("a"), state).await;
    }
    fixture.start("a").await;
    let told = health(&fixture, NOW).await;
    for (key, expected) in [
        ("total_tasks", 7),
        ("pending_tasks", 2),
        ("in_progress_tasks", 1),
        ("complete_tasks", 1),
        ("error_tasks", 1),
        ("cancelled_tasks", 1),
        ("total_steps", 7),
        ("pending_steps", 2),
        ("in_progress_steps", 1),
        ("complete_steps", 1),
        ("error_steps", 1),
    ] {
        assert_eq!(told[key], expected, "{key}");
    }
}

#[tokio::test]
async fn failures_are_counted_by_what_may_become_of_them() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    let step = task.step("a");
    let asked = format!("last_attempted_at = '{NOW}', backoff_request_seconds = 60");
    for (state, columns, now, expected) in [
        ("error", "attempts = 1".to_owned(), later(1), [1, 0, 1]),
        ("error", "attempts = 1".to_owned(), later(2), [1, 0, 0]),
        ("error", "attempts = NULL, retry_limit = NULL".to_owned(), NOW, [1, 0, 1]),
        ("error", "attempts = 3, retry_limit = NULL".to_owned(), NOW, [0, 1, 0]),
        ("error", "attempts = NULL, retry_limit = 0".to_owned(), NOW, [0, 1, 0]),
        ("error", "attempts = 1, retry_limit = 3, retryable = false".to_owned(), NOW, [0, 0, 0]),
        ("error", "attempts = 3, retryable = false".to_owned(), NOW, [0, 1, 0]),
        ("error", format!("attempts = 1, retryable = true, {asked}"), later(59), [1, 0, 1]),
        ("error", format!("attempts = 1, {asked}"), later(60), [1, 0, 0]),
        ("pending", format!("attempts = 1, {asked}"), NOW, [0, 0, 0]),
        ("pending", "attempts = 3".to_owned(), NOW, [0, 0, 0]),
    ] {
        fixture.put_in(step, state).await;
        fixture.set(step, &columns).await;
        let told = health(&fixture, now).await;
        let found =
            ["retryable_error_steps", "exhausted_retry_steps", "in_backoff_steps"].map(|key| &told[key]);
        assert_eq!(json!(found), json!(expected), "{state}, {columns}, {now}");
    }
}

#[tokio::test]
async fn connections_at_work_are_told_and_idle_ones_are_not() {
    let fixture = Fixture::new().await;
    let mut idle = Vec::new();
    for _ in 0..6 {
        idle.push(PgConnection::connect_with(&fixture.options()).await.unwrap());
    }
    let told = health(&fixture, NOW).await;
    // The one that asks; and the server's own three may be clearing up.
    assert!((1..=4).contains(&told["active_connections"].as_i64().unwrap()), "{told}");
    let allowed = fixture.row("SELECT current_setting('max_connections')::bigint AS it").await;
    assert_eq!(told["max_connections"], allowed["it"]);
}
