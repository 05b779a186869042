//! The schema, embedded when the crate is built.

use std::borrow::Cow;

use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, PgPool, SqlSafeStr as _};
use tasker_engine::StorageError;

use super::error::storage_error;

/// Where it is written which migrations were applied. Not sqlx's own table: an application that has migrations of its
/// own may live in the same database.
const TABLE: &str = "tasker_migrations";

/// Its number, its name, and what it does there and back.
type Source = (i64, &'static str, &'static str, &'static str);

macro_rules! sources {
    ($($number:literal $name:literal)*) => {
        [$((
            $number,
            $name,
            include_str!(concat!("../../migrations/", $name, ".up.sql")),
            include_str!(concat!("../../migrations/", $name, ".down.sql")),
        )),*]
    };
}

const SOURCES: [Source; 15] = sources! {
    1 "0001_create_catalogue"
    2 "0002_create_tasks"
    3 "0003_create_engine_tables"
    4 "0004_define_judging"
    5 "0005_add_moves"
    6 "0006_add_create"
    7 "0007_add_advance"
    8 "0008_add_operations"
    9 "0009_add_loading"
    10 "0010_add_readiness"
    11 "0011_add_execution_contexts"
    12 "0012_add_step_graph"
    13 "0013_add_analytics"
    14 "0014_add_health_counts"
    15 "0015_name_as_the_reference_does"
};

/// Brings the schema up to date; from an empty database or from any release before. Does nothing when it is. A schema
/// that is newer than this program is refused.
pub(super) async fn migrate(pool: &PgPool) -> Result<(), StorageError> {
    alone(pool, async |connection| migrator().run_direct(None, connection, false).await).await
}

/// Takes the schema back to that migration, and to nothing with 0: what the later ones made is gone, with all that it
/// holds.
pub(super) async fn revert(pool: &PgPool, target: i64) -> Result<(), StorageError> {
    alone(pool, async |connection| migrator().undo(connection, target).await).await
}

/// The migrator takes a lock for its session and keeps it when it fails, so it gets a session of its own.
async fn alone(
    pool: &PgPool,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<(), MigrateError>,
) -> Result<(), StorageError> {
    let mut connection = pool.acquire().await.map_err(storage_error)?.detach();
    let done = work(&mut connection).await;
    let closed = connection.close().await;
    done.map_err(|error| match error {
        MigrateError::Execute(error) => storage_error(error),
        error => StorageError::Refused(error.into()),
    })?;
    closed.map_err(storage_error)
}

fn migrator() -> Migrator {
    let both = |(number, name, up, down): Source| {
        let one = |kind, sql: &'static str| {
            Migration::new(number, Cow::Borrowed(name), kind, sql.into_sql_str(), false)
        };
        [one(MigrationType::ReversibleUp, up), one(MigrationType::ReversibleDown, down)]
    };
    let mut migrator = Migrator::with_migrations(SOURCES.into_iter().flat_map(both).collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    /// The crate is packaged by itself, so it has to bring the files of the workspace's room with it: by a link.
    #[test]
    fn every_file_of_the_migrations_is_embedded_and_none_is_missing() {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let files: BTreeSet<_> = fs::read_dir(here)
            .expect("storage/migrations leads to the migrations")
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let embedded: BTreeSet<_> = SOURCES
            .iter()
            .flat_map(|(_, name, _, _)| [format!("{name}.up.sql"), format!("{name}.down.sql")])
            .collect();
        assert_eq!(files, embedded);
    }

    #[test]
    fn numbers_ascend_and_names_begin_with_them() {
        for (place, (number, name, _, _)) in SOURCES.iter().enumerate() {
            assert_eq!(*number, i64::try_from(place).unwrap() + 1);
            assert!(name.starts_with(&format!("{number:04}_")), "{name}");
        }
    }
}
