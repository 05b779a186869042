//! A question about one task costs the same however many others there are.

use serde_json::Value;
use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, PgConnection};

use crate::fixture::Fixture;

/// The names of steps, and of what they are steps of.
const NAMES: &str = "
    INSERT INTO tasker_named_tasks (name, created_at, updated_at) VALUES ('w', now(), now());
    INSERT INTO tasker_dependent_systems (name, created_at, updated_at) VALUES ('s', now(), now());
    INSERT INTO tasker_named_steps (dependent_system_id, name, created_at, updated_at)
        SELECT 1, 's' || n, now(), now() FROM generate_series(1, 4) AS n;";

/// Tasks of four steps, a diamond of which the first is complete; without the checks that would only slow it down.
const FILL: &str = "
    SET session_replication_role = replica;
    INSERT INTO tasker_tasks (named_task_id, requested_at, identity_hash, created_at, updated_at)
        SELECT 1, now(), 'i' || t, now(), now() FROM generate_series({range}) AS t;
    INSERT INTO tasker_task_transitions (to_state, task_id, sort_key, created_at, updated_at)
        SELECT 'in_progress', t, 10, now(), now() FROM generate_series({range}) AS t;
    INSERT INTO tasker_workflow_steps (task_id, named_step_id, attempts, created_at, updated_at)
        SELECT t, n, 0, now(), now() FROM generate_series({range}) AS t, generate_series(1, 4) AS n ORDER BY t, n;
    INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
        SELECT 4 * t - 4 + a, 4 * t - 4 + b, 'provides', now(), now()
        FROM generate_series({range}) AS t, (VALUES (1, 2), (1, 3), (2, 4), (3, 4)) AS edge (a, b);
    INSERT INTO tasker_workflow_step_transitions (to_state, workflow_step_id, sort_key, created_at, updated_at)
        SELECT 'complete', 4 * t - 3, 10, now(), now() FROM generate_series({range}) AS t;
    RESET session_replication_role;";

/// What is asked about a task, by the reference's own words.
const QUESTIONS: [&str; 9] = [
    "SELECT * FROM get_step_readiness_status(2)",
    "SELECT * FROM get_step_readiness_status(2, ARRAY[5, 8])",
    "SELECT * FROM get_step_readiness_status_batch(ARRAY[2, 3])",
    "SELECT * FROM get_task_execution_context(2)",
    "SELECT * FROM get_task_execution_contexts_batch(ARRAY[2, 3])",
    "SELECT * FROM calculate_dependency_levels(2)",
    "SELECT * FROM tasker_step_dag_relationships WHERE task_id = 2",
    "SELECT * FROM tasker_step_dag_relationships WHERE workflow_step_id = 6",
    "SELECT * FROM tasker_step_dag_relationships WHERE task_id IN (2, 3) AND is_leaf_step",
];

/// How many pages each question reads, asked for the second time.
async fn pages(session: &mut PgConnection) -> Vec<i64> {
    let mut pages = Vec::new();
    for question in QUESTIONS {
        let explain = format!("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) {question}");
        let mut plan = Value::Null;
        for _ in 0..2 {
            let explained = sqlx::query_scalar(AssertSqlSafe(explain.clone())).fetch_one(&mut *session).await;
            plan =
                explained.map(|sqlx::types::Json(plan)| plan).expect("the plan of the test's own question");
        }
        let top: &Value = &plan[0]["Plan"];
        assert!(top["Actual Rows"].as_f64() > Some(0.0), "{question} is answered");
        let read = |key: &str| top[key].as_i64().expect("a number of pages");
        pages.push(read("Shared Hit Blocks") + read("Shared Read Blocks"));
    }
    pages
}

/// Asked in a session whose plans were made when there was next to nothing, and in a fresh one.
#[tokio::test]
async fn a_question_about_one_task_reads_as_much_beside_a_hundred_thousand_rows() {
    let fixture = Fixture::new().await;
    let pool = PgPool::connect_with(fixture.options()).await.unwrap();
    let mut session = pool.acquire().await.unwrap();
    fixture.sql(NAMES).await;
    fixture.sql(FILL.replace("{range}", "1, 3")).await;
    let few = pages(&mut session).await;
    fixture.sql(FILL.replace("{range}", "4, 12500")).await;
    let old_plans = pages(&mut session).await;
    fixture.sql("ANALYZE").await;
    let mut fresh = pool.acquire().await.unwrap();
    let new_plans = pages(&mut fresh).await;
    for (place, question) in QUESTIONS.iter().enumerate() {
        // An index is a level or two deeper, for each of a few dozen probes; the tables have thousands of pages.
        let most = few[place] * 3 + 50;
        for (plans, read) in [("old", old_plans[place]), ("new", new_plans[place])] {
            assert!(
                read <= most,
                "{question}, {plans} plans: {read} pages, and {} beside nothing",
                few[place]
            );
        }
    }
    drop((session, fresh));
    pool.close().await;
}
