//! The migrations, and what they make.

use std::collections::BTreeSet;
use std::process::Command;

use sqlx::Row as _;
use sqlx::postgres::PgPool;
use tasker_engine::{StepState, StorageError, TaskState};
use tasker_storage::postgres::PostgresStorage;
use tasker_storage::postgres::cluster::TestDatabase;

use crate::fixture::Fixture;

/// Everything in the schema `public`, by kind and name, with what it is made of.
async fn catalogue(pool: &PgPool) -> BTreeSet<String> {
    let rows = sqlx::query(
        "SELECT 'column ' || c.table_name || '.' || c.column_name || ' ' || c.data_type
                || coalesce('(' || c.character_maximum_length || ')', '') || ' ' || c.is_nullable
                || coalesce(' ' || c.column_default, '')
         FROM information_schema.columns AS c
         WHERE c.table_schema = 'public'
         UNION ALL
         SELECT 'constraint ' || conrelid::regclass || ' ' || conname || ' ' || pg_get_constraintdef(oid)
         FROM pg_constraint WHERE connamespace = 'public'::regnamespace AND contype <> 'n'
         UNION ALL
         SELECT 'index ' || indexdef FROM pg_indexes WHERE schemaname = 'public'
         UNION ALL
         SELECT 'function ' || oid::regprocedure || ' ' || md5(prosrc)
         FROM pg_proc WHERE pronamespace = 'public'::regnamespace
         UNION ALL
         SELECT 'type ' || typname FROM pg_type WHERE typnamespace = 'public'::regnamespace",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    rows.iter().map(|row| row.get(0)).filter(|line: &String| !line.contains("tasker_migrations")).collect()
}

#[tokio::test]
async fn up_down_and_up_again_leaves_nothing_behind_and_makes_the_same() {
    let database = TestDatabase::empty().await.unwrap();
    let pool = PgPool::connect_with(database.options()).await.unwrap();
    let storage = PostgresStorage::from(pool.clone());
    storage.migrate().await.unwrap();
    let first = catalogue(&pool).await;
    storage.revert(0).await.unwrap();
    assert_eq!(catalogue(&pool).await, BTreeSet::new());
    storage.migrate().await.unwrap();
    assert_eq!(catalogue(&pool).await, first);
    pool.close().await;
}

#[tokio::test]
async fn migrating_twice_and_two_at_once_changes_nothing() {
    let database = TestDatabase::empty().await.unwrap();
    let pool = PgPool::connect_with(database.options()).await.unwrap();
    let storage = PostgresStorage::from(pool.clone());
    let (one, two) = tokio::join!(storage.migrate(), storage.migrate());
    one.and(two).unwrap();
    let before = catalogue(&pool).await;
    storage.migrate().await.unwrap();
    assert_eq!(catalogue(&pool).await, before);
    pool.close().await;
}

#[tokio::test]
async fn a_schema_that_is_newer_is_refused() {
    let fixture = Fixture::new().await;
    fixture
        .sql(
            "INSERT INTO tasker_migrations (version, description, success, checksum, execution_time)
              VALUES (9999, 'from the future', true, '', 0)",
        )
        .await;
    let refused = fixture.storage.migrate().await.unwrap_err();
    assert!(matches!(refused, StorageError::Refused(_)), "{refused}");
}

#[tokio::test]
async fn a_database_that_is_not_there_and_a_server_that_is_not_are_told_apart() {
    let absent = PostgresStorage::connect("postgres://x@localhost:1/x?host=/nowhere").await.unwrap_err();
    assert!(absent.is_transient(), "{absent:?}");
    let not_one = PostgresStorage::connect("not a url").await.unwrap_err();
    assert!(!not_one.is_transient(), "{not_one:?}");
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

#[tokio::test]
async fn every_foreign_key_of_the_reference_is_there_by_its_name() {
    let fixture = Fixture::new().await;
    let catalogue = catalogue(fixture.pool()).await;
    for name in [
        "fk_rails_16a0297759",
        "named_steps_dependent_system_id_foreign",
        "named_tasks_named_steps_named_task_id_foreign",
        "named_tasks_named_steps_named_step_id_foreign",
        "tasks_named_task_id_foreign",
        "workflow_steps_task_id_foreign",
        "workflow_steps_named_step_id_foreign",
        "fk_rails_7b4652ccf2",
        "fk_rails_93ec0bf6eb",
        "fk_rails_6e0f6eb833",
        "fk_rails_e8caec803c",
        "task_annotations_task_id_foreign",
        "task_annotations_annotation_type_id_foreign",
        "dependent_system_object_maps_dependent_system_one_id_foreign",
        "dependent_system_object_maps_dependent_system_two_id_foreign",
    ] {
        let known = |line: &String| {
            line.starts_with("constraint ") && line.contains(&format!(" {name} FOREIGN KEY "))
        };
        assert_eq!(catalogue.iter().filter(|line| known(line)).count(), 1, "{name}");
    }
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

/// The crate is published by itself; the migrations lie in a room of the workspace.
#[test]
fn the_package_brings_the_migrations_along() {
    let listed = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations")).unwrap();
    for file in files {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(
            listed.lines().any(|line| line == format!("migrations/{name}")),
            "{name} is not in\n{listed}"
        );
    }
}
