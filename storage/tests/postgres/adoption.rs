//! A database that Rails made: it is recognised, compared, added to, and otherwise left as it is.

use std::collections::BTreeSet;

use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnectOptions, PgPool};
use tasker_storage::postgres::cluster::TestDatabase;
use tasker_storage::postgres::{Change, Difference, Migrate, MigrateError, PostgresStorage, TablesFound};

use crate::catalogue::{assert_same, catalogue};

/// A database as the Rails engine leaves it, and a storage on it that has not migrated yet.
pub(crate) struct Rails {
    pub(crate) storage: PostgresStorage,
    // Dropped last, with whatever is still connected to it.
    pub(crate) database: TestDatabase,
}

impl Rails {
    pub(crate) async fn new() -> Self {
        let database = TestDatabase::cloned(
            concat!("tasker rails ", include_str!("rails/schema.sql"), include_str!("rails/rows.sql")),
            made_by_rails,
        );
        let database = database.await.expect("a database for the test");
        let storage = PgPool::connect_with(database.options()).await.expect("a connection").into();
        Self { storage, database }
    }

    pub(crate) fn pool(&self) -> &PgPool {
        self.storage.pool()
    }

    pub(crate) async fn sql(&self, statements: impl Into<String>) {
        let statements = AssertSqlSafe(statements.into());
        sqlx::raw_sql(statements).execute(self.pool()).await.expect("the test's own statement");
    }

    pub(crate) async fn catalogue(&self) -> BTreeSet<String> {
        catalogue(self.pool()).await
    }

    async fn differences(&self) -> Vec<Difference> {
        match self.storage.migrate_with(Migrate::default()).await {
            Err(MigrateError::Differs { differences, .. }) => differences,
            other => panic!("{other:?}"),
        }
    }
}

