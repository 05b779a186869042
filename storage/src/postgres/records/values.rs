//! Columns as fields of rows.

use std::error::Error;
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;
use sqlx::postgres::PgRow;
use tasker_engine::{StorageError, Timestamp};

use super::super::error::corrupt;
use super::super::values::{Jsonb, Moment, column};

pub(super) fn moment(row: &PgRow, name: &'static str) -> Result<Timestamp, StorageError> {
    Ok(column::<Moment>(row, name)?.0)
}

pub(super) fn maybe_moment(row: &PgRow, name: &'static str) -> Result<Option<Timestamp>, StorageError> {
    Ok(column::<Option<Moment>>(row, name)?.map(|moment| moment.0))
}

/// JSON; null where the database holds none.
pub(super) fn json(row: &PgRow, name: &'static str) -> Result<Arc<Value>, StorageError> {
    Ok(column::<Option<Jsonb>>(row, name)?.map_or_else(|| Arc::new(Value::Null), |json| json.0))
}

/// A state; `what` and `id` say of which row, if it is none.
pub(super) fn state<S>(
    row: &PgRow,
    name: &'static str,
    what: &'static str,
    id: i64,
) -> Result<S, StorageError>
where
    S: FromStr<Err: Error + Send + Sync + 'static>,
{
    column::<String>(row, name)?.parse().map_err(|error: S::Err| corrupt(format!("{what} {id}"), error))
}

/// A state that may be absent.
pub(super) fn maybe_state<S>(
    row: &PgRow,
    name: &'static str,
    what: &'static str,
    id: i64,
) -> Result<Option<S>, StorageError>
where
    S: FromStr<Err: Error + Send + Sync + 'static>,
{
    match column::<Option<String>>(row, name)? {
        None => Ok(None),
        Some(_) => state(row, name, what, id).map(Some),
    }
}
