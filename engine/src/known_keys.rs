//! Reads configurations so that no key goes unnoticed: one that its type does not know is refused.

use std::fmt;

use serde::de::{Deserializer, Visitor};
use serde::forward_to_deserialize_any;
use serde_ignored::Path;
use serde_json::Value;

use crate::Misfit;
use crate::face::Readable;
use crate::template::nearest;

/// The key that tells handlers of the reference what kind of configuration it is. Ours know that by themselves.
const TAG: &str = "type";

/// As [`decode`](crate::decode), but what the type does not read is a misfit.
///
/// # Errors
/// [`Misfit`] with the path. What is there and does not fit goes before what is not known, and that before what is missing.
pub(crate) fn decode_known<T: Readable>(value: &Value) -> Result<T, Misfit> {
    let mut unknown = None;
    let mut track = serde_path_to_error::Track::new();
    let reader = serde_path_to_error::Deserializer::new(value, &mut track);
    let decoded: Result<T, serde_json::Error> = serde_ignored::deserialize(reader, |path| {
        let path = text(&path);
        if path != TAG && unknown.is_none() {
            unknown = Some(path);
        }
    });
    match (decoded, unknown) {
        (Ok(decoded), None) => Ok(decoded),
        // What is missing is most likely there under another name.
        (Err(error), Some(path)) if error.to_string().starts_with("missing field") => {
            Err(unknown_key::<T>(&path))
        }
        (Err(error), _) => {
            let misfit = Misfit::new(track.path().to_string(), error.to_string());
            Err(Misfit { known_keys: fields_of::<T>(), ..misfit })
        }
        (Ok(_), Some(path)) => Err(unknown_key::<T>(&path)),
    }
}

fn unknown_key<T: Readable>(path: &str) -> Misfit {
    let known_keys = fields_of::<T>();
    let near = nearest(path, known_keys.iter().copied());
    let near = near.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    let message = format!("no such key in the configuration of this handler{near}");
    Misfit { unknown_key: true, known_keys, ..Misfit::new(path, message) }
}

/// As `items[0].price`.
fn text(path: &Path<'_>) -> String {
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", text(parent)),
        Path::Map { parent, key } => match text(parent) {
            before if before.is_empty() => key.clone(),
            before => format!("{before}.{key}"),
        },
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            text(parent)
        }
    }
}

/// The names of a struct's fields; none of anything else.
fn fields_of<T: Readable>() -> &'static [&'static str] {
    let mut fields = &[][..];
    let _ = T::deserialize(Fields(&mut fields));
    fields
}

/// Is asked for a struct, remembers which, and has none.
struct Fields<'a>(&'a mut &'static [&'static str]);

#[derive(Debug)]
struct Nothing;
impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is nothing to read")
    }
}
impl std::error::Error for Nothing {}
impl serde::de::Error for Nothing {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self
    }
}

impl<'de> Deserializer<'de> for Fields<'_> {
    type Error = Nothing;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Nothing> {
        Err(Nothing)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Nothing> {
        *self.0 = fields;
        Err(Nothing)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Nothing> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Nothing> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Deserialize, Debug, PartialEq)]
    struct Gateway {
        #[serde(alias = "address")]
        url: String,
        #[serde(default)]
        cards: Vec<Option<Card>>,
    }
    #[derive(Deserialize, Debug, PartialEq)]
    struct Card {
        currency: String,
    }
    #[derive(Deserialize, Debug)]
    struct Open {
        #[serde(flatten)]
        _rest: serde_json::Map<String, Value>,
    }

    fn refused(value: &Value) -> Misfit {
        decode_known::<Gateway>(value).unwrap_err()
    }

    #[test]
    fn a_key_that_is_not_read_is_refused_with_its_path() {
        let misfit = refused(&json!({ "url": "x", "cards": [null, { "currency": "EUR", "limit": 5 }] }));
        assert_eq!((&*misfit.path, misfit.unknown_key), ("cards[1].limit", true));
        let misfit = refused(&json!({ "url": "x", "crads": [] }));
        let text = "`crads`: no such key in the configuration of this handler; did you mean `cards`?";
        assert_eq!(misfit.to_string(), text);
    }

    #[test]
    fn what_does_not_fit_goes_before_what_is_not_known() {
        let misfit = refused(&json!({ "url": 1, "crads": [] }));
        assert_eq!((&*misfit.path, misfit.unknown_key), ("url", false));
        let misfit = refused(&json!({ "ulr": "x" }));
        assert_eq!((&*misfit.path, misfit.unknown_key), ("ulr", true), "it is what is missing");
    }

    #[test]
    fn aliases_the_tag_of_the_reference_and_open_types_are_known() {
        let alias = decode_known::<Gateway>(&json!({ "address": "x", "type": "api" })).unwrap();
        assert_eq!(alias.url, "x");
        assert!(decode_known::<Open>(&json!({ "anything": 1 })).is_ok());
        assert!(decode_known::<Value>(&json!({ "anything": 1 })).is_ok());
        assert!(decode_known::<Option<Gateway>>(&json!(null)).is_ok());
    }
}
