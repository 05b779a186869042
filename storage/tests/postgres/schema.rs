//! What the migrations make, and how they are carried out and taken back.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, iter};

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tasker_engine::{
    Act, Beat, Creation, Detail, Intervened, Intervention, Recording, Rescue, SpawnedStep, StepState,
    Storage as _, StorageError, TaskCommand, TaskState,
};
use tasker_storage::postgres::cluster::TestDatabase;
use tasker_storage::postgres::{Change, ConnectError, Migrate, MigrateError, PostgresStorage, TablesFound};

use crate::catalogue::{assert_same, catalogue, reference_tables};
use crate::fixture::{Fixture, NOW, WORKER, bound, bringing, later, new_task, outcome, wanting};

/// A database without anything in it, and a storage on it whose sessions have these settings.
struct Empty {
    storage: PostgresStorage,
    database: TestDatabase,
}

impl Empty {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let database = TestDatabase::empty().await.unwrap();
        let storage = connect(database.options(), settings).await;
        Self { storage, database }
    }

    fn pool(&self) -> &PgPool {
        self.storage.pool()
    }

    async fn sql(&self, statements: &str) {
        let pool = PgPool::connect_with(self.database.options()).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&pool).await.unwrap();
        pool.close().await;
    }

    async fn catalogue(&self) -> BTreeSet<String> {
        catalogue(self.pool()).await
    }
}

async fn connect(options: PgConnectOptions, settings: &[(&str, &str)]) -> PostgresStorage {
    PgPool::connect_with(options.options(settings.iter().copied())).await.unwrap().into()
}

#[tokio::test]
async fn the_tables_are_the_reference_s_with_our_corrections() {
    let fixture = Fixture::new().await;
    let found: BTreeMap<_, _> = reference_tables(fixture.pool()).await.into_iter().collect();
    let golden = include_str!("reference_tables.txt");
    let mut tables = golden.split("\n\n").filter(|table| !table.starts_with('#')).map(str::lines);
    let mut count = 0;
    for lines in &mut tables {
        let mut lines = lines.map(|line| line.trim().to_owned());
        let name = lines.next().unwrap();
        assert_same(&found[&name], &lines.collect(), &name);
        count += 1;
    }
    assert_eq!(count, 13);
    let keys = |line: &&str| line.trim_start().starts_with("foreign key ");
    assert_eq!(golden.lines().filter(keys).count(), 15);
}

/// The files of one kind, in order.
fn files(kind: &str) -> Vec<PathBuf> {
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")).unwrap();
    let files = files.map(|file| file.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| file.to_str().unwrap().ends_with(kind)).collect();
    files.sort();
    files
}

#[tokio::test]
async fn each_down_removes_exactly_what_its_up_made() {
    let empty = Empty::new().await;
    let run = async |file: &Path| empty.sql(&fs::read_to_string(file).unwrap()).await;
    let mut before = empty.catalogue().await;
    assert_eq!(before, BTreeSet::new());
    let mut steps = 0;
    for (up, down) in iter::zip(files(".up.sql"), files(".down.sql")) {
        run(&up).await;
        let after = empty.catalogue().await;
        assert_ne!(after, before, "{} makes something", up.display());
        run(&down).await;
        assert_same(&empty.catalogue().await, &before, &down.display().to_string());
        run(&up).await;
        assert_same(&empty.catalogue().await, &after, &format!("{} again", up.display()));
        before = after;
        steps += 1;
    }
    assert_eq!(steps, files(".sql").len() / 2);
}

#[tokio::test]
async fn a_schema_is_taken_back_to_any_step_and_brought_up_again() {
    let empty = Empty::new().await;
    let report = empty.storage.migrate_with(Migrate::default()).await.unwrap();
    assert_eq!((report.tables, &*report.schema), (TablesFound::None, "public"));
    assert!(report.done.iter().all(|done| done.what == Change::Applied && !done.sql.is_empty()), "{report}");
    let latest = empty.catalogue().await;
    let numbers: Vec<i64> = report.done.iter().map(|done| done.name[..4].parse().unwrap()).collect();
    for number in numbers.into_iter().rev().chain([0]) {
        empty.storage.revert(number).await.unwrap();
        assert!(number > 0 || empty.catalogue().await.is_empty());
        empty.storage.migrate().await.unwrap();
        assert_same(&empty.catalogue().await, &latest, &format!("from {number}"));
    }
}

