//! Statements that are put together from constant pieces. A value never becomes part of the text.
//!
//! There is one for each way to combine conditions, so sqlx's macros cannot check them: what a scope means is compared with
//! what memory says of it, by random scopes.

use sqlx::postgres::PgRow;
use sqlx::{Encode, PgExecutor, Postgres, QueryBuilder, Type};
use tasker_engine::{StorageError, Timestamp};

use super::super::error::storage_error;
use super::super::values::Moment;

/// A statement under way. Only constant text can be pushed.
pub struct Statement(QueryBuilder<Postgres>);

impl Statement {
    pub(super) fn new(start: &'static str) -> Self {
        Self(QueryBuilder::new(start))
    }

    pub(super) fn push(&mut self, sql: &'static str) -> &mut Self {
        self.0.push(sql);
        self
    }

    pub(super) fn bind<T>(&mut self, value: T) -> &mut Self
    where
        T: for<'a> Encode<'a, Postgres> + Type<Postgres>,
    {
        self.0.push_bind(value);
        self
    }

    /// A text to compare with. PostgreSQL holds no text with U+0000, so one with it equals none.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        match text.contains('\0') {
            true => self.push("NULL"),
            false => self.bind(text.to_owned()),
        }
    }

    /// A moment to compare with.
    pub(super) fn moment(&mut self, moment: Timestamp) -> &mut Self {
        self.bind(Moment(within_reach(moment)))
    }

    pub(super) fn ids<I: Copy + Into<i64>>(&mut self, ids: &[I]) -> &mut Self {
        self.bind(ids.iter().map(|id| (*id).into()).collect::<Vec<i64>>())
    }

    /// It is planned for the values that are bound: a scope can be anything, and a plan for all would suit none.
    pub(super) async fn fetch_all(
        mut self,
        executor: impl PgExecutor<'_>,
    ) -> Result<Vec<PgRow>, StorageError> {
        self.0.build().persistent(false).fetch_all(executor).await.map_err(storage_error)
    }

    pub(super) async fn fetch_one(mut self, executor: impl PgExecutor<'_>) -> Result<PgRow, StorageError> {
        self.0.build().persistent(false).fetch_one(executor).await.map_err(storage_error)
    }

    pub(super) fn into_sql(self) -> String {
        self.0.into_string()
    }
}

/// The first and the last moment that a column `timestamp` can hold.
const REACH: (Timestamp, Timestamp) = (
    Timestamp::from_micros(-210_866_803_200_000_000),
    Timestamp::from_micros(9_223_371_331_199_999_999 - 946_684_800_000_000),
);

/// Beyond what a column can hold, no moment differs from another.
pub(super) fn within_reach(moment: Timestamp) -> Timestamp {
    moment.clamp(REACH.0, REACH.1)
}
