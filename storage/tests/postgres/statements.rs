//! What calls cost the database: transactions, rows read, updates in place.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use sqlx::Row as _;
use sqlx::postgres::PgPoolOptions;
use tasker_engine::{
    Advance, Beat, Creation, Interest, Outcome, OutcomeKind, Queue as _, Rescue, SimulatedClock,
    Storage as _, Swept, TaskId,
};
use tasker_storage::postgres::{PostgresQueue, PostgresStorage};

use crate::fixture::{Fixture, NOW, WORKER, bound, bringing, call, completed, later, new_task, wanting};

/// A storage with one session, whose work is counted when it ends.
struct Session<'a> {
    fixture: &'a Fixture,
    storage: PostgresStorage,
    pid: i32,
}

impl<'a> Session<'a> {
    async fn begin(fixture: &'a Fixture) -> Self {
        let pool = PgPoolOptions::new().max_connections(1).connect_with(fixture.options()).await.unwrap();
        let pid = sqlx::query("SELECT pg_backend_pid()").fetch_one(&pool).await.unwrap().get(0);
        Self { fixture, storage: pool.into(), pid }
    }

    /// Returns when the server has noticed.
    async fn end(self) {
        self.storage.pool().close().await;
        let left = "SELECT count(*) FROM pg_stat_activity WHERE pid = $1";
        let pool = self.fixture.pool();
        while sqlx::query(left).bind(self.pid).fetch_one(pool).await.unwrap().get::<i64, _>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Starts tasks that nobody looks at, so that the tables are not empty.
async fn fill(storage: &PostgresStorage, tasks: usize) {
    let definition = bound("p -> q, p -> r, q -> s, r -> s");
    storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    let others = (0..tasks).map(|number| new_task(&definition, &format!("other {number}")));
    storage.create(others.collect(), NOW).await.unwrap();
}

/// Runs chains of ten steps side by side, one wave a call.
async fn run_chains(storage: &PostgresStorage, chains: usize) {
    static RUN: AtomicUsize = AtomicUsize::new(0);
    let run = RUN.fetch_add(1, Ordering::Relaxed);
    let definition = bound("a -> b -> c -> d -> e -> f -> g -> h -> i -> j");
    storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    let tasks = (0..chains).map(|number| new_task(&definition, &format!("chain {run}.{number}")));
    let created = storage.create(tasks.collect(), NOW).await.unwrap();
    let wanted: Vec<TaskId> = created
        .into_iter()
        .map(|created| match created {
            Creation::Created { task, .. } => task,
            other @ Creation::Duplicate { .. } => panic!("{other:?}"),
        })
        .collect();
    let mut progress = storage.advance(Advance { wanted, ..call() }).await.unwrap();
    while progress.iter().any(|progress| !progress.claims.is_empty()) {
        let outcomes: Vec<_> = progress
            .iter()
            .flat_map(|progress| {
                progress.claims.iter().map(|claim| crate::fixture::outcome(progress.task, claim))
            })
            .collect();
        progress = storage.advance(bringing(outcomes)).await.unwrap();
    }
    assert!(progress.iter().all(|progress| progress.settled.is_some()));
}

#[tokio::test]
async fn a_session_that_began_on_empty_tables_reads_only_what_it_moves_when_they_are_large() {
    let fixture = Fixture::new().await;
    let session = Session::begin(&fixture).await;
    let storage = &session.storage;
    // Its plans are made now, on tables with next to nothing in them.
    run_chains(storage, 1).await;
    let other = Session::begin(&fixture).await;
    fill(&other.storage, 2_500).await;
    other.end().await;
    let seq_scans = "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables WHERE relname IN ('tasker_tasks',
        'tasker_task_transitions', 'tasker_workflow_steps', 'tasker_workflow_step_edges',
        'tasker_workflow_step_transitions', 'tasker_wakes', 'tasker_task_definitions')";
    let index_reads =
        "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname LIKE 'tasker%'";
    let before = (fixture.number(seq_scans).await, fixture.number(index_reads).await);

    let definition = bound("a -> b -> c -> d -> e -> f -> g -> h -> i -> j");
    let created = storage.create(vec![new_task(&definition, "after")], NOW).await.unwrap();
    let [Creation::Created { task, .. }] = created[..] else { panic!("{created:?}") };
    let mut progress = storage.advance(wanting(task)).await.unwrap();
    while let [claim] = &progress[0].claims[..] {
        let outcome = crate::fixture::outcome(task, claim);
        progress = storage.advance(bringing([outcome])).await.unwrap();
    }
    session.end().await;

    let after = (fixture.number(seq_scans).await, fixture.number(index_reads).await);
    assert_eq!(after.0 - before.0, 0, "sequential scans");
    assert!(after.1 - before.1 < 1_000, "{} index entries were read for ten steps", after.1 - before.1);
}

/// Beats come every few seconds, and there may be a million steps that ran before.
#[tokio::test]
async fn beats_and_rescues_read_only_what_runs() {
    let fixture = Fixture::new().await;
    let session = Session::begin(&fixture).await;
    let storage = &session.storage;
    let beat = Beat { worker: WORKER, label: "it".into(), held: vec![], hand_back_before: NOW, now: NOW };
    let rescue = Rescue { lost_before: NOW, limit: 10, now: NOW };
    // Plans are made now; and later claims that ended are still in the way until somebody comes by.
    for _ in 0..2 {
        storage.beat(beat.clone()).await.unwrap();
        storage.rescue(rescue).await.unwrap();
        run_chains(storage, 200).await;
    }
    storage.beat(beat.clone()).await.unwrap();
    storage.rescue(rescue).await.unwrap();
    // In the index of running claims are those that ended, too, until they are cleared away.
    let index_reads = "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes
        WHERE relname LIKE 'tasker%' AND indexrelname <> 'tasker_running_claims'";
    session.end().await;
    let before = fixture.number(index_reads).await;

    let session = Session::begin(&fixture).await;
    let storage = &session.storage;
    for _ in 0..20 {
        storage.beat(beat.clone()).await.unwrap();
        storage.rescue(rescue).await.unwrap();
    }
    session.end().await;
    let read = fixture.number(index_reads).await - before;
    assert!(read < 20 * 100, "{read} index entries were read, twenty times");
}

/// Sweeps come every minute, and there may be millions of tasks that ended before, well or not.
#[tokio::test]
async fn a_sweep_reads_only_what_is_open() {
    let fixture = Fixture::new().await;
    let session = Session::begin(&fixture).await;
    let storage = &session.storage;
    let definition = bound("a -> b");
    storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    // Plans are made now, on empty tables.
    assert_eq!(storage.sweep(NOW, None, 100).await.unwrap(), Swept { woken: 0, next: None });
    storage.create(vec![new_task(&definition, "one")], NOW).await.unwrap();
    fixture
        .sql(
            "INSERT INTO tasker_tasks (named_task_id, complete, requested_at, identity_hash, created_at, updated_at)
             SELECT t.named_task_id, n % 2 = 0, t.requested_at, 'ended ' || n, t.created_at, t.updated_at
             FROM tasker_tasks AS t, generate_series(1, 100000) AS n;
             INSERT INTO tasker_task_transitions
                 (to_state, from_state, sort_key, most_recent, task_id, created_at, updated_at)
             SELECT state, 'in_progress', key, key = 20, t.task_id, t.created_at, t.updated_at
             FROM tasker_tasks AS t,
                 (VALUES ('in_progress', 10), (NULL, 20)) AS row (moved, key),
                 LATERAL coalesce(moved, CASE WHEN t.complete THEN 'complete' ELSE 'error' END) AS state
             WHERE t.identity_hash LIKE 'ended %'",
        )
        .await;
    // Half of them have been begun; one of each half has lost its wake.
    let open: Vec<_> = (0..40).map(|number| new_task(&definition, &format!("open {number}"))).collect();
    let created = storage.create(open, NOW).await.unwrap();
    let tasks: Vec<_> = created
        .iter()
        .map(|created| match created {
            Creation::Created { task, .. } => *task,
            other @ Creation::Duplicate { .. } => panic!("{other:?}"),
        })
        .collect();
    for task in &tasks[..20] {
        let claim = storage.advance(wanting(*task)).await.unwrap()[0].claims.remove(0);
        let kind = OutcomeKind::Snooze { until: later(60) };
        let outcome = Outcome { kind, ..crate::fixture::outcome(*task, &claim) };
        storage.advance(bringing([outcome])).await.unwrap();
    }
    let lost = [tasks[7], tasks[33]];
    fixture.sql(format!("DELETE FROM tasker_wakes WHERE task_id IN ({}, {})", lost[0], lost[1])).await;
    session.end().await;
    let reads = "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname LIKE 'tasker%'";
    let scans = "SELECT sum(seq_scan)::bigint FROM pg_stat_user_tables WHERE relname LIKE 'tasker%'";
    let before = (fixture.number(reads).await, fixture.number(scans).await);

    let session = Session::begin(&fixture).await;
    let swept = session.storage.sweep(NOW, None, 100).await.unwrap();
    assert_eq!(swept, Swept { woken: 2, next: None });
    for _ in 0..9 {
        session.storage.sweep(NOW, None, 100).await.unwrap();
    }
    session.end().await;
    let read = fixture.number(reads).await - before.0;
    assert!(read < 10 * 300, "{read} index entries were read for ten sweeps over 41 open tasks");
    assert_eq!(fixture.number(scans).await - before.1, 0, "whole tables were read");
}

#[tokio::test]
async fn receiving_wakes_reads_no_more_than_it_hands_out() {
    let fixture = Fixture::new().await;
    let session = Session::begin(&fixture).await;
    fill(&session.storage, 3_000).await;
    session.end().await;
    let index_reads =
        "SELECT sum(idx_tup_read)::bigint FROM pg_stat_user_indexes WHERE relname = 'tasker_wakes'";
    let before = fixture.number(index_reads).await;
    let session = Session::begin(&fixture).await;
    let queue = PostgresQueue::new(
        &session.storage,
        Arc::new(SimulatedClock::new(NOW)),
        Duration::from_secs(1_000_000),
    );
    for _ in 0..5 {
        assert_eq!(queue.try_receive(Interest::of(10)).await.unwrap().wakes.len(), 10);
    }
    session.end().await;
    let read = fixture.number(index_reads).await - before;
    // Those handed out before are passed over until their tasks are looked at.
    assert!(read < 5 * 60, "{read} entries were read for fifty wakes");
}

#[tokio::test]
async fn steps_are_updated_in_place() {
    let fixture = Fixture::new().await;
    let session = Session::begin(&fixture).await;
    let storage = &session.storage;
    run_chains(storage, 20).await;
    session.end().await;
    let all = "SELECT n_tup_upd FROM pg_stat_user_tables WHERE relname = 'tasker_workflow_steps'";
    let hot = "SELECT n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = 'tasker_workflow_steps'";
    let (all, hot) = (fixture.number(all).await, fixture.number(hot).await);
    assert_eq!(all, 20 * 10 * 2, "a claim and an outcome for each step");
    // Mostly all, but somebody who looks at the database at this moment keeps old versions from being removed. With an
    // index in the way it would be none.
    assert!(hot * 3 >= all, "{hot} of {all}");
}

#[tokio::test]
async fn one_advance_is_one_transaction() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> c, b -> c, a -> d").await;
    let claims = fixture.want(&task).await.claims;
    let last = fixture.number("SELECT max(id) FROM tasker_workflow_step_transitions").await;
    fixture.advance(bringing(claims.iter().map(|claim| completed(&task, claim)))).await;
    let row = sqlx::query(
        "SELECT count(*), count(DISTINCT xmin::text) FROM tasker_workflow_step_transitions WHERE id > $1",
    )
    .bind(last)
    .fetch_one(fixture.pool())
    .await
    .unwrap();
    assert_eq!((row.get::<i64, _>(0), row.get::<i64, _>(1)), (4, 1), "two outcomes and two claims");
}