#[tokio::test]
async fn a_schema_that_is_up_to_date_is_left_alone() {
    let empty = Empty::new().await;
    empty.storage.migrate().await.unwrap();
    let before = empty.catalogue().await;
    let report = empty.storage.migrate_with(Migrate::default()).await.unwrap();
    assert_eq!((report.tables, report.done), (TablesFound::Ours, vec![]));
    assert_same(&empty.catalogue().await, &before, "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_migrate_at_once_one_does_it() {
    let empty = Empty::new().await;
    let calls = (0..4).map(|_| {
        let storage = empty.storage.clone();
        tokio::spawn(async move { storage.migrate_with(Migrate::default()).await })
    });
    let mut did = vec![];
    for call in calls.collect::<Vec<_>>() {
        did.push(call.await.unwrap().unwrap().done.len());
    }
    did.sort_unstable();
    assert_eq!(did, [0, 0, 0, files(".up.sql").len()]);
}

#[tokio::test]
async fn a_dry_run_tells_the_sql_and_changes_nothing() {
    let empty = Empty::new().await;
    let options = Migrate { dry_run: true, ..Migrate::default() };
    let report = empty.storage.migrate_with(options).await.unwrap();
    assert!(report.dry_run && report.done.len() == files(".up.sql").len());
    assert!(report.done[0].sql.contains("CREATE TABLE tasker_task_namespaces"));
    assert!(report.to_string().contains("0001_create_catalogue: would be applied"), "{report}");
    let left = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM pg_class WHERE relname LIKE 'tasker%'");
    assert_eq!(left.fetch_one(empty.pool()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let empty = Empty::new().await;
    empty.sql("CREATE TABLE tasker_wakes (of_somebody_else text)").await;
    let before = empty.catalogue().await;
    let failed = empty.storage.migrate_with(Migrate::default()).await.unwrap_err();
    assert!(
        matches!(&failed, MigrateError::Failed { migration, .. } if migration == "0003_create_engine_tables"),
        "{failed:?}"
    );
    assert_same(&empty.catalogue().await, &before, "");
}

/// What `migrate` says when it cannot go on.
async fn refusal(storage: &PostgresStorage) -> MigrateError {
    match storage.migrate().await.unwrap_err() {
        StorageError::Refused(error) => *error.downcast().expect("a MigrateError"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_schema_that_is_newer_is_refused() {
    let fixture = Fixture::new().await;
    fixture
        .sql("INSERT INTO tasker_migrations (number, name, checksum) VALUES (9999, '9999_from_the_future', '')")
        .await;
    let refused = refusal(&fixture.storage).await;
    assert!(matches!(refused, MigrateError::TooNew { number: 9999, newest: 9.., .. }), "{refused:?}");
    let refused = fixture.storage.revert(0).await.unwrap_err();
    assert!(matches!(refused, MigrateError::TooNew { .. }), "{refused:?}");
}

#[tokio::test]
async fn a_migration_that_was_applied_with_another_text_is_told() {
    let fixture = Fixture::new().await;
    fixture.sql("UPDATE tasker_migrations SET checksum = '\\x00' WHERE number = 7").await;
    let refused = refusal(&fixture.storage).await;
    assert!(matches!(refused, MigrateError::Altered { number: 7, .. }), "{refused:?}");
}

#[tokio::test]
async fn the_tables_are_where_the_search_path_leads() {
    let empty = Empty::with(&[("search_path", "\"My App\"")]).await;
    empty.sql("CREATE SCHEMA \"My App\"").await;
    let report = empty.storage.migrate_with(Migrate::default()).await.unwrap();
    assert_eq!(report.schema, "My App");
    let elsewhere =
        "SELECT count(*) FROM pg_tables WHERE tablename LIKE 'tasker%' AND schemaname <> 'My App'";
    assert_eq!(sqlx::query_scalar::<_, i64>(elsewhere).fetch_one(empty.pool()).await.unwrap(), 0);
    let definition = bound("a -> b");
    empty.storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    empty.storage.create(vec![new_task(&definition, "in a schema of its own")], NOW).await.unwrap();
    empty.storage.revert(0).await.unwrap();
    assert_eq!(empty.catalogue().await, BTreeSet::new());
}

#[tokio::test]
async fn two_schemas_of_one_database_are_two_storages() {
    let one = Empty::with(&[("search_path", "one")]).await;
    one.sql("CREATE SCHEMA one; CREATE SCHEMA two").await;
    let two = connect(one.database.options(), &[("search_path", "two")]).await;
    let (first, second) = tokio::join!(one.storage.migrate(), two.migrate());
    first.and(second).unwrap();
    let definition = bound("a");
    for storage in [&one.storage, &two] {
        storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
        let created = storage.create(vec![new_task(&definition, "the same")], NOW).await.unwrap();
        assert!(matches!(created[..], [tasker_engine::Creation::Created { .. }]), "{created:?}");
    }
}

#[tokio::test]
async fn functions_find_their_tables_whatever_the_session_s_search_path_is() {
    let empty = Empty::with(&[("search_path", "app")]).await;
    empty.sql("CREATE SCHEMA app").await;
    empty.storage.migrate().await.unwrap();
    let lost = connect(empty.database.options(), &[("search_path", "pg_catalog")]).await;
    let row = sqlx::query("SELECT * FROM app.tasker_sweep('2026-01-01', NULL, 10)");
    row.fetch_one(lost.pool()).await.expect("the function brings its search path");
}

/// A function that is planned under the settings of others has none of its own, and one that PostgreSQL puts in the place
/// of its call can have none; every other one brings its search path.
#[tokio::test]
async fn every_function_that_a_statement_calls_brings_its_search_path() {
    let fixture = Fixture::new().await;
    let without: Vec<String> = sqlx::query_scalar(
        "SELECT proname::text FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
             AND NOT (provolatile = 'i' AND prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql'))
             AND NOT coalesce(array_to_string(proconfig, ',') LIKE '%search_path=public, pg_temp%', false)",
    )
    .fetch_all(fixture.pool())
    .await
    .unwrap();
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres");
    let mut directories = vec![sources];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                directories.push(entry);
                continue;
            }
            let text = fs::read_to_string(&entry).unwrap();
            for function in &without {
                assert!(!text.contains(&format!("{function}(")), "{function} in {}", entry.display());
            }
        }
    }
}

#[tokio::test]
async fn a_search_path_that_leads_nowhere_is_refused() {
    let empty = Empty::with(&[("search_path", "nowhere")]).await;
    let refused = refusal(&empty.storage).await;
    assert!(matches!(refused, MigrateError::NoSchema { schema: None, .. }), "{refused:?}");

    let misspelt = connect(empty.database.options(), &[("search_path", "nowhere, public")]).await;
    let refused = refusal(&misspelt).await;
    assert!(
        matches!(&refused, MigrateError::NoSchema { schema: Some(name), .. } if name == "nowhere"),
        "{refused:?}"
    );
    assert_eq!(empty.catalogue().await, BTreeSet::new());
}

#[tokio::test]
async fn tables_in_the_second_schema_of_the_search_path_are_not_made_again_in_the_first() {
    let empty = Empty::new().await;
    empty.storage.migrate().await.unwrap();
    empty.sql("CREATE SCHEMA app").await;
    let other = connect(empty.database.options(), &[("search_path", "app, public")]).await;
    let refused = refusal(&other).await;
    assert!(
        matches!(&refused, MigrateError::OtherSchema { schema, found } if schema == "app" && found == "public"),
        "{refused:?}"
    );
}

/// A role that may log in nowhere, for sessions of a test; removed with what it was granted.
struct Role<'a> {
    empty: &'a Empty,
    name: String,
}

impl<'a> Role<'a> {
    async fn new(empty: &'a Empty) -> Self {
        let name = format!("{}_role", empty.database.name());
        empty.sql(&format!("CREATE ROLE {name}; REVOKE ALL ON SCHEMA public FROM PUBLIC")).await;
        empty.sql(&format!("GRANT USAGE ON SCHEMA public TO {name}")).await;
        Self { empty, name }
    }

    async fn storage(&self) -> PostgresStorage {
        connect(self.empty.database.options(), &[("role", &self.name)]).await
    }

    async fn remove(self) {
        let name = &self.name;
        self.empty.sql(&format!("DROP OWNED BY {name}; DROP ROLE {name}")).await;
    }
}

#[tokio::test]
async fn a_missing_permission_is_named_before_any_work() {
    let empty = Empty::new().await;
    let role = Role::new(&empty).await;
    let storage = role.storage().await;
    let refused = refusal(&storage).await;
    let MigrateError::Permission { user, missing } = refused else { panic!("{refused:?}") };
    assert_eq!(user, role.name);
    assert!(missing[0].contains(&format!("GRANT CREATE ON SCHEMA public TO {user}")), "{missing:?}");
    assert_eq!(empty.catalogue().await, BTreeSet::new());

    empty.sql(&format!("GRANT CREATE ON SCHEMA public TO {user}")).await;
    storage.migrate().await.expect("that was all that was missing");
    storage.pool().close().await;
    role.remove().await;
}

#[tokio::test]
async fn whoever_may_only_use_the_tables_may_migrate_when_there_is_nothing_to_do() {
    let empty = Empty::new().await;
    empty.storage.migrate().await.unwrap();
    let role = Role::new(&empty).await;
    let storage = role.storage().await;
    let refused = refusal(&storage).await;
    assert!(matches!(refused, MigrateError::Permission { .. }), "not even read: {refused:?}");
    empty.sql(&format!("GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}", role.name)).await;
    storage.migrate().await.unwrap();
    storage.pool().close().await;
    role.remove().await;
}

/// As docs/postgres.md says it.
#[tokio::test]
async fn a_role_with_what_the_manual_grants_can_run_everything() {
    let empty = Empty::new().await;
    empty.storage.migrate().await.unwrap();
    let role = Role::new(&empty).await;
    for grant in ["SELECT, INSERT, UPDATE, DELETE ON ALL TABLES", "USAGE ON ALL SEQUENCES"] {
        empty.sql(&format!("GRANT {grant} IN SCHEMA public TO {}", role.name)).await;
    }
    let storage = role.storage().await;
    storage.migrate().await.unwrap();
    run_everything(&storage).await;
    storage.pool().close().await;
    role.remove().await;
}

/// Each operation of the contract once at least, on a task that spawns, one that is looked after, and one that fails.
async fn run_everything(storage: &PostgresStorage) {
    let definition = bound("a -> b -> c, a -> c, d");
    storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    let request = || vec![new_task(&definition, "once")];
    let created = storage.create(request(), NOW).await.unwrap();
    let [Creation::Created { task, .. }] = created[..] else { panic!("{created:?}") };
    let again = storage.create(request(), NOW).await.unwrap();
    assert_eq!(again, [Creation::Duplicate { task }]);
    assert_eq!(storage.due(NOW, 10).await.unwrap().wakes.len(), 1);

    let mut claims = storage.advance(wanting(task)).await.unwrap().remove(0).claims;
    let mut asking = outcome(task, &claims[0]);
    asking.spawned = vec![SpawnedStep {
        name: "more".into(),
        handler: "more".into(),
        config: Arc::default(),
        retry_limit: 3,
        retryable: true,
        after: vec![],
        before: vec!["c".into()],
    }];
    let first = storage.advance(bringing([asking.clone()])).await.unwrap().remove(0);
    assert_eq!(first.claims.len(), 2, "b, and what was spawned");
    let again = storage.advance(bringing([asking])).await.unwrap().remove(0);
    assert_eq!(again.recorded[0].how, Recording::AlreadyRecorded);
    claims.extend(first.claims);
    let beat = Beat { worker: WORKER, label: "it".into(), held: vec![], hand_back_before: NOW, now: NOW };
    assert_eq!(storage.beat(beat).await.unwrap(), []);
    let rescue = Rescue { lost_before: later(60), limit: 10, now: later(60) };
    assert_eq!(storage.rescue(rescue).await.unwrap().len(), 3);

    let command = TaskCommand::Cancel { force: false };
    let act = Intervention {
        task,
        act: Act::Task { command, expected: None },
        actor: "alice".into(),
        reason: None,
        now: later(60),
    };
    assert!(matches!(storage.intervene(act).await.unwrap(), Intervened::Moved { .. }));
    let loaded = storage.load(&[task], Detail::Audit).await.unwrap().remove(0);
    assert_eq!(loaded.current.state, TaskState::Cancelled);
    assert_eq!(storage.sweep(NOW, None, 10).await.unwrap().woken, 0);
}

/// The indexes that docs/postgres.md lists: all, or those that it says a statement needs, and not only uniqueness.
fn listed_indexes(serving: bool) -> BTreeSet<String> {
    let manual = include_str!("../../../docs/postgres.md");
    let indexes = manual.split("## The indexes").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = indexes.lines().filter(|line| line.starts_with("| `"));
    // What scopes are served by is shown by their plans.
    let elsewhere = |line: &&str| line.contains("| nothing twice |") || line.contains("| scopes: ");
    let rows = rows.filter(|line| !serving || !elsewhere(line));
    let names = rows.flat_map(|line| line.split('|').nth(1).unwrap().split('`').skip(1).step_by(2));
    names.map(ToOwned::to_owned).collect()
}

#[tokio::test]
async fn the_manual_lists_every_index_and_no_other() {
    let empty = Empty::new().await;
    empty.storage.migrate().await.unwrap();
    let there = "SELECT indexname::text FROM pg_indexes WHERE schemaname = 'public'";
    let there = sqlx::query_scalar(there).fetch_all(empty.pool()).await.unwrap();
    assert_eq!(listed_indexes(false), there.into_iter().collect());
}

#[tokio::test]
async fn every_index_of_the_contract_serves_a_statement() {
    let empty = Empty::new().await;
    empty.storage.migrate().await.unwrap();
    run_everything(&empty.storage).await;
    let names: Vec<String> = listed_indexes(true).into_iter().collect();
    assert!(names.len() > 15, "{names:?}");
    // A session tells what it read when it ends.
    empty.storage.pool().close().await;
    let pool = PgPool::connect_with(empty.database.options()).await.unwrap();
    let unused = "SELECT name FROM unnest($1::text[]) AS name
        WHERE NOT EXISTS (SELECT FROM pg_stat_user_indexes WHERE indexrelname = name AND idx_scan > 0)";
    for _ in 0..200 {
        let unused = sqlx::query_scalar::<_, String>(unused).bind(&names).fetch_all(&pool).await.unwrap();
        if unused.is_empty() {
            pool.close().await;
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", sqlx::query_scalar::<_, String>(unused).bind(&names).fetch_all(&pool).await.unwrap());
}

#[tokio::test]
async fn a_read_only_database_is_told_when_there_is_something_to_do() {
    let empty = Empty::new().await;
    let settings = [("default_transaction_read_only", "on")];
    let standby = connect(empty.database.options(), &settings).await;
    assert!(matches!(refusal(&standby).await, MigrateError::ReadOnly));
    empty.storage.migrate().await.unwrap();
    standby.migrate().await.unwrap();
}

/// What `connect` says when there is nothing to connect to.
async fn not_connected(url: &str) -> (ConnectError, bool) {
    let error = PostgresStorage::connect(url).await.unwrap_err();
    let transient = error.is_transient();
    match error {
        StorageError::Refused(source) | StorageError::Unavailable(source) => {
            (*source.downcast().expect("a ConnectError"), transient)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_cannot_be_connected_to_is_told_apart() {
    let no_server = not_connected("postgres://x@localhost:1/x?host=/nowhere").await;
    assert!(matches!(no_server, (ConnectError::NoServer { .. }, true)), "{no_server:?}");
    let nobody_listens = not_connected("postgres://x@127.0.0.1:1/x").await;
    assert!(matches!(nobody_listens, (ConnectError::NoServer { .. }, true)), "{nobody_listens:?}");
    let no_url = not_connected("not a url").await;
    assert!(matches!(no_url, (ConnectError::Url(_), false)), "{no_url:?}");
    let database = TestDatabase::empty().await.unwrap();
    let absent = database.url().replace(database.name(), "tasker_absent");
    let absent = not_connected(&absent).await;
    assert!(
        matches!(&absent, (ConnectError::NoDatabase { database, .. }, false) if database == "tasker_absent"),
        "{absent:?}"
    );
    let nobody = database.url().replace("://tasker@", "://tasker_nobody@");
    let nobody = not_connected(&nobody).await;
    assert!(
        matches!(&nobody, (ConnectError::TurnedAway { user, .. }, false) if user == "tasker_nobody"),
        "{nobody:?}"
    );
}

#[tokio::test]
async fn the_default_namespace_has_the_number_that_the_reference_takes() {
    let fixture = Fixture::new().await;
    assert_eq!(
        fixture
            .number("SELECT task_namespace_id::bigint FROM tasker_task_namespaces WHERE name = 'default'")
            .await,
        1
    );
}

#[tokio::test]
async fn the_states_of_the_tables_are_those_of_the_engine() {
    let fixture = Fixture::new().await;
    let constraints: Vec<String> =
        catalogue(fixture.pool()).await.into_iter().filter(|line| line.contains("_state_check")).collect();
    assert_eq!(constraints.len(), 4);
    let words = |line: &str| -> BTreeSet<String> {
        line.split('\'').skip(1).step_by(2).map(ToOwned::to_owned).collect()
    };
    let tasks: BTreeSet<_> = TaskState::ALL.iter().map(|state| state.as_str().to_owned()).collect();
    let steps: BTreeSet<_> = StepState::ALL.iter().map(|state| state.as_str().to_owned()).collect();
    assert_eq!(tasks, steps);
    assert!(constraints.iter().all(|line| words(line) == tasks), "{constraints:#?}");
}

/// A claim or an outcome writes most columns of a step. An index that names one ends the updates in place.
#[tokio::test]
async fn no_index_names_a_column_that_a_claim_or_an_outcome_writes() {
    let fixture = Fixture::new().await;
    for line in catalogue(fixture.pool())
        .await
        .iter()
        .filter(|line| line.contains(" ON public.tasker_workflow_steps "))
    {
        for column in ["process", "attempt", "retr", "backoff", "results", "_at"] {
            assert!(!line.split(" ON ").nth(1).unwrap().contains(column), "{line}");
        }
    }
}