async fn made_by_rails(options: PgConnectOptions) -> Result<(), sqlx::Error> {
    let pool = PgPool::connect_with(options).await?;
    sqlx::raw_sql(include_str!("rails/schema.sql")).execute(&pool).await?;
    sqlx::raw_sql(include_str!("rails/rows.sql")).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

fn count(catalogue: &BTreeSet<String>, beginning: &str) -> usize {
    catalogue.iter().filter(|line| line.starts_with(beginning)).count()
}

#[tokio::test]
async fn the_fixture_has_the_size_of_the_reference() {
    let rails = Rails::new().await;
    let made = rails.catalogue().await;
    let found = ["index ", "function ", "view "].map(|kind| count(&made, kind));
    assert_eq!(found, [99, 9, 1]);
    let tables = made.iter().filter(|line| line.starts_with("relation ") && line.ends_with(" r")).count();
    let keys = made.iter().filter(|line| line.contains(" FOREIGN KEY ")).count();
    assert_eq!((tables, keys), (13, 15));
}

#[tokio::test]
async fn a_database_that_rails_made_is_added_to_and_nothing_of_it_changes() {
    let rails = Rails::new().await;
    let before = rails.catalogue().await;
    let report = rails.storage.migrate_with(Migrate::default()).await.unwrap();
    assert_eq!((report.tables, &*report.hindered), (TablesFound::Rails, &[][..]));
    let after = rails.catalogue().await;
    assert_eq!(before.difference(&after).collect::<Vec<_>>(), [""; 0], "all that was there still is");

    let done = |what| report.done.iter().filter(move |done| done.what == what).map(|done| done.name);
    assert_eq!(
        done(Change::Adopted).take(2).collect::<Vec<_>>(),
        ["0001_create_catalogue", "0002_create_tasks"]
    );
    assert!(done(Change::Applied).any(|name| name == "0003_create_engine_tables"));
    // The others that our statements need are among the ninety-nine.
    let added = [
        "index_workflow_steps_on_task_id_and_named_step_id",
        "index_workflow_step_edges_on_from_step_id_and_to_step_id",
        "tasker_no_edge_to_itself",
        "tasker_running_claims",
        "tasker_open_tasks",
        "tasker_tasks_by_creation",
        "tasker_failed_tasks",
        "tasker_failed_steps",
    ];
    assert_eq!(done(Change::Added).collect::<Vec<_>>(), added);
    for name in added {
        assert!(after.difference(&before).any(|line| line.contains(name)), "{name}");
    }
    let on_their_tables = |line: &&String| line.starts_with("column ") || line.contains("_state_check");
    let theirs: BTreeSet<_> =
        before.iter().filter_map(|line| line.strip_prefix("relation ")?.split(' ').next()).collect();
    let changed = after.difference(&before).filter(|line| on_their_tables(line));
    let changed = changed.filter(|line| theirs.contains(line.split([' ', '.']).nth(1).unwrap()));
    assert_eq!(changed.collect::<Vec<_>>(), [""; 0], "no column and no check of states came to their tables");
}

#[tokio::test]
async fn adopting_twice_and_two_at_once_does_it_once() {
    let rails = Rails::new().await;
    let (one, two) = tokio::join!(
        rails.storage.migrate_with(Migrate::default()),
        rails.storage.migrate_with(Migrate::default())
    );
    let (one, two) = (one.unwrap(), two.unwrap());
    assert!(one.done.is_empty() != two.done.is_empty(), "{one}\n{two}");
    let before = rails.catalogue().await;
    let again = rails.storage.migrate_with(Migrate::default()).await.unwrap();
    assert_eq!((again.tables, again.done), (TablesFound::Rails, vec![]));
    assert_same(&rails.catalogue().await, &before, "");
}

#[tokio::test]
async fn an_adopted_database_is_taken_back_to_what_rails_made() {
    let rails = Rails::new().await;
    // Of the same name as ours, but not made by us.
    rails
        .sql(
            "CREATE UNIQUE INDEX index_workflow_steps_on_task_id_and_named_step_id
                 ON tasker_workflow_steps (task_id, named_step_id)",
        )
        .await;
    let before = rails.catalogue().await;
    rails.storage.migrate().await.unwrap();
    let adopted = rails.catalogue().await;
    for number in [8, 3, 2] {
        rails.storage.revert(number).await.unwrap();
        rails.storage.migrate().await.unwrap();
        assert_same(&rails.catalogue().await, &adopted, &format!("from {number}"));
    }
    rails.storage.revert(0).await.unwrap();
    assert_same(&rails.catalogue().await, &before, "");
    let rows = sqlx::query_scalar::<_, i64>("SELECT count(*) FROM tasker_tasks");
    assert_eq!(rows.fetch_one(rails.pool()).await.unwrap(), 7);
    let report = rails.storage.migrate_with(Migrate::default()).await.unwrap();
    assert_eq!(report.tables, TablesFound::Rails);
    assert_same(&rails.catalogue().await, &adopted, "");
}

#[tokio::test]
async fn a_new_database_has_what_an_adopted_one_is_given() {
    let rails = Rails::new().await;
    // No index but the unique ones, so that all that ours needs is added.
    rails
        .sql(
            "DO $$ DECLARE one record; BEGIN
                 FOR one IN SELECT indexrelid::regclass AS name FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid
                     WHERE c.relname LIKE 'tasker%' AND NOT i.indisunique
                 LOOP EXECUTE 'DROP INDEX ' || one.name; END LOOP;
             END $$",
        )
        .await;
    rails.storage.migrate().await.unwrap();
    let new = TestDatabase::empty().await.unwrap();
    let new = PostgresStorage::from(PgPool::connect_with(new.options()).await.unwrap());
    new.migrate().await.unwrap();
    let indexes = |catalogue: BTreeSet<String>| -> BTreeSet<String> {
        catalogue
            .into_iter()
            .filter(|line| line.starts_with("index ") || line.contains("no_edge_to_itself"))
            .collect()
    };
    assert_same(&indexes(rails.catalogue().await), &indexes(catalogue(new.pool()).await), "");
    new.pool().close().await;
}

/// What Rails' functions and its view are made of.
async fn bodies(rails: &Rails) -> BTreeSet<String> {
    let of_theirs = |line: &String| {
        line.starts_with("view tasker_step_dag_relationships ")
            || line.starts_with("function ")
                && !line.starts_with("function tasker_")
                && !line.contains("_at(")
                && !line.contains("_v02(")
    };
    rails.catalogue().await.into_iter().filter(of_theirs).collect()
}

#[tokio::test]
async fn functions_that_rails_made_are_replaced_when_asked_and_come_back() {
    let rails = Rails::new().await;
    let theirs = bodies(&rails).await;
    assert_eq!(theirs.len(), 10);
    rails.storage.migrate().await.unwrap();
    assert_eq!(bodies(&rails).await, theirs);
    let adopted = rails.catalogue().await;
    let ready = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM get_step_readiness_status(2) WHERE ready_for_execution",
    );
    assert_eq!(ready.fetch_one(rails.pool()).await.unwrap(), 0, "a stub");

    let replace = Migrate { replace_functions: true, ..Migrate::default() };
    let report = rails.storage.migrate_with(replace).await.unwrap();
    assert_eq!(report.done.iter().map(|done| done.what).collect::<Vec<_>>(), [Change::Replaced]);
    let ours = bodies(&rails).await;
    assert_eq!((ours.len(), ours.intersection(&theirs).count()), (10, 0));
    let ready = sqlx::query_scalar::<_, i64>(
        "SELECT count(*) FROM get_step_readiness_status(2) WHERE ready_for_execution",
    );
    assert_eq!(ready.fetch_one(rails.pool()).await.unwrap(), 1);
    let roots =
        sqlx::query_scalar::<_, i64>("SELECT count(*) FROM tasker_step_dag_relationships WHERE is_root_step");
    assert_eq!(roots.fetch_one(rails.pool()).await.unwrap(), 7);
    assert_eq!(rails.storage.migrate_with(replace).await.unwrap().done, []);

    let number: i64 = report.done[0].name[..4].parse().unwrap();
    rails.storage.revert(number - 1).await.unwrap();
    assert_eq!(bodies(&rails).await, theirs);
    rails.storage.migrate().await.unwrap();
    assert_same(&rails.catalogue().await, &adopted, "");
}

