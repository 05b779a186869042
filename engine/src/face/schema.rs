//! The JSON Schema of a type, if it has one: found out while compiling, so that deriving it stays the user's choice.

use std::marker::PhantomData;

use serde_json::Value;

/// Asks whether a type has a schema. Generated code writes `(&SchemaOf::<T>::NEW).schema()` with [`BySchema`] and
/// [`WithoutSchema`] in scope: the first is nearer, where it applies.
#[doc(hidden)]
pub struct SchemaOf<T>(PhantomData<T>);

impl<T> SchemaOf<T> {
    /// The question.
    pub const NEW: Self = Self(PhantomData);
}

/// The answer for types that have one.
#[doc(hidden)]
pub trait BySchema {
    /// The schema.
    fn schema(&self) -> Option<Value>;
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> BySchema for SchemaOf<T> {
    fn schema(&self) -> Option<Value> {
        Some(schemars::schema_for!(T).to_value())
    }
}

#[cfg(feature = "schema")]
impl<T: schemars::JsonSchema> BySchema for SchemaOf<super::Config<T>> {
    fn schema(&self) -> Option<Value> {
        SchemaOf::<T>::NEW.schema()
    }
}

/// The answer for all others.
#[doc(hidden)]
pub trait WithoutSchema {
    /// There is none.
    fn schema(&self) -> Option<Value>;
}

impl<T> WithoutSchema for &SchemaOf<T> {
    fn schema(&self) -> Option<Value> {
        None
    }
}
