//! The reference's functions answer the same whatever the session is set to, and are found where they were made.

use serde_json::json;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool};
use sqlx::{Connection as _, Row as _};
use tasker_storage::postgres::PostgresStorage;
use tasker_storage::postgres::cluster::TestDatabase;

use crate::fixture::{Fixture, Started};

/// Every question, with what it is asked about filled in: rows as text, in order.
const QUESTIONS: [&str; 10] = [
    "SELECT r::text FROM {schema}.get_step_readiness_status({task}) AS r",
    "SELECT r::text FROM {schema}.get_step_readiness_status_batch(ARRAY[{task}]::bigint[]) AS r",
    "SELECT r::text FROM {schema}.get_task_execution_context({task}) AS r",
    "SELECT r::text FROM {schema}.get_task_execution_contexts_batch(ARRAY[{task}]::bigint[]) AS r",
    "SELECT r::text FROM {schema}.calculate_dependency_levels({task}) AS r",
    "SELECT task_throughput::text FROM {schema}.get_analytics_metrics_v01()",
    "SELECT task_throughput::text FROM {schema}.get_analytics_metrics_v02()",
    "SELECT r.task_id::text FROM {schema}.get_slowest_tasks_v01() AS r UNION ALL
     SELECT r.workflow_step_id::text FROM {schema}.get_slowest_steps_v01() AS r",
    "SELECT r.total_tasks || ' ' || r.error_steps || ' ' || r.in_backoff_steps
     FROM {schema}.get_system_health_counts_v01() AS r",
    "SELECT r::text FROM {schema}.tasker_step_dag_relationships AS r WHERE task_id = {task}",
];

async fn answers(options: PgConnectOptions, schema: &str, task: i64) -> Vec<Vec<String>> {
    let mut session = PgConnection::connect_with(&options).await.unwrap();
    let mut answers = Vec::new();
    for question in QUESTIONS {
        let question = question.replace("{schema}", schema).replace("{task}", &task.to_string());
        let rows = sqlx::query(sqlx::AssertSqlSafe(question)).fetch_all(&mut session).await.unwrap();
        answers.push(rows.iter().map(|row| row.get(0)).collect());
    }
    session.close().await.unwrap();
    answers
}

