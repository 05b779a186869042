//! What is written, and how often the server is asked: counted, not timed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tasker::postgres::sqlx::postgres::PgPoolOptions;
use tasker::postgres::sqlx::{query, query_scalar};
use tokio::runtime::Builder;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::Bench;
use crate::graph::Graph;
use crate::report::{Measured, a_second, each};

impl Bench {
    /// Bytes of WAL for each step of chains that were made beforehand, so many at a time: of the engine, and of the floor.
    pub(crate) fn wal(&self, tasks: usize, in_flight: usize) -> (Measured, Measured) {
        let ours = self.prepared(&Graph::linear(10), tasks, in_flight);
        let ours = self.wal_of(|| ours.run(self));
        self.floor_made(tasks);
        let floor = self.wal_of(|| self.floor_run(in_flight));
        (each(ours, tasks * 10), each(floor, tasks * 10))
    }

    /// Whole pages go into the WAL after a checkpoint, so none is to come in between.
    fn wal_of(&self, work: impl FnOnce() -> Duration) -> usize {
        let pool = self.pool.clone();
        self.run(async move { query("CHECKPOINT").execute(&pool).await.expect("a checkpoint") });
        let before = self.wal_position();
        work();
        usize::try_from(self.wal_position() - before).expect("the WAL grows")
    }

    fn wal_position(&self) -> i64 {
        let pool = self.pool.clone();
        self.run(async move {
            let position = query_scalar("SELECT (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::bigint");
            position.fetch_one(&pool).await.expect("a position in the WAL")
        })
    }

    /// Statements for each wave of lone chains of ten: one wave claims the first step, ten record one.
    pub(crate) fn statements_a_wave(&self, chains: usize) -> Measured {
        each(self.statements_of_chains(chains, 1), chains * 11)
    }

    /// Statements for each step of chains, so many at a time.
    pub(crate) fn statements_a_step(&self, tasks: usize, in_flight: usize) -> Measured {
        each(self.statements_of_chains(tasks, in_flight), tasks * 10)
    }

    fn statements_of_chains(&self, tasks: usize, in_flight: usize) -> usize {
        let (counted, statements) = self.counted();
        let prepared = counted.prepared(&Graph::linear(10), tasks, in_flight);
        let before = statements.load(Ordering::SeqCst);
        prepared.run_unchecked(&counted);
        statements.load(Ordering::SeqCst) - before
    }

    /// Statements a second of a worker that has nothing to do.
    pub(crate) fn idle(&self, seconds: u64) -> Measured {
        let (counted, statements) = self.counted();
        let idled = counted.idles(seconds, move || statements.load(Ordering::SeqCst));
        a_second(Duration::from_secs(seconds), idled)
    }

    /// The same database through connections and a runtime of its own, and the count of its statements.
    fn counted(&self) -> (Self, Arc<AtomicUsize>) {
        let statements = Arc::<AtomicUsize>::default();
        let counter = tracing::Dispatch::new(Counter(Arc::clone(&statements)));
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            // For as long as the thread lives.
            .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&counter)))
            .build()
            .expect("a runtime of two threads starts");
        let options = self.pool.connect_options();
        let pool = runtime.block_on(async {
            let pool = PgPoolOptions::new().max_connections(8).connect_with((*options).clone()).await;
            pool.expect("a connection")
        });
        (Self { pool, runtime: runtime.into(), server: Arc::clone(&self.server) }, statements)
    }
}

/// Counts what the driver says of each statement that it has sent.
struct Counter(Arc<AtomicUsize>);

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}
