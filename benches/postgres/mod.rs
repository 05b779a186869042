//! A durable server, and each thing that is measured on it.

mod beside;
mod counted;
mod engine;
mod grown;
mod storage;

use std::future::Future;
use std::sync::Arc;

use tasker::postgres::PostgresStorage;
use tasker::postgres::cluster::{Cluster, Durability};
use tasker::postgres::sqlx::postgres::{PgPool, PgPoolOptions};
use tasker::postgres::sqlx::{self, query_scalar};
use tokio::runtime::{Builder, Runtime};

pub(crate) use engine::Lone;

/// What is written beside: see there.
const FLOOR: &str = include_str!("../floor.sql");

/// One database of the server, and the runtime of its client, which share the machine.
pub(crate) struct Bench {
    pool: PgPool,
    runtime: Arc<Runtime>,
    /// Dropped last.
    server: Arc<Cluster>,
}

impl Bench {
    /// Starts a server, checks that its commits are durable, and says so.
    pub(crate) fn start() -> Self {
        let server = Cluster::builder(Durability::Durable).setting("shared_buffers", "1GB").start();
        let server = server.expect("a temporary server starts");
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
        let runtime = runtime.expect("a runtime of two threads starts");
        let bench = Self::made(runtime.into(), server.into(), "postgres");
        bench.assert_durable();
        bench
    }

    /// Another database of the same server, as empty as this one was.
    fn another(&self, name: &'static str) -> Self {
        let pool = self.pool.clone();
        self.run(async move {
            let statement = sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"));
            sqlx::raw_sql(statement).execute(&pool).await.expect("a database is made");
        });
        Self::made(Arc::clone(&self.runtime), Arc::clone(&self.server), name)
    }

    fn made(runtime: Arc<Runtime>, server: Arc<Cluster>, database: &str) -> Self {
        let url = server.url(database);
        let pool = runtime.block_on(async {
            let pool = PgPoolOptions::new().max_connections(8).connect(&url).await.expect("a connection");
            PostgresStorage::from(pool.clone()).migrate().await.expect("the schema is made");
            sqlx::raw_sql(FLOOR).execute(&pool).await.expect("the floor is laid");
            pool
        });
        Self { pool, runtime, server }
    }

    fn assert_durable(&self) {
        let pool = self.pool.clone();
        let settings = self.run(async move {
            let mut settings = vec![];
            for name in ["server_version", "fsync", "synchronous_commit", "full_page_writes"] {
                let value: String = query_scalar("SELECT current_setting($1)")
                    .bind(name)
                    .fetch_one(&pool)
                    .await
                    .expect("a setting of the server");
                assert!(name == "server_version" || value == "on", "{name} is {value}");
                settings.push(format!("{name} {value}"));
            }
            settings.join(", ")
        });
        let batch = tasker::Settings::default().batch_outcomes;
        println!("PostgreSQL: {settings}; at most {batch} outcomes a call");
    }

    fn storage(&self) -> PostgresStorage {
        self.pool.clone().into()
    }

    /// Runs it as a task of the runtime: the thread that blocks on a runtime is none of its workers.
    fn run<A: Send + 'static>(&self, work: impl Future<Output = A> + Send + 'static) -> A {
        self.runtime.block_on(async { tokio::spawn(work).await.expect("a run does not panic") })
    }
}