/// A task whose steps failed an hour ago and just now, and one that took a second; all at the server's time.
async fn a_task_of_this_hour(fixture: &Fixture) -> Started {
    let task = fixture.start("done -> failed, done -> failing").await;
    let [done, failed, failing] = ["done", "failed", "failing"].map(|name| task.step(name));
    for (step, state) in [(done, "complete"), (failed, "error"), (failing, "error")] {
        fixture.put_in(step, state).await;
        fixture.set(step, "attempts = 1").await;
    }
    // In a microsecond's time the second one's back-off is not over: it lasts two seconds, and an hour for certain.
    fixture
        .sql(format!(
            "UPDATE tasker_tasks SET created_at = now() AT TIME ZONE 'UTC' - interval '2 minutes';
             UPDATE tasker_workflow_steps SET created_at = now() AT TIME ZONE 'UTC' - interval '2 minutes';
             UPDATE tasker_workflow_step_transitions AS t
             SET created_at = now() AT TIME ZONE 'UTC' - ago, metadata = metadata || extra
             FROM (VALUES ({done}, interval '1 minute', '{{}}'::jsonb), ({failed}, interval '1 hour', '{{}}'),
                 ({failing}, interval '0', jsonb_build_object('backoff_until', to_char(
                     now() AT TIME ZONE 'UTC' + interval '1 hour', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'))))
                 AS u (step, ago, extra)
             WHERE t.workflow_step_id = u.step"
        ))
        .await;
    task
}

#[tokio::test]
async fn the_zone_of_a_session_changes_nothing() {
    let fixture = Fixture::new().await;
    let task = a_task_of_this_hour(&fixture).await;
    let expected = answers(fixture.options().options([("TimeZone", "UTC")]), "public", task.id.0).await;
    // The answers depend on time, or the test would say nothing: `failed` is ready, `failing` waits.
    assert!(expected[2][0].contains("has_ready_steps"), "{:?}", expected[2]);
    assert_eq!(expected[5], ["1"]);
    assert_eq!(expected[6], ["1"]);
    assert_eq!(expected[7].len(), 2);
    assert_eq!(expected[8], ["1 2 1"]);
    for zone in ["America/New_York", "Asia/Tokyo"] {
        let options = fixture.options().options([("TimeZone", zone), ("DateStyle", "German")]);
        let told = answers(options, "public", task.id.0).await;
        // How moments are written is the session's affair; all else is the same.
        for (place, (told, expected)) in told.iter().zip(&expected).enumerate() {
            if place > 1 {
                assert_eq!(told, expected, "{zone}: {}", QUESTIONS[place]);
            }
        }
        let ready = "SELECT ready_for_execution FROM get_step_readiness_status($1)";
        let pool =
            PgPool::connect_with(fixture.options().options([("TimeZone", zone)])).await.expect("a session");
        let ready: Vec<bool> =
            sqlx::query_scalar(ready).bind(task.id.0).fetch_all(&pool).await.expect("the step's readiness");
        assert_eq!(ready, [false, true, false], "{zone}");
        pool.close().await;
    }
}

#[tokio::test]
async fn the_search_path_of_a_session_and_how_it_plans_change_nothing() {
    let fixture = Fixture::new().await;
    let task = a_task_of_this_hour(&fixture).await;
    let expected = answers(fixture.options(), "public", task.id.0).await;
    let strange = fixture.options().options([
        ("search_path", "pg_catalog"),
        ("plan_cache_mode", "force_custom_plan"),
        ("enable_indexscan", "off"),
    ]);
    assert_eq!(answers(strange, "public", task.id.0).await, expected);
}

#[tokio::test]
async fn a_schema_of_another_name_is_found_from_sessions_that_do_not_know_it() {
    let database = TestDatabase::empty().await.unwrap();
    let plain = PgPool::connect_with(database.options()).await.unwrap();
    sqlx::raw_sql("CREATE SCHEMA \"Work flows\"").execute(&plain).await.unwrap();
    let inside = database.options().options([("search_path", "\"Work flows\"")]);
    let storage = PostgresStorage::from(PgPool::connect_with(inside).await.unwrap());
    storage.migrate().await.unwrap();
    sqlx::raw_sql(
        "INSERT INTO tasker_named_tasks (name, created_at, updated_at) VALUES ('w', now(), now());
         INSERT INTO tasker_tasks (named_task_id, requested_at, identity_hash, created_at, updated_at)
         VALUES (1, now(), 'one', now() AT TIME ZONE 'UTC', now());
         INSERT INTO tasker_dependent_systems (name, created_at, updated_at) VALUES ('s', now(), now());
         INSERT INTO tasker_named_steps (dependent_system_id, name, created_at, updated_at)
         VALUES (1, 'a', now(), now());
         INSERT INTO tasker_workflow_steps (task_id, named_step_id, created_at, updated_at)
         VALUES (1, 1, now(), now())",
    )
    .execute(storage.pool())
    .await
    .unwrap();
    let told = answers(database.options(), "\"Work flows\"", 1).await;
    let rows: Vec<_> = told.iter().map(Vec::len).collect();
    assert_eq!(rows, [1, 1, 1, 1, 1, 1, 1, 0, 1, 1]);
    assert!(told[2][0].contains("has_ready_steps"), "{:?}", told[2]);
    assert_eq!(told[5], ["1"]);
    storage.revert(0).await.unwrap();
    plain.close().await;
    storage.pool().close().await;
}

/// The reference takes the transaction's start, so in a long one no back-off is ever over.
#[tokio::test]
async fn a_back_off_ends_within_a_transaction() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    fixture.put_in(task.step("a"), "error").await;
    let mut session = PgConnection::connect_with(&fixture.options()).await.unwrap();
    let mut transaction = session.begin().await.unwrap();
    // Over when this statement began, not yet when the transaction did.
    sqlx::query(
        "UPDATE tasker_workflow_step_transitions
         SET created_at = statement_timestamp() AT TIME ZONE 'UTC' - interval '1 second'
         WHERE statement_timestamp() > transaction_timestamp()",
    )
    .execute(&mut *transaction)
    .await
    .unwrap();
    let statement = "SELECT ready_for_execution, next_retry_at > transaction_timestamp() AT TIME ZONE 'UTC'
         FROM get_step_readiness_status($1)";
    let row = sqlx::query(statement).bind(task.id.0).fetch_one(&mut *transaction).await.unwrap();
    assert_eq!((row.get::<bool, _>(0), row.get::<bool, _>(1)), (true, true));
    transaction.rollback().await.unwrap();
}

/// Names, arguments and columns are the reference's, in its order; what takes the moment has it first.
#[tokio::test]
async fn every_function_has_the_signature_and_the_columns_of_the_reference() {
    const READINESS: &str = "workflow_step_id bigint, task_id bigint, named_step_id integer, name text, current_state text, dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean, last_failure_at timestamp without time zone, next_retry_at timestamp without time zone, total_parents integer, completed_parents integer, attempts integer, retry_limit integer, backoff_request_seconds integer, last_attempted_at timestamp without time zone";
    const CONTEXT: &str = "task_id bigint, named_task_id integer, status text, total_steps bigint, pending_steps bigint, in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text, recommended_action text, completion_percentage numeric, health_status text";
    const METRICS: &str = "active_tasks_count bigint, total_namespaces_count bigint, unique_task_types_count bigint, system_health_score numeric, task_throughput bigint, completion_count bigint, error_count bigint, completion_rate numeric, error_rate numeric, avg_task_duration numeric, avg_step_duration numeric, step_throughput bigint, analysis_period_start timestamp with time zone, calculated_at timestamp with time zone";
    const SLOWEST_STEPS: &str = "workflow_step_id bigint, task_id bigint, step_name character varying, task_name character varying, namespace_name character varying, version character varying, duration_seconds numeric, attempts integer, created_at timestamp with time zone, completed_at timestamp with time zone, retryable boolean, step_status character varying";
    const SLOWEST_TASKS: &str = "task_id bigint, task_name character varying, namespace_name character varying, version character varying, duration_seconds numeric, step_count bigint, completed_steps bigint, error_steps bigint, created_at timestamp with time zone, completed_at timestamp with time zone, initiator character varying, source_system character varying";
    const HEALTH: &str = "total_tasks bigint, pending_tasks bigint, in_progress_tasks bigint, complete_tasks bigint, error_tasks bigint, cancelled_tasks bigint, total_steps bigint, pending_steps bigint, in_progress_steps bigint, complete_steps bigint, error_steps bigint, retryable_error_steps bigint, exhausted_retry_steps bigint, in_backoff_steps bigint, active_connections bigint, max_connections bigint";
    const SINCE: &str = "since_timestamp timestamp with time zone DEFAULT NULL::timestamp with time zone";
    const FILTERS: &str = "limit_count integer DEFAULT 10, namespace_filter text DEFAULT NULL::text, task_name_filter text DEFAULT NULL::text, version_filter text DEFAULT NULL::text";
    let slowest = format!("{SINCE}, {FILTERS}");

    let mut expected = Vec::new();
    for (name, arguments, columns) in [
        (
            "get_step_readiness_status",
            "input_task_id bigint, step_ids bigint[] DEFAULT NULL::bigint[]",
            READINESS,
        ),
        ("get_step_readiness_status_batch", "input_task_ids bigint[]", READINESS),
        ("get_task_execution_context", "input_task_id bigint", CONTEXT),
        ("get_task_execution_contexts_batch", "input_task_ids bigint[]", CONTEXT),
        ("get_analytics_metrics_v01", SINCE, METRICS),
        ("get_analytics_metrics_v02", SINCE, METRICS),
        ("get_slowest_steps_v01", &slowest, SLOWEST_STEPS),
        ("get_slowest_tasks_v01", &slowest, SLOWEST_TASKS),
        ("get_system_health_counts_v01", "", HEALTH),
    ] {
        let comma = if arguments.is_empty() { "" } else { ", " };
        let with_now = format!("now timestamp with time zone{comma}{arguments}");
        expected.push(json!({ "name": name, "arguments": arguments, "result": format!("TABLE({columns})") }));
        expected.push(json!({
            "name": format!("{name}_at"), "arguments": with_now, "result": format!("TABLE({columns})"),
        }));
    }
    expected.push(json!({
        "name": "calculate_dependency_levels", "arguments": "input_task_id bigint",
        "result": "TABLE(workflow_step_id bigint, dependency_level integer)",
    }));
    expected.sort_by_key(|function| function["name"].as_str().map(ToOwned::to_owned));
    let fixture = Fixture::new().await;
    let found = fixture
        .rows(
            "SELECT proname AS name, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
             FROM pg_proc WHERE pronamespace = 'public'::regnamespace
                 AND (proname LIKE 'get%' OR proname LIKE 'calculate%')
             ORDER BY proname COLLATE \"C\"",
        )
        .await;
    assert_eq!(found, expected);
}

/// All are PL/pgSQL, stable, and carry what neither a pooler nor a session can take from them.
#[tokio::test]
async fn every_function_carries_its_settings() {
    let fixture = Fixture::new().await;
    let functions = fixture
        .rows(
            "SELECT proname AS name, provolatile AS volatile, prosecdef AS definer, proisstrict AS strict,
                 l.lanname AS language, coalesce(proconfig, '{}') AS settings
             FROM pg_proc AS p JOIN pg_language AS l ON l.oid = p.prolang
             WHERE pronamespace = 'public'::regnamespace AND (proname LIKE 'get%' OR proname LIKE 'calculate%')",
        )
        .await;
    assert_eq!(functions.len(), 19);
    for function in functions {
        let settings = function["settings"].as_array().unwrap();
        let has = |setting: &str| settings.iter().any(|found| found.as_str().unwrap().starts_with(setting));
        assert!(has("search_path=") && has("TimeZone=UTC"), "{function}");
        let plans = !function["name"].as_str().unwrap().ends_with("_at") || has("plan_cache_mode=");
        assert!(plans || function["name"] == "get_task_execution_context_at", "{function}");
        for (attribute, expected) in [
            ("volatile", json!("s")),
            ("definer", json!(false)),
            ("strict", json!(false)),
            ("language", json!("plpgsql")),
        ] {
            assert_eq!(function[attribute], expected, "{function}");
        }
    }
}
