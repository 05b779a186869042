//! The reference's reading of a schema, said in plain draft 4.

use serde_json::{Map, Value, json};

/// The formats that the reference asserts.
const FORMATS: [&str; 4] = ["date-time", "ipv4", "ipv6", "uri"];

/// At every level each property without a default is required, and others are refused unless `additionalProperties` or
/// `patternProperties` speak of them.
pub(super) fn strict(schema: &Value) -> Value {
    match schema {
        Value::Object(fields) => Value::Object(strict_fields(fields)),
        other => other.clone(),
    }
}

fn strict_fields(fields: &Map<String, Value>) -> Map<String, Value> {
    let mut strict_fields: Map<_, _> = fields
        .iter()
        .filter(|(key, value)| *key != "$schema" && !is_other_format(key, value))
        .map(|(key, value)| (key.clone(), strict_field(key, value)))
        .collect();
    if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
        let mut required: Vec<_> = properties
            .iter()
            .filter(|(_, schema)| schema.get("default").is_none())
            .map(|(name, _)| json!(name))
            .collect();
        let listed = fields.get("required").and_then(Value::as_array).into_iter().flatten();
        let listed: Vec<_> = listed.filter(|name| !required.contains(name)).cloned().collect();
        required.extend(listed);
        // Draft 4 wants at least one.
        if !required.is_empty() {
            strict_fields.insert("required".to_owned(), required.into());
        }
        if !fields.contains_key("additionalProperties") && !fields.contains_key("patternProperties") {
            strict_fields.insert("additionalProperties".to_owned(), false.into());
        }
    }
    strict_fields
}

fn is_other_format(key: &str, value: &Value) -> bool {
    key == "format" && value.as_str().is_some_and(|format| !FORMATS.contains(&format))
}

/// What stands below a keyword: schemas for some, plain values for others.
fn strict_field(key: &str, value: &Value) -> Value {
    match (key, value) {
        ("properties" | "patternProperties" | "definitions" | "$defs", Value::Object(schemas)) => {
            Value::Object(schemas.iter().map(|(name, schema)| (name.clone(), strict(schema))).collect())
        }
        ("items" | "allOf" | "anyOf" | "oneOf", Value::Array(schemas)) => {
            Value::Array(schemas.iter().map(strict).collect())
        }
        ("items" | "not" | "additionalProperties" | "additionalItems", schema) => strict(schema),
        (_, value) => value.clone(),
    }
}
