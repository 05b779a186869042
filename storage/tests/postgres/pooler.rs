//! Behind a pooler in transaction mode nothing is known of the session that a call meets: no statement is prepared in
//! it, and whoever had it before left settings behind. The contract is kept all the same.

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Executor as _, Row as _};
use tasker_engine::TaskId;
use tasker_storage::conformance::{CASES, Case, Harness, Scene, agreement, cases};
use tasker_storage::postgres::PostgresStorage;
use tasker_storage::postgres::cluster::TestDatabase;
use tokio::runtime::Runtime;

use crate::contract::{Memory, lose_wake, make_draft, seed};
use crate::fixture::migrated_database;

/// How moments and texts are written and read, and how statements are planned. Not the isolation of transactions: a
/// strange one is refused. What is switched off counts as very dear, and would be compiled each time but for `jit`.
const LEFT_BEHIND: [&str; 3] = [
    "SET TimeZone TO 'Pacific/Kiritimati';
     SET DateStyle TO 'German';
     SET IntervalStyle TO 'sql_standard';
     SET escape_string_warning TO off;
     SET standard_conforming_strings TO off;
     SET plan_cache_mode TO force_custom_plan;
     SET enable_indexscan TO off;
     SET enable_indexonlyscan TO off;
     SET enable_nestloop TO off;
     SET jit TO off",
    "SET TimeZone TO 'America/St_Johns';
     SET DateStyle TO 'SQL, DMY';
     SET transform_null_equals TO on;
     SET array_nulls TO off;
     SET extra_float_digits TO -15;
     SET bytea_output TO 'escape';
     SET plpgsql.variable_conflict TO use_column;
     SET enable_sort TO off;
     SET enable_hashagg TO off;
     SET work_mem TO '64kB';
     SET jit TO off",
    "SET TimeZone TO 'UTC-11:30';
     SET search_path TO pg_temp, public, pg_catalog;
     SET plpgsql.variable_conflict TO use_variable;
     SET join_collapse_limit TO 1;
     SET from_collapse_limit TO 1;
     SET geqo_threshold TO 2;
     SET default_transaction_deferrable TO on;
     SET statement_timeout TO '1h'",
];

/// Gives sessions these settings in turn.
async fn leave_behind(session: &mut PgConnection) -> Result<(), sqlx::Error> {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    let settings = LEFT_BEHIND[TURN.fetch_add(1, Ordering::Relaxed) % LEFT_BEHIND.len()];
    session.execute(settings).await?;
    Ok(())
}

/// Sessions as a pooler in transaction mode hands them out: to each call another one, in which no statement is prepared
/// and whose settings are somebody else's.
async fn sessions(database: &TestDatabase) -> PgPool {
    PgPoolOptions::new()
        // The one that was given back last is taken last.
        .min_connections(3)
        .max_connections(16)
        .after_connect(|session, _| Box::pin(leave_behind(session)))
        .after_release(|session, _| {
            Box::pin(async move {
                // The driver gives each statement a name, even where it is told to keep none.
                session.execute("DEALLOCATE ALL").await?;
                Ok(true)
            })
        })
        .connect_with(database.options().statement_cache_capacity(0))
        .await
        .expect("a connection")
}

/// Storages one after another on one database, which is emptied for each: much cheaper than a database for each.
#[derive(Clone)]
struct BehindAPooler {
    database: Arc<TestDatabase>,
    /// Where all of them live in one runtime: a session that is new has every function to learn.
    pool: Option<PgPool>,
}

impl BehindAPooler {
    async fn new() -> Self {
        Self { database: Arc::new(migrated_database().await), pool: None }
    }

    async fn with_one_pool() -> Self {
        let new = Self::new().await;
        Self { pool: Some(sessions(&new.database).await), ..new }
    }
}

