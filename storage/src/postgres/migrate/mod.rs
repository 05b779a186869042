//! Bringing the schema of a database up to date, and taking it back.
//!
//! ```text
//! look (found) ──▶ decide (plan) ──▶ do ──▶ report
//!   └── what cannot be: a MigrateError, before anything was written
//! ```
//!
//! All of it is one transaction under one lock: it takes effect whole or not at all, two who migrate at once wait for
//! each other, and a pooler that gives a server to each transaction is no obstacle.
//!
//! # A database that Rails made
//!
//! It is known by the reference's tables without a note of ours. They are compared with what our migrations would make
//! (`catalogue`), and refused with every difference; otherwise the migrations that make the reference's objects are noted
//! as *adopted* and not carried out, and what our tables have in addition is added where the rows allow it
//! (`additions`). Nothing is dropped and no body of a function is replaced, unless that is asked for. Taking the schema
//! back leaves it as it was found.

mod additions;
mod catalogue;
mod difference;
mod error;
mod found;
mod plan;
mod report;
mod statement;

pub use additions::Hindrance;
pub use difference::Difference;
pub use error::MigrateError;
pub use report::{Change, Done, MigrationReport, TablesFound};

use sqlx::{AssertSqlSafe, PgConnection, PgPool, PgTransaction};

use self::catalogue::REFERENCE_FUNCTIONS;
use self::found::Found;
use self::plan::{Act, check_applied, plan};
use self::statement::statement;
use super::migrations::{MIGRATIONS, Makes, Migration};

/// How a schema is brought up to date.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Migrate {
    /// On a database that Rails made: put the corrected bodies in the place of its nine functions and its view. A Rails
    /// application that works there sees the corrected answers from then on.
    pub replace_functions: bool,
    /// On a database that Rails made: try again to add the constraints that rows were in the way of.
    pub retry_hindered: bool,
    /// Tell what would be done, with its SQL, and change nothing.
    pub dry_run: bool,
}

/// Brings the schema up to date.
pub(super) async fn migrate(pool: &PgPool, options: Migrate) -> Result<MigrationReport, MigrateError> {
    let mut transaction = begin(pool).await?;
    let mut found = Found::look(&mut transaction, options).await?;
    let mut acts = plan(&found, MIGRATIONS, options)?;
    if !acts.is_empty() && !options.dry_run {
        lock(&mut transaction).await?;
        // Somebody else may have done it while we waited.
        found = Found::look(&mut transaction, options).await?;
        acts = plan(&found, MIGRATIONS, options)?;
    }
    let mut report = MigrationReport {
        tables: match (found.is_foreign() || found.is_adopted(), found.tables.is_empty()) {
            (true, _) => TablesFound::Rails,
            (false, false) => TablesFound::Ours,
            (false, true) => TablesFound::None,
        },
        schema: found.schema,
        done: vec![],
        hindered: vec![],
        dry_run: options.dry_run,
    };
    if !found.has_records && !acts.is_empty() && !options.dry_run {
        sqlx::raw_sql(RECORDS).execute(&mut *transaction).await?;
    }
    let server = found.server;
    for act in acts {
        if let Act::Add(addition) = act
            && let Some(hindrance) = addition.hindrance(&mut transaction).await?
        {
            report.hindered.push(hindrance);
            continue;
        }
        if options.dry_run || carry_out(&mut transaction, act).await.map_err(|error| server.explain(error))? {
            report.done.push(act.into());
        }
    }
    transaction.commit().await?;
    Ok(report)
}

