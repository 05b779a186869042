//! A table of keys as a JSON Schema, for editors.

use serde_json::{Map, Value, json};

use super::shape::{Key, Kind};

/// What a document of that kind is, in JSON Schema 2020-12.
pub(crate) fn json_schema(kind: &Kind) -> Value {
    match *kind {
        Kind::Bool => json!({ "type": "boolean" }),
        Kind::Text { most, blank } => {
            let mut schema = json!({ "type": "string", "maxLength": most });
            if !blank {
                schema["pattern"] = r"\S".into();
            }
            schema
        }
        Kind::Integer { least, most } => json!({ "type": "integer", "minimum": least, "maximum": most }),
        Kind::Number { least, most } if most == f64::MAX => json!({ "type": "number", "minimum": least }),
        Kind::Number { least, most } => json!({ "type": "number", "minimum": least, "maximum": most }),
        Kind::Positive => json!({ "type": "integer", "minimum": 1 }),
        Kind::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Kind::OneOf(known) => json!({ "enum": known }),
        Kind::Version => json!({
            "type": "string", "maxLength": 16, "pattern": r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$",
        }),
        Kind::List { of, least } => json!({ "type": "array", "minItems": least, "items": json_schema(of) }),
        Kind::Map(_, keys) => map(keys),
        Kind::Named(of) => json!({ "type": "object", "additionalProperties": json_schema(of) }),
        Kind::Object => json!({ "type": "object" }),
        Kind::Any => json!({}),
    }
}

fn map(keys: &[Key]) -> Value {
    let properties: Map<_, _> = keys.iter().map(|key| (key.name.to_owned(), property(key))).collect();
    let required: Vec<_> = keys.iter().filter(|key| key.required).map(|key| key.name).collect();
    json!({
        "type": "object", "properties": properties, "required": required, "additionalProperties": false,
    })
}

fn property(key: &Key) -> Value {
    let mut schema = json_schema(&key.kind);
    if key.nullable {
        schema = json!({ "anyOf": [schema, { "type": "null" }] });
    }
    schema["description"] = key.about.into();
    if !key.default.is_empty() {
        schema["default"] = serde_json::from_str(key.default).expect("a default in a table is JSON");
    }
    schema
}