/// Each commit is counted, and so is whatever the driver would put around a statement.
#[tokio::test]
async fn one_advance_is_one_commit() {
    let fixture = Fixture::new().await;
    let session = Session::begin(&fixture).await;
    let storage = &session.storage;
    run_chains(storage, 2).await;
    let commits = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()";
    session.end().await;

    let session = Session::begin(&fixture).await;
    let storage = &session.storage;
    let before = fixture.number(commits).await;
    for _ in 0..200 {
        storage.advance(call()).await.unwrap();
    }
    session.end().await;
    let after = fixture.number(commits).await;
    // Connecting and counting commit a few times, too; two statements a call would be two hundred more.
    assert!((200..300).contains(&(after - before)), "{} commits", after - before);
}

#[tokio::test]
async fn a_hundred_steps_of_one_task_are_one_call() {
    let fixture = Fixture::new().await;
    let wide = (0..100).map(|number| format!("root -> s{number} -> join")).collect::<Vec<_>>().join(", ");
    let task = fixture.start(&wide).await;
    let root = fixture.want(&task).await.claims.remove(0);
    let claims = fixture.advance(bringing([completed(&task, &root)])).await.claims;
    assert_eq!(claims.len(), 100);
    let progress = fixture.advance(bringing(claims.iter().map(|claim| completed(&task, claim)))).await;
    assert_eq!((progress.recorded.len(), progress.claims.len()), (100, 1));
    assert_eq!(progress.claims[0].parents, []);
    let again = fixture.advance(bringing([completed(&task, &claims[0])])).await;
    assert_eq!(again.claims[0].parents.len(), 100, "{:?}", json!(again.claims[0].step));
}
