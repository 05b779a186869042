//! From a scope to its statement.

use sqlx::postgres::PgRow;
use tasker_engine::StorageError;
use tasker_engine::records::{Direction, Model, Order, Scope};

use super::statement::Statement;

/// A model as tables: the constant pieces of its statements. Every model is one.
pub trait SqlModel: Model {
    /// What is selected of a row.
    const COLUMNS: &'static str;
    /// The table, under the name that conditions and columns know it by.
    const TABLE: &'static str;
    /// What else a row brings along. It joins exactly one row to each.
    const JOINS: &'static str;
    /// The key.
    const ID: &'static str;

    /// Adds a condition, beginning with ` AND `.
    fn condition(filter: &Self::Filter, statement: &mut Statement);

    /// What rows are sorted by, none of it null.
    fn keys(column: Self::Column) -> &'static [&'static str];

    /// # Errors
    /// Names a column that cannot be read.
    fn row(row: &PgRow) -> Result<Self::Row, StorageError>;
}

/// What is asked of the rows of a scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Want {
    Rows,
    Ids,
    Count,
    Exists,
}

pub(super) fn compile<M: SqlModel>(want: Want, scope: &Scope<M>) -> Statement {
    compile_after("", want, scope)
}

/// The statement, behind a word such as `EXPLAIN`.
pub(super) fn compile_after<M: SqlModel>(first: &'static str, want: Want, scope: &Scope<M>) -> Statement {
    let mut statement = Statement::new(first);
    match want {
        Want::Rows => statement.push("SELECT ").push(M::COLUMNS),
        Want::Ids => statement.push("SELECT ").push(M::ID).push("::bigint AS id"),
        Want::Count => statement.push("SELECT count(*) FROM (SELECT"),
        Want::Exists => statement.push("SELECT EXISTS (SELECT"),
    };
    statement.push(" FROM ").push(M::TABLE);
    if want == Want::Rows {
        statement.push(M::JOINS);
    }
    statement.push(" WHERE true");
    for filter in &scope.filters {
        M::condition(filter, &mut statement);
    }
    let by = scope.order.map_or(&[][..], |order| M::keys(order.by));
    if let Some(row) = scope.after {
        begin_after::<M>(&mut statement, by, scope.order, row);
    }
    if matches!(want, Want::Rows | Want::Ids) {
        statement.push(" ORDER BY ");
        let direction = if descends(scope.order) { " DESC" } else { "" };
        for key in by {
            statement.push(key).push(direction).push(", ");
        }
        statement.push(M::ID).push(direction);
    }
    if let Some(limit) = scope.limit {
        statement.push(" LIMIT ").bind(i64::from(limit));
    }
    if scope.offset > 0 {
        statement.push(" OFFSET ").bind(i64::from(scope.offset));
    }
    match want {
        Want::Rows | Want::Ids => {}
        Want::Count => drop(statement.push(") AS page")),
        Want::Exists => drop(statement.push(") AS exists")),
    }
    statement
}

fn begin_after<M: SqlModel>(
    statement: &mut Statement,
    by: &'static [&'static str],
    order: Option<Order<M::Column>>,
    row: M::Id,
) {
    statement.push(" AND (");
    keys::<M>(statement, by);
    statement.push(if descends(order) { ") < (SELECT " } else { ") > (SELECT " });
    keys::<M>(statement, by);
    statement
        .push(" FROM ")
        .push(M::TABLE)
        .push(" WHERE ")
        .push(M::ID)
        .push(" = ")
        .bind(row.into())
        .push(")");
}

fn keys<M: SqlModel>(statement: &mut Statement, by: &'static [&'static str]) {
    for key in by {
        statement.push(key).push(", ");
    }
    statement.push(M::ID);
}

fn descends<C>(order: Option<Order<C>>) -> bool {
    order.is_some_and(|order| order.direction == Direction::Descending)
}