#[tokio::test]
async fn functions_can_be_replaced_at_once() {
    let rails = Rails::new().await;
    let before = rails.catalogue().await;
    let theirs = bodies(&rails).await;
    let replace = Migrate { replace_functions: true, ..Migrate::default() };
    rails.storage.migrate_with(replace).await.unwrap();
    assert_eq!(bodies(&rails).await.intersection(&theirs).count(), 0);
    rails.storage.revert(0).await.unwrap();
    assert_same(&rails.catalogue().await, &before, "");
}

#[tokio::test]
async fn every_difference_is_told_and_nothing_is_changed() {
    let rails = Rails::new().await;
    rails
        .sql(
            "ALTER TABLE tasker_tasks DROP COLUMN tags;
             ALTER TABLE tasker_workflow_steps ALTER COLUMN inputs TYPE json USING inputs::json;
             ALTER TABLE tasker_workflow_steps ALTER COLUMN retry_limit SET DEFAULT 5;
             ALTER TABLE tasker_workflow_steps ALTER COLUMN attempts SET DEFAULT 0;
             ALTER TABLE tasker_workflow_step_transitions ALTER COLUMN sort_key DROP NOT NULL;
             ALTER TABLE tasker_task_transitions DROP CONSTRAINT fk_rails_e8caec803c;
             ALTER TABLE tasker_named_steps ADD COLUMN tenant text NOT NULL DEFAULT '';
             ALTER TABLE tasker_named_steps ADD COLUMN region text;
             ALTER TABLE tasker_annotation_types ADD COLUMN tenant text;
             UPDATE tasker_annotation_types SET tenant = '';
             ALTER TABLE tasker_annotation_types ALTER COLUMN tenant SET NOT NULL;
             DROP INDEX index_tasks_on_identity_hash;
             DROP TABLE tasker_dependent_system_object_maps;",
        )
        .await;
    let before = rails.catalogue().await;
    let told: BTreeSet<_> = rails.differences().await.iter().map(ToString::to_string).collect();
    let expected = [
        "there is no table tasker_dependent_system_object_maps: \
         let the Rails application's migrations make tasker_dependent_system_object_maps",
        "tasker_tasks has no column tags: ALTER TABLE tasker_tasks ADD COLUMN tags jsonb",
        "tasker_workflow_steps.inputs is of type json, not jsonb: \
         ALTER TABLE tasker_workflow_steps ALTER COLUMN inputs TYPE jsonb",
        "the default of tasker_workflow_steps.retry_limit is 5, not 3: \
         ALTER TABLE tasker_workflow_steps ALTER COLUMN retry_limit SET DEFAULT 3",
        "the default of tasker_workflow_steps.attempts is 0, not none: \
         ALTER TABLE tasker_workflow_steps ALTER COLUMN attempts DROP DEFAULT",
        "tasker_workflow_step_transitions.sort_key allows NULL: \
         ALTER TABLE tasker_workflow_step_transitions ALTER COLUMN sort_key SET NOT NULL",
        "tasker_task_transitions lacks FOREIGN KEY (task_id) REFERENCES tasker_tasks(task_id) (called \
         fk_rails_e8caec803c): ALTER TABLE tasker_task_transitions ADD CONSTRAINT fk_rails_e8caec803c \
         FOREIGN KEY (task_id) REFERENCES tasker_tasks(task_id)",
        "tasker_annotation_types has a column tenant, unknown here, that every new row has to give: \
         ALTER TABLE tasker_annotation_types ALTER COLUMN tenant DROP NOT NULL, or give it a default",
        "tasker_tasks lacks UNIQUE USING btree (identity_hash) (called index_tasks_on_identity_hash): \
         CREATE UNIQUE INDEX index_tasks_on_identity_hash ON tasker_tasks USING btree (identity_hash)",
    ];
    assert_eq!(told, expected.map(ToOwned::to_owned).into());
    assert_same(&rails.catalogue().await, &before, "");
    let noted = sqlx::query_scalar::<_, bool>("SELECT to_regclass('tasker_migrations') IS NULL");
    assert!(noted.fetch_one(rails.pool()).await.unwrap(), "no note of it either");
}