/// As after the migrations. Ten times as quick as `TRUNCATE`, for tables that hold next to nothing.
const EMPTY: &str = "
    SET session_replication_role TO replica;
    DO $$ DECLARE
        name text;
    BEGIN
        FOR name IN
            SELECT oid::regclass FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND relname <> 'tasker_migrations'
        LOOP
            EXECUTE 'DELETE FROM ' || name;
        END LOOP;
        PERFORM setval(oid::regclass, 1, false) FROM pg_class
        WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace;
    END $$;
    RESET session_replication_role;
    INSERT INTO tasker_task_namespaces (name, created_at, updated_at)
    VALUES ('default', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC')";

impl Harness for BehindAPooler {
    type Storage = PostgresStorage;

    async fn storage(&self) -> PostgresStorage {
        let pool = match &self.pool {
            Some(pool) => pool.clone(),
            None => sessions(&self.database).await,
        };
        pool.execute(EMPTY).await.expect("emptied");
        pool.into()
    }

    async fn lose_wake(&self, storage: &PostgresStorage, task: TaskId) {
        lose_wake(storage, task).await;
    }

    async fn make_draft(&self, storage: &PostgresStorage, task: TaskId) {
        make_draft(storage, task).await;
    }
}

/// The groups of the suite, in parts that run side by side.
const PARTS: [&[&str]; 6] = [
    &["learn", "create", "identity", "payload", "load"],
    &["claims", "record", "fence", "late", "again", "rooms", "retries", "settle"],
    &["spawn", "bad_spawns", "intervene", "step_acts", "task_acts"],
    &["wakes", "parking", "due", "sweep", "beat", "rescue"],
    &["clashes", "crowds"],
    &["graphs", "races"],
];

/// It compares two storages of one kind side by side, and these share a database; the agreement with memory says as much.
const LEFT_OUT: &str = "replay";

fn group(case: &'static str) -> &'static str {
    case.split_once("::").expect("group::name").0
}

#[tokio::test]
async fn each_call_meets_another_session_that_knows_no_statement() {
    let database = migrated_database().await;
    let pool = sessions(&database).await;
    let mut met = BTreeSet::new();
    for _ in 0..3 {
        let rows = pool.fetch_all(
            "SELECT pg_backend_pid(), count(*), current_setting('TimeZone') FROM pg_prepared_statements",
        );
        let row = rows.await.unwrap().remove(0);
        assert_eq!(row.get::<i64, _>(1), 0);
        met.insert((row.get::<i32, _>(0), row.get::<String, _>(2)));
    }
    assert_eq!(met.len(), 3, "{met:?}");
    pool.close().await;
}

fn is_kept(groups: &[&str]) {
    let runtime = Runtime::new().unwrap();
    let harness = runtime.block_on(BehindAPooler::with_one_pool());
    let about = cases().into_iter().filter(|case| groups.contains(&group(case.name)));
    let fails = |case: &Case| {
        let case = async { (case.run)(Scene::new(harness.clone()).await).await };
        catch_unwind(AssertUnwindSafe(|| runtime.block_on(case))).is_err()
    };
    let failing: Vec<_> = about.filter(fails).map(|case| case.name).collect();
    assert_eq!(failing, <[&str; 0]>::default());
}

#[test]
fn what_is_created_is_the_same() {
    is_kept(PARTS[0]);
}

#[test]
fn what_advances_is_the_same() {
    is_kept(PARTS[1]);
}

#[test]
fn what_is_spawned_and_intervened_is_the_same() {
    is_kept(PARTS[2]);
}

#[test]
fn what_wakes_is_the_same() {
    is_kept(PARTS[3]);
}

#[test]
fn what_crowds_is_the_same() {
    is_kept(PARTS[4]);
}

#[test]
fn what_races_is_the_same() {
    is_kept(PARTS[5]);
}

#[test]
fn random_calls_are_answered_as_in_memory() {
    let harness = Runtime::new().unwrap().block_on(BehindAPooler::new());
    if let Err(disagreement) = agreement(|| Memory, || harness.clone(), 5, 40, seed()) {
        panic!("{disagreement}");
    }
}

#[test]
fn every_other_group_of_the_suite_is_in_a_part() {
    let groups: BTreeSet<_> = CASES.iter().copied().map(group).collect();
    let named: BTreeSet<_> = PARTS.into_iter().flatten().copied().chain([LEFT_OUT]).collect();
    assert_eq!(groups, named);
}
