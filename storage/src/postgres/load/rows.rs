//! The statements, and the rows that they answer.

use sqlx::PgConnection;
use tasker_engine::StorageError;

use super::super::error::storage_error;
use super::super::values::{Jsonb, Moment};

/// A row of `tasker_load_tasks`.
pub(super) struct TaskRow {
    pub(super) task: i64,
    pub(super) identity_hash: String,
    pub(super) definition: Option<String>,
    pub(super) context: Option<Jsonb>,
    pub(super) requested_at: Moment,
    pub(super) initiator: Option<String>,
    pub(super) source_system: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) tags: Option<Jsonb>,
    pub(super) bypass_steps: Option<Jsonb>,
    pub(super) correlation_id: Option<String>,
    pub(super) complete: bool,
    pub(super) created_at: Moment,
    pub(super) state: Option<String>,
    pub(super) metadata: Option<Jsonb>,
    pub(super) since: Option<Moment>,
    pub(super) sort_key: Option<i32>,
    pub(super) transition: Option<i64>,
    pub(super) due: Option<Moment>,
    pub(super) generation: Option<i64>,
}

pub(super) async fn task_rows(
    connection: &mut PgConnection,
    tasks: &[i64],
) -> Result<Vec<TaskRow>, StorageError> {
    sqlx::query_as!(
        TaskRow,
        r#"SELECT
            task AS "task!", identity_hash AS "identity_hash!", definition, context, requested_at AS "requested_at!",
            initiator, source_system, reason, tags, bypass_steps, correlation_id, complete AS "complete!",
            created_at AS "created_at!", state, metadata, since, sort_key, transition, due, generation
        FROM tasker_load_tasks($1)"#,
        tasks,
    )
    .fetch_all(connection)
    .await
    .map_err(storage_error)
}

/// A row of `tasker_load_steps`.
pub(super) struct StepRow {
    pub(super) task: i64,
    pub(super) step: i64,
    pub(super) name: String,
    pub(super) handler: Option<String>,
    pub(super) config: Option<Jsonb>,
    pub(super) spawned_by: Option<i64>,
    pub(super) spawn_index: Option<i32>,
    pub(super) attempts: i32,
    pub(super) retry_limit: i32,
    pub(super) retryable: bool,
    pub(super) skippable: bool,
    pub(super) in_process: bool,
    pub(super) processed: bool,
    pub(super) processed_at: Option<Moment>,
    pub(super) last_attempted_at: Option<Moment>,
    pub(super) backoff_request_seconds: Option<i32>,
    pub(super) inputs: Option<Jsonb>,
    pub(super) results: Option<Jsonb>,
    pub(super) parents: Vec<i64>,
    pub(super) state: Option<String>,
    pub(super) metadata: Option<Jsonb>,
    pub(super) since: Option<Moment>,
    pub(super) sort_key: Option<i32>,
    pub(super) transition: Option<i64>,
}

pub(super) async fn step_rows(
    connection: &mut PgConnection,
    tasks: &[i64],
) -> Result<Vec<StepRow>, StorageError> {
    sqlx::query_as!(
        StepRow,
        r#"SELECT
            task AS "task!", step AS "step!", name AS "name!", handler, config, spawned_by, spawn_index,
            attempts AS "attempts!", retry_limit AS "retry_limit!", retryable AS "retryable!",
            skippable AS "skippable!", in_process AS "in_process!", processed AS "processed!", processed_at,
            last_attempted_at, backoff_request_seconds, inputs, results, parents AS "parents!",
            state, metadata, since, sort_key, transition
        FROM tasker_load_steps($1)"#,
        tasks,
    )
    .fetch_all(connection)
    .await
    .map_err(storage_error)
}

/// A row of `tasker_load_history`.
pub(super) struct HistoryRow {
    pub(super) task: i64,
    pub(super) step: Option<i64>,
    pub(super) id: i64,
    pub(super) from_state: Option<String>,
    pub(super) to_state: String,
    pub(super) metadata: Option<Jsonb>,
    pub(super) sort_key: i32,
    pub(super) most_recent: bool,
    pub(super) at: Moment,
}

pub(super) async fn history_rows(
    connection: &mut PgConnection,
    tasks: &[i64],
) -> Result<Vec<HistoryRow>, StorageError> {
    sqlx::query_as!(
        HistoryRow,
        r#"SELECT
            task AS "task!", step, id AS "id!", from_state, to_state AS "to_state!", metadata,
            sort_key AS "sort_key!", most_recent AS "most_recent!", at AS "at!"
        FROM tasker_load_history($1)"#,
        tasks,
    )
    .fetch_all(connection)
    .await
    .map_err(storage_error)
}