/// Takes the schema back to that migration, and to what it was before the first with 0.
pub(super) async fn revert(pool: &PgPool, target: i64) -> Result<(), MigrateError> {
    let mut transaction = begin(pool).await?;
    lock(&mut transaction).await?;
    let found = Found::look(&mut transaction, Migrate::default()).await?;
    check_applied(&found, MIGRATIONS)?;
    let adopted = found.is_adopted();
    for applied in found.applied.iter().rev().filter(|applied| applied.number > target) {
        let migration = MIGRATIONS.iter().find(|migration| migration.number == applied.number);
        let migration = migration.expect("every migration that was applied is known");
        // What the reference made is not ours to drop.
        if migration.makes == Makes::Ours || !adopted {
            run(&mut transaction, migration.name, migration.down).await?;
        } else if let Some(replaced) = &applied.replaced {
            restore(&mut transaction, migration.name, replaced).await?;
        }
        forget(&mut transaction, migration.name).await?;
    }
    let tables_go =
        |migration: &Migration| migration.makes == Makes::ReferenceTables && migration.number > target;
    if adopted && MIGRATIONS.iter().any(tables_go) {
        for addition in found.added.iter().filter_map(|name| additions::named(name)) {
            run(&mut transaction, addition.name, addition.remove).await?;
            forget(&mut transaction, addition.name).await?;
        }
    }
    if found.has_records && target < 1 {
        sqlx::raw_sql("DROP TABLE tasker_migrations").execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

/// What was done. A migration has a number, something added to tables that the reference made has none. `replaced` makes
/// the functions of the reference again that ours were put in the place of.
const RECORDS: &str = "CREATE TABLE tasker_migrations (
    name text PRIMARY KEY,
    number bigint UNIQUE,
    checksum bytea,
    adopted boolean NOT NULL DEFAULT false,
    replaced text,
    done_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((number IS NULL) = (checksum IS NULL)))";

/// A transaction whose every statement sees what others committed before it.
async fn begin(pool: &PgPool) -> Result<PgTransaction<'static>, MigrateError> {
    Ok(pool.begin_with("BEGIN ISOLATION LEVEL READ COMMITTED").await?)
}

/// Waits for whoever migrates the same schema. The lock goes with the transaction.
async fn lock(connection: &mut PgConnection) -> Result<(), MigrateError> {
    statement!("SELECT pg_advisory_xact_lock(hashtext('tasker_migrations'), hashtext(current_schema()))")
        .execute(connection)
        .await?;
    Ok(())
}

/// Does one thing and notes it; answers whether it had to be done.
async fn carry_out(connection: &mut PgConnection, act: Act) -> Result<bool, MigrateError> {
    match act {
        Act::Apply(migration) => {
            run(connection, migration.name, migration.up).await?;
            note(connection, migration, false).await?;
        }
        Act::Adopt(migration) => note(connection, migration, true).await?,
        Act::Replace(migration) => {
            forget(connection, migration.name).await?;
            note(connection, migration, false).await?;
            keep_replaced(connection, migration.name).await?;
            run(connection, migration.name, migration.up).await?;
        }
        Act::Add(addition) if addition.is_there(connection).await? => return Ok(false),
        Act::Add(addition) => {
            run(connection, addition.name, addition.add).await?;
            statement!("INSERT INTO tasker_migrations (name) VALUES ($1)", addition.name)
                .execute(connection)
                .await?;
        }
    }
    Ok(true)
}

async fn run(connection: &mut PgConnection, name: &str, sql: &'static str) -> Result<(), MigrateError> {
    told(name, sqlx::raw_sql(sql).execute(connection).await)
}

fn told<T>(name: &str, answer: Result<T, sqlx::Error>) -> Result<(), MigrateError> {
    match answer {
        Ok(_) => Ok(()),
        Err(source) if source.as_database_error().is_some() => {
            Err(MigrateError::Failed { migration: name.to_owned(), source })
        }
        Err(lost) => Err(lost.into()),
    }
}

async fn note(
    connection: &mut PgConnection,
    migration: &Migration,
    adopted: bool,
) -> Result<(), MigrateError> {
    statement!(
        "INSERT INTO tasker_migrations (name, number, checksum, adopted) VALUES ($1, $2, $3, $4)",
        migration.name,
        migration.number,
        migration.checksum(),
        adopted,
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Keeps the reference's functions and its view, as far as they are there, as the server writes them down.
async fn keep_replaced(connection: &mut PgConnection, name: &str) -> Result<(), MigrateError> {
    statement!(
        "UPDATE tasker_migrations SET replaced = concat(
             (SELECT string_agg(pg_get_functiondef(p.oid), ';') || ';' FROM pg_proc AS p
              WHERE p.pronamespace = quote_ident(current_schema())::regnamespace AND p.proname = ANY ($2::text[])),
             'CREATE OR REPLACE VIEW tasker_step_dag_relationships AS '
                 || pg_get_viewdef(to_regclass('tasker_step_dag_relationships')))
         WHERE name = $1",
        name,
        &REFERENCE_FUNCTIONS[..],
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Puts back what was kept.
async fn restore(connection: &mut PgConnection, name: &str, replaced: &str) -> Result<(), MigrateError> {
    // The server wrote it down itself.
    let restored = sqlx::raw_sql(AssertSqlSafe(replaced.to_owned())).execute(connection).await;
    told(name, restored)
}

async fn forget(connection: &mut PgConnection, name: &str) -> Result<(), MigrateError> {
    statement!("DELETE FROM tasker_migrations WHERE name = $1", name).execute(connection).await?;
    Ok(())
}
