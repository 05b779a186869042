//! Records: each scope is compiled to one statement, put together from constant pieces and bound values.

/// Defines `in_state`: the condition that a task or step is in a state. The state is written into the statement, so that
/// the planner can use an index over the rows of that state.
macro_rules! in_state {
    ($states:ident, $table:literal, $key:literal, $of:literal) => {
        const fn in_state(state: $states) -> &'static str {
            match state {
                $states::Pending => concat!(
                    " AND NOT EXISTS (SELECT FROM ", $table, " AS c WHERE c.", $key, " = ", $of,
                    " AND c.most_recent AND c.to_state <> 'pending')"
                ),
                $states::InProgress => in_state!(@ $table, $key, $of, "in_progress"),
                $states::Complete => in_state!(@ $table, $key, $of, "complete"),
                $states::Error => in_state!(@ $table, $key, $of, "error"),
                $states::Cancelled => in_state!(@ $table, $key, $of, "cancelled"),
                $states::ResolvedManually => in_state!(@ $table, $key, $of, "resolved_manually"),
            }
        }
    };
    (@ $table:literal, $key:literal, $of:literal, $state:literal) => {
        concat!(
            " AND EXISTS (SELECT FROM ", $table, " AS c WHERE c.", $key, " = ", $of,
            " AND c.most_recent AND c.to_state = '", $state, "')"
        )
    };
}

mod annotations;
mod catalogue;
mod dag;
mod model;
mod read;
mod rows;
mod statement;
mod steps;
mod systems;
mod tasks;
mod transitions;
mod values;
mod write;

use async_trait::async_trait;
use tasker_engine::records::{RecordError, Records, Scope, Table};

pub use self::model::SqlModel;
use self::model::{Want, compile, compile_after};
use super::PostgresStorage;
use super::values::column;

impl Records for PostgresStorage {}

#[async_trait]
impl<M: SqlModel> Table<M> for PostgresStorage {
    async fn rows(&self, scope: &Scope<M>) -> Result<Vec<M::Row>, RecordError> {
        let rows = compile(Want::Rows, scope).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(M::row).collect::<Result<_, _>>()?)
    }

    async fn ids(&self, scope: &Scope<M>) -> Result<Vec<M::Id>, RecordError> {
        let rows = compile(Want::Ids, scope).fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| Ok(column::<i64>(row, "id")?.into())).collect::<Result<_, RecordError>>()?)
    }

    async fn count(&self, scope: &Scope<M>) -> Result<u64, RecordError> {
        let row = compile(Want::Count, scope).fetch_one(&self.pool).await?;
        Ok(column::<i64>(&row, "count")?.unsigned_abs())
    }

    async fn exists(&self, scope: &Scope<M>) -> Result<bool, RecordError> {
        let row = compile(Want::Exists, scope).fetch_one(&self.pool).await?;
        Ok(column(&row, "exists")?)
    }
}

impl PostgresStorage {
    /// The statement that answers with the rows of a scope; `$1` and so on stand for the values that are bound.
    #[must_use]
    pub fn statement<M: SqlModel>(scope: &Scope<M>) -> String {
        compile(Want::Rows, scope).into_sql()
    }

    /// How the server would answer that statement: its plan, line by line. Nothing is run.
    ///
    /// # Errors
    /// When the server cannot be asked.
    pub async fn explain<M: SqlModel>(&self, scope: &Scope<M>) -> Result<Vec<String>, RecordError> {
        let lines = compile_after("EXPLAIN ", Want::Rows, scope).fetch_all(&self.pool).await?;
        Ok(lines.iter().map(|line| column(line, "QUERY PLAN")).collect::<Result<_, _>>()?)
    }
}