#[tokio::test]
async fn what_is_told_to_do_makes_the_database_fit() {
    let rails = Rails::new().await;
    rails
        .sql(
            "ALTER TABLE tasker_tasks DROP COLUMN tags;
             ALTER TABLE tasker_tasks ALTER COLUMN initiator TYPE varchar(64);
             ALTER TABLE tasker_workflow_steps ALTER COLUMN attempts SET DEFAULT 0;
             ALTER TABLE tasker_workflow_steps ALTER COLUMN retryable DROP DEFAULT;
             ALTER TABLE tasker_workflow_steps ALTER COLUMN retryable DROP NOT NULL;
             ALTER TABLE tasker_task_transitions DROP CONSTRAINT fk_rails_e8caec803c;
             DROP INDEX index_tasks_on_identity_hash;",
        )
        .await;
    let differences = rails.differences().await;
    assert_eq!(differences.len(), 7, "{differences:#?}");
    for difference in differences {
        rails.sql(difference.remedy()).await;
    }
    rails.storage.migrate().await.unwrap();
}

#[tokio::test]
async fn a_view_in_the_place_of_a_table_is_a_difference() {
    let rails = Rails::new().await;
    rails
        .sql(
            "ALTER TABLE tasker_annotation_types RENAME TO annotation_types;
             CREATE VIEW tasker_annotation_types AS SELECT * FROM annotation_types",
        )
        .await;
    let differences = rails.differences().await;
    let table = |difference: &Difference| matches!(difference, Difference::Table { table } if table == "tasker_annotation_types");
    assert!(differences.iter().any(table), "{differences:#?}");
}

#[tokio::test]
async fn another_way_to_write_the_same_is_no_difference() {
    let rails = Rails::new().await;
    rails
        .sql(
            "ALTER TABLE tasker_tasks ALTER COLUMN requested_at TYPE timestamp(6);
             ALTER TABLE tasker_named_tasks ALTER COLUMN configuration SET DEFAULT '{}';
             DROP INDEX index_tasker_task_transitions_on_task_id_and_most_recent;
             CREATE UNIQUE INDEX of_another_name ON tasker_task_transitions (task_id, most_recent)
                 WHERE most_recent = true",
        )
        .await;
    rails.storage.migrate().await.unwrap();
}

