//! Values as they travel to and from PostgreSQL.

use std::sync::Arc;
use std::vec;

use serde::Deserialize as _;
use serde_json::Value;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::types::Oid;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgRow, PgTypeInfo, PgValueFormat, PgValueRef};
use sqlx::types::Json;
use sqlx::{Decode, Encode, Postgres, Row as _, Type};
use tasker_engine::{StorageError, Timestamp};

use super::error::corrupt;

/// A moment in a column `timestamp`: microseconds since 2000, in UTC by agreement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(pub(super) Timestamp);

/// Microseconds from our epoch, 1970, to that of PostgreSQL, 2000.
const EPOCHS: i64 = 946_684_800_000_000;
const TIMESTAMP: Oid = Oid(1114);
const TIMESTAMP_ARRAY: Oid = Oid(1115);

impl Type<Postgres> for Moment {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMP)
    }
}

impl PgHasArrayType for Moment {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_oid(TIMESTAMP_ARRAY)
    }
}

impl Encode<'_, Postgres> for Moment {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Encode::<Postgres>::encode(self.0.as_micros().saturating_sub(EPOCHS), buf)
    }
}

impl Decode<'_, Postgres> for Moment {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        match value.format() {
            PgValueFormat::Binary => {
                let micros: i64 = Decode::<Postgres>::decode(value)?;
                Ok(Self(Timestamp::from_micros(micros.saturating_add(EPOCHS))))
            }
            PgValueFormat::Text => Err("a moment was sent as text".into()),
        }
    }
}

/// A JSON value in a column `jsonb` or `json`.
///
/// Not [`Json`], because `serde_json` reads at most 127 levels unless it is told otherwise, and we store one more.
/// How deep a value is was checked before it was stored.
#[derive(Clone, Debug)]
pub(super) struct Jsonb(pub(super) Arc<Value>);

impl From<Value> for Jsonb {
    fn from(value: Value) -> Self {
        Self(Arc::new(value))
    }
}

impl From<&Arc<Value>> for Jsonb {
    fn from(value: &Arc<Value>) -> Self {
        Self(Arc::clone(value))
    }
}

impl Type<Postgres> for Jsonb {
    fn type_info() -> PgTypeInfo {
        <Json<Value> as Type<Postgres>>::type_info()
    }

    fn compatible(ty: &PgTypeInfo) -> bool {
        <Json<Value> as Type<Postgres>>::compatible(ty)
    }
}

impl PgHasArrayType for Jsonb {
    fn array_type_info() -> PgTypeInfo {
        <Json<Value> as PgHasArrayType>::array_type_info()
    }
}

impl Encode<'_, Postgres> for Jsonb {
    fn encode_by_ref(&self, buf: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        Json(&*self.0).encode_by_ref(buf)
    }
}

impl Decode<'_, Postgres> for Jsonb {
    fn decode(value: PgValueRef<'_>) -> Result<Self, BoxDynError> {
        let bytes = value.as_bytes()?;
        // `jsonb` is sent with the number of its version before the text.
        let text = match (value.format(), bytes) {
            (PgValueFormat::Binary, [1, text @ ..]) => text,
            _ => bytes,
        };
        let mut reader = serde_json::Deserializer::from_slice(text);
        reader.disable_recursion_limit();
        let value = Value::deserialize(&mut reader)?;
        reader.end()?;
        Ok(value.into())
    }
}

/// A column of a row, of whatever type it is to be read as: for statements that are put together at run time, which the
/// macros cannot check.
pub(super) fn column<'r, T>(row: &'r PgRow, name: &'static str) -> Result<T, StorageError>
where
    T: Decode<'r, Postgres> + Type<Postgres>,
{
    row.try_get(name).map_err(|error| corrupt(format!("column {name}"), error))
}

/// An array that came back; NULL is an empty one.
#[derive(Debug)]
pub(super) struct List<T>(Vec<T>);

impl<T> From<Option<Vec<T>>> for List<T> {
    fn from(array: Option<Vec<T>>) -> Self {
        Self(array.unwrap_or_default())
    }
}

impl<T> IntoIterator for List<T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// A number for a column `integer`. What is larger than any is as good as the largest.
pub(super) fn integer(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}
