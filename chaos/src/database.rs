//! The database of a run: a durable server of its own, and a few statements that wait until it is there again.

use std::path::Path;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use tasker::postgres::PostgresStorage;
use tasker::postgres::cluster::{Cluster, Durability};
use tokio::task::spawn_blocking;

use crate::Failure;
use crate::proxy::Proxy;

/// How often something is tried again while the server is away.
const TRIES: u32 = 600;
const PAUSE: Duration = Duration::from_millis(100);
/// Under this name the server knows the connections of workers.
const WORKER: &str = "worker";

pub(crate) struct Database {
    /// `None` while it crashes.
    cluster: Option<Cluster>,
    pub(crate) pool: PgPool,
    /// Through it the workers reach the server.
    pub(crate) proxy: Proxy,
    url_of_workers: String,
}

impl Database {
    /// A fresh server; workers reach it through a socket in `directory`.
    pub(crate) async fn start(directory: &Path) -> Result<Self, Failure> {
        let cluster = spawn_blocking(|| Cluster::start(Durability::Durable)).await??;
        let proxy = Proxy::start(directory, cluster.directory())?;
        let options: PgConnectOptions = cluster.url("postgres").parse()?;
        let pool =
            PgPoolOptions::new().max_connections(4).connect_with(options.application_name("chaos")).await?;
        PostgresStorage::from(pool.clone()).migrate().await?;
        sqlx::raw_sql(
            "CREATE SCHEMA chaos;
             CREATE TABLE chaos.acts (at timestamptz NOT NULL DEFAULT now(), what text NOT NULL, whom text NOT NULL);
             CREATE TABLE chaos.ledger (
                 at bigint NOT NULL, worker text NOT NULL, task bigint NOT NULL, step bigint NOT NULL,
                 token bigint NOT NULL, attempt integer NOT NULL, what text NOT NULL)",
        )
        .execute(&pool)
        .await?;
        let url_of_workers = format!(
            "postgres://tasker@localhost:5432/postgres?host={}&application_name={WORKER}",
            directory.display()
        );
        Ok(Self { cluster: Some(cluster), pool, proxy, url_of_workers })
    }

    pub(crate) fn url_of_workers(&self) -> &str {
        &self.url_of_workers
    }

    /// The server crashes, and comes back.
    pub(crate) async fn crash(&mut self) -> Result<(), Failure> {
        let mut cluster = self.cluster.take().ok_or("the server is there")?;
        let (cluster, crashed) = spawn_blocking(move || {
            let crashed = cluster.crash();
            (cluster, crashed)
        })
        .await?;
        self.cluster = Some(cluster);
        Ok(crashed?)
    }

    /// Cuts so many connections of workers; answers how many.
    pub(crate) async fn cut(&self, most: i64) -> Result<u64, Failure> {
        let cut = self
            .patiently(async || {
                sqlx::query_scalar::<_, i64>(
                    "SELECT count(*) FILTER (WHERE pg_terminate_backend(chosen.pid)) FROM (
                         SELECT a.pid FROM pg_stat_activity AS a WHERE a.application_name = $2
                         ORDER BY (a.state = 'active') DESC, random() LIMIT $1
                     ) AS chosen",
                )
                .bind(most)
                .bind(WORKER)
                .fetch_one(&self.pool)
                .await
            })
            .await?;
        Ok(cut.unsigned_abs())
    }

    /// Notes what was done.
    pub(crate) async fn note(&self, what: &str, whom: &str) -> Result<(), Failure> {
        self.patiently(async || {
            sqlx::query("INSERT INTO chaos.acts (what, whom) VALUES ($1, $2)")
                .bind(what)
                .bind(whom)
                .execute(&self.pool)
                .await
        })
        .await
        .map(drop)
    }

    /// How many tasks are not settled.
    pub(crate) async fn open_tasks(&self) -> Result<i64, Failure> {
        self.patiently(async || {
            sqlx::query_scalar(
                "SELECT count(*) FROM tasker_tasks AS t LEFT JOIN tasker_task_transitions AS x
                     ON x.task_id = t.task_id AND x.most_recent
                 WHERE coalesce(x.to_state IN ('pending', 'in_progress'), true)",
            )
            .fetch_one(&self.pool)
            .await
        })
        .await
    }

    /// Tries until it succeeds: the server may be away at the moment.
    async fn patiently<A>(&self, once: impl AsyncFn() -> Result<A, sqlx::Error>) -> Result<A, Failure> {
        for _ in 1..TRIES {
            match once().await {
                Ok(answer) => return Ok(answer),
                Err(_) => tokio::time::sleep(PAUSE).await,
            }
        }
        Ok(once().await?)
    }

    /// Leaves the files of the server when it is stopped; says where.
    pub(crate) fn keep(&mut self) -> Result<String, Failure> {
        let cluster = self.cluster.as_mut().ok_or("the server is there")?;
        cluster.keep()?;
        Ok(cluster.directory().display().to_string())
    }
}