#[tokio::test]
async fn constraints_that_rows_are_in_the_way_of_are_told_and_tried_again_when_asked() {
    let rails = Rails::new().await;
    rails
        .sql(
            "INSERT INTO tasker_workflow_steps (task_id, named_step_id, created_at, updated_at)
             VALUES (2, 3, now(), now());
             INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
             VALUES (21, 22, 'again', now(), now()), (23, 23, 'itself', now(), now());
             DROP INDEX idx_step_edges_from_to, index_step_edges_from_to_composite",
        )
        .await;
    let report = rails.storage.migrate_with(Migrate::default()).await.unwrap();
    let told: Vec<_> = report.hindered.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "index_workflow_steps_on_task_id_and_named_step_id was not added: task 2 has the named step 3 2 times",
            "index_workflow_step_edges_on_from_step_id_and_to_step_id was not added: \
             2 edges lead from step 21 to step 22",
            "tasker_no_edge_to_itself was not added: edge 16 leads from step 23 to itself",
        ]
    );
    let added: Vec<_> =
        report.done.iter().filter(|done| done.what == Change::Added).map(|done| done.name).collect();
    assert_eq!(
        added,
        [
            "tasker_running_claims",
            "tasker_open_tasks",
            "tasker_tasks_by_creation",
            "tasker_failed_tasks",
            "tasker_failed_steps",
            "tasker_children_of_step",
        ],
        "what looks for children is served"
    );

    let quiet = rails.storage.migrate_with(Migrate::default()).await.unwrap();
    assert_eq!(
        (quiet.done.len(), quiet.hindered.len()),
        (0, 0),
        "a start of a process does not read all rows"
    );

    rails
        .sql(
            "DELETE FROM tasker_workflow_steps WHERE workflow_step_id > 100;
             DELETE FROM tasker_workflow_step_edges WHERE id = 16",
        )
        .await;
    let again = Migrate { retry_hindered: true, ..Migrate::default() };
    let tried = rails.storage.migrate_with(again).await.unwrap();
    assert_eq!(
        tried.done.iter().map(|done| done.name).collect::<Vec<_>>(),
        ["index_workflow_steps_on_task_id_and_named_step_id", "tasker_no_edge_to_itself",]
    );
    assert_eq!(tried.hindered.len(), 1, "{tried}");
}

#[tokio::test]
async fn a_dry_run_on_a_database_that_rails_made_tells_all_and_changes_nothing() {
    let rails = Rails::new().await;
    rails
        .sql(
            "INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
               VALUES (23, 23, 'itself', now(), now())",
        )
        .await;
    let before = rails.catalogue().await;
    let report = rails.storage.migrate_with(Migrate { dry_run: true, ..Migrate::default() }).await.unwrap();
    assert_eq!((report.tables, report.hindered.len()), (TablesFound::Rails, 1));
    assert!(report.to_string().contains("0001_create_catalogue: would be left as it was found"), "{report}");
    assert_same(&rails.catalogue().await, &before, "");
}

#[tokio::test]
async fn tables_of_another_owner_are_refused_before_any_work() {
    let rails = Rails::new().await;
    let role = format!("{}_guest", rails.database.name());
    rails
        .sql(format!(
            "CREATE ROLE {role}; GRANT ALL ON SCHEMA public TO {role}; GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"
        ))
        .await;
    let options = rails.database.options().options([("role", &role)]);
    let guest = PostgresStorage::from(PgPool::connect_with(options).await.unwrap());
    let before = rails.catalogue().await;
    match guest.migrate_with(Migrate::default()).await {
        Err(MigrateError::Permission { user, missing }) => {
            assert_eq!((user, missing.len()), (role.clone(), 13));
            assert!(missing[0].starts_with("to act as the owner of tasker_"), "{missing:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_same(&rails.catalogue().await, &before, "");
    guest.pool().close().await;
    rails.sql(format!("DROP OWNED BY {role}; DROP ROLE {role}")).await;
}

#[tokio::test]
async fn a_database_that_rails_made_in_another_schema_is_adopted_there() {
    let database = TestDatabase::empty().await.unwrap();
    let options = database.options().options([("search_path", "app")]);
    let pool = PgPool::connect_with(options).await.unwrap();
    sqlx::raw_sql("CREATE SCHEMA app").execute(&pool).await.unwrap();
    sqlx::raw_sql(include_str!("rails/schema.sql")).execute(&pool).await.unwrap();
    let storage = PostgresStorage::from(pool.clone());
    let report = storage.migrate_with(Migrate::default()).await.unwrap();
    assert_eq!((&*report.schema, report.tables), ("app", TablesFound::Rails));
    pool.close().await;
}
