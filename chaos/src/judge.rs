//! Gives the ledgers to the database, and has it judged.

use std::path::Path;

use sqlx::Row as _;
use sqlx::postgres::PgPool;

use crate::Failure;
use crate::ledger::{self, Entry};

/// Whether all is well is said line by line.
const JUDGE: &str = include_str!("judge.sql");

/// One line of the judgement, and whether it says that something is wrong.
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) is_wrong: bool,
}

pub(crate) async fn judge(pool: &PgPool, ledgers: &Path) -> Result<Vec<Line>, Failure> {
    for page in ledger::read_all(ledgers)?.chunks(10_000) {
        enter(pool, page).await?;
    }
    sqlx::raw_sql("ANALYZE").execute(pool).await?;
    let rows = sqlx::query(JUDGE).fetch_all(pool).await?;
    rows.iter().map(|row| Ok(Line { text: row.try_get(0)?, is_wrong: row.try_get(1)? })).collect()
}

async fn enter(pool: &PgPool, page: &[Entry]) -> Result<(), sqlx::Error> {
    let numbers = |of: fn(&Entry) -> i64| page.iter().map(of).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO chaos.ledger (at, worker, task, step, token, attempt, what)
         SELECT * FROM unnest($1::bigint[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::integer[], $7::text[])",
    )
    .bind(numbers(|entry| entry.at))
    .bind(page.iter().map(|entry| entry.worker.as_str()).collect::<Vec<_>>())
    .bind(numbers(|entry| entry.task))
    .bind(numbers(|entry| entry.step))
    .bind(numbers(|entry| entry.token))
    .bind(page.iter().map(|entry| i32::try_from(entry.attempt).unwrap_or(i32::MAX)).collect::<Vec<_>>())
    .bind(page.iter().map(|entry| entry.what.as_str()).collect::<Vec<_>>())
    .execute(pool)
    .await
    .map(drop)
}
