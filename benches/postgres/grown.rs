//! A database in which much has happened.

use std::time::Instant;

use tasker::postgres::sqlx::query;
use tasker::postgres::sqlx::raw_sql;

use super::Bench;

/// Finished tasks, each a chain of two steps, as the engine leaves them; written without looking each reference up.
/// $1 and $2 are the first and the last number of them.
const FINISHED: &str = "
WITH n AS (SELECT generate_series($1::bigint, $2::bigint) AS n), names AS (
    SELECT
        (SELECT named_task_id FROM tasker_named_tasks WHERE name = 'floor') AS task,
        ARRAY(SELECT named_step_id FROM tasker_named_steps WHERE name LIKE 'floor%' ORDER BY named_step_id LIMIT 2) AS steps,
        timestamp '2025-01-01' AS at
), tasks AS (
    INSERT INTO tasker_tasks (
        task_id, named_task_id, complete, requested_at, initiator, source_system, reason, bypass_steps, tags, context,
        identity_hash, created_at, updated_at)
    SELECT -n, task, true, at, 'seed', 'seed', 'seed', '[]', '[]', '{}', 'seed ' || n, at, at FROM n, names
), task_rows AS (
    INSERT INTO tasker_task_transitions
        (to_state, from_state, metadata, sort_key, most_recent, task_id, created_at, updated_at)
    SELECT r.to_state, r.from_state, '{}', r.sort_key, r.sort_key = 20, -n, at, at
    FROM n, names, (VALUES ('in_progress', 'pending', 10), ('complete', 'in_progress', 20)) AS r (to_state, from_state, sort_key)
), steps AS (
    INSERT INTO tasker_workflow_steps (
        workflow_step_id, task_id, named_step_id, processed, processed_at, attempts, last_attempted_at, inputs, results,
        created_at, updated_at)
    SELECT -2 * n + place, -n, steps[place + 1], true, at, 1, at, '{}', '1', at, at FROM n, names, generate_series(0, 1) AS place
), edges AS (
    INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
    SELECT -2 * n, -2 * n + 1, 'provides', at, at FROM n, names
)
INSERT INTO tasker_workflow_step_transitions
    (to_state, from_state, metadata, sort_key, most_recent, workflow_step_id, created_at, updated_at)
SELECT r.to_state, r.from_state, r.metadata::jsonb, r.sort_key, r.sort_key = 20, -2 * n + place, at, at
FROM n, names, generate_series(0, 1) AS place, (VALUES
    ('in_progress', 'pending', 10, '{\"worker_id\": \"00000000-0000-0000-0000-000000000000\", \"attempt_number\": 1}'),
    ('complete', 'in_progress', 20, '{\"claim\": \"1\", \"attempt_number\": 1}')
) AS r (to_state, from_state, sort_key, metadata)";

/// So many in a transaction.
const AT_A_TIME: usize = 50_000;

impl Bench {
    /// Another database, in which that many tasks are finished.
    pub(crate) fn grown(&self, finished: usize) -> Self {
        let grown = self.another("grown");
        // The names that they go by.
        grown.floor(1, 1);
        let pool = grown.pool.clone();
        grown.run(async move {
            let began = Instant::now();
            let mut connection = pool.acquire().await.expect("a connection");
            let switch_off = query("SET session_replication_role = replica");
            switch_off.execute(&mut *connection).await.expect("references are not looked up");
            for first in (1..=finished).step_by(AT_A_TIME) {
                let last = finished.min(first + AT_A_TIME - 1);
                let number = |number: usize| i64::try_from(number).expect("counts of a bench are small");
                let seeded = query(FINISHED).bind(number(first)).bind(number(last));
                seeded.execute(&mut *connection).await.expect("tasks are seeded");
            }
            connection.detach();
            raw_sql("VACUUM ANALYZE").execute(&pool).await.expect("as the server does it in time");
            println!("seeded {finished} finished tasks in {:.0} s", began.elapsed().as_secs_f64());
        });
        grown
    }
}
