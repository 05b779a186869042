//! The contract of storages, case by case, each on a database of its own.

use std::env;
use std::hash::{BuildHasher as _, RandomState};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPoolOptions;
use tasker_engine::TaskId;
use tasker_storage::conformance::{Harness, agreement, records};
use tasker_storage::memory::MemoryStorage;
use tasker_storage::postgres::PostgresStorage;
use tasker_storage::postgres::cluster::TestDatabase;
use tokio::sync::Mutex;

use crate::adoption::Rails;
use crate::fixture::migrated_database;

#[derive(Default)]
pub(crate) struct Postgres {
    /// The databases of the storages it made; removed after them.
    databases: Mutex<Vec<TestDatabase>>,
}

impl Harness for Postgres {
    type Storage = PostgresStorage;

    async fn storage(&self) -> PostgresStorage {
        let database = migrated_database().await;
        let pool = PgPoolOptions::new().max_connections(16).connect_with(database.options()).await;
        self.databases.lock().await.push(database);
        pool.expect("a connection").into()
    }

    async fn lose_wake(&self, storage: &PostgresStorage, task: TaskId) {
        lose_wake(storage, task).await;
    }

    async fn make_draft(&self, storage: &PostgresStorage, task: TaskId) {
        make_draft(storage, task).await;
    }
}

pub(crate) async fn lose_wake(storage: &PostgresStorage, task: TaskId) {
    sqlx::query("DELETE FROM tasker_wakes WHERE task_id = $1")
        .bind(task.0)
        .execute(storage.pool())
        .await
        .expect("the wake is removed");
}

pub(crate) async fn make_draft(storage: &PostgresStorage, task: TaskId) {
    sqlx::raw_sql(AssertSqlSafe(format!(
        "SELECT tasker_move_tasks(
            '2026-01-01', ARRAY[{task}::bigint], ARRAY['pending'], ARRAY[jsonb_build_object('phase', 'draft')]);
        DELETE FROM tasker_wakes WHERE task_id = {task};"
    )))
    .execute(storage.pool())
    .await
    .expect("the draft is made");
}

tasker_storage::storage_conformance!(postgres, Postgres::default());

tasker_storage::records_conformance!(postgres_records, Postgres::default());

pub(crate) struct Memory;

impl Harness for Memory {
    type Storage = MemoryStorage;

    async fn storage(&self) -> MemoryStorage {
        MemoryStorage::new()
    }

    async fn lose_wake(&self, storage: &MemoryStorage, task: TaskId) {
        storage.lose_wake(task);
    }

    async fn make_draft(&self, storage: &MemoryStorage, task: TaskId) {
        storage.make_draft(task);
    }
}

/// From `TASKER_SEED`, or another one each time; a failure tells it.
pub(crate) fn seed() -> u64 {
    let given = env::var("TASKER_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| RandomState::new().hash_one(()))
}

/// How many sequences of operations are compared; `TASKER_CASES` asks for more.
pub(crate) fn cases() -> u32 {
    env::var("TASKER_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// Databases that Rails made, adopted: with its ninety-nine indexes and its rows, and without a check of states.
#[derive(Default)]
struct Adopted(Postgres);

impl Harness for Adopted {
    type Storage = PostgresStorage;

    async fn storage(&self) -> PostgresStorage {
        let Rails { storage, database } = Rails::new().await;
        self.0.databases.lock().await.push(database);
        storage.migrate().await.expect("adopted");
        storage
    }

    async fn lose_wake(&self, storage: &PostgresStorage, task: TaskId) {
        self.0.lose_wake(storage, task).await;
    }

    async fn make_draft(&self, storage: &PostgresStorage, task: TaskId) {
        self.0.make_draft(storage, task).await;
    }
}

#[test]
fn memory_and_a_database_that_rails_made_agree() {
    if let Err(disagreement) = agreement(|| Memory, Adopted::default, cases().div_ceil(4), 40, seed()) {
        panic!("{disagreement}");
    }
}

#[test]
fn memory_and_postgres_agree() {
    if let Err(disagreement) = agreement(|| Memory, Postgres::default, cases(), 40, seed()) {
        panic!("{disagreement}");
    }
}

#[test]
fn records_of_memory_and_postgres_agree() {
    if let Err(disagreement) = records::agreement(|| Memory, Postgres::default, cases(), seed()) {
        panic!("{disagreement}");
    }
}
