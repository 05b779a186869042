//! Defaults of a schema, filled into a value.

use std::collections::BTreeMap;

use serde_json::Value;

/// Fills in what the value lacks and the schema has a default for: in its properties, those of what is in it, and of the
/// items of its lists. What stands below `anyOf`, `oneOf` and `if` is not looked at: which of it holds is known only
/// after the check.
pub(super) fn apply(schema: &Value, value: &mut Value) {
    Defaults { root: schema, left: MOST }.apply(&[schema], value, 0);
}

/// Deeper than any context may be: defaults that hold themselves are filled in until the context is refused for its depth.
const DEEPEST: usize = 256;
/// Defaults in all, for some that hold themselves more than once.
const MOST: usize = 100_000;

struct Defaults<'a> {
    root: &'a Value,
    left: usize,
}

impl<'a> Defaults<'a> {
    fn apply(&mut self, schemas: &[&'a Value], value: &mut Value, depth: usize) {
        if depth > DEEPEST {
            return;
        }
        let schemas = self.all_of(schemas);
        match value {
            Value::Object(fields) => {
                for (key, schemas) in by_key(&schemas) {
                    if !fields.contains_key(key)
                        && self.left > 0
                        && let Some(default) = schemas.iter().find_map(|schema| schema.get("default"))
                    {
                        self.left -= 1;
                        fields.insert(key.clone(), default.clone());
                    }
                    if let Some(field) = fields.get_mut(key) {
                        self.apply(&schemas, field, depth + 1);
                    }
                }
            }
            Value::Array(items) => {
                let of_items: Vec<_> = schemas.iter().filter_map(|schema| schema.get("items")).collect();
                items.iter_mut().for_each(|item| self.apply(&of_items, item, depth + 1));
            }
            _ => {}
        }
    }

    /// These schemas with all that they refer to for the same value, once each: references may go round in a circle.
    fn all_of(&self, schemas: &[&'a Value]) -> Vec<&'a Value> {
        let mut found: Vec<&Value> = vec![];
        let mut open = schemas.to_vec();
        while let Some(schema) = open.pop() {
            if found.iter().any(|known| std::ptr::eq(*known, schema)) {
                continue;
            }
            let referred = schema.get("$ref").and_then(Value::as_str);
            open.extend(referred.and_then(|name| self.root.pointer(name.strip_prefix('#')?)));
            open.extend(schema.get("allOf").and_then(Value::as_array).into_iter().flatten());
            found.push(schema);
        }
        found
    }
}

/// What these schemas say of each property.
fn by_key<'a>(schemas: &[&'a Value]) -> BTreeMap<&'a String, Vec<&'a Value>> {
    let mut found: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let properties = schemas.iter().filter_map(|schema| schema.get("properties").and_then(Value::as_object));
    for (key, schema) in properties.flatten() {
        found.entry(key).or_default().push(schema);
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_several_parts_say_of_a_property_is_followed_once() {
        let part = json!({ "properties": { "a": { "$ref": "#" }, "b": { "default": 1 } } });
        let schema = json!({ "allOf": [part, part, part] });
        let mut value = json!({});
        (0..60).for_each(|_| value = json!({ "a": value }));
        apply(&schema, &mut value);
        assert_eq!(value.pointer("/a/a/a/b"), Some(&json!(1)));
    }

    #[test]
    fn defaults_that_hold_themselves_come_to_an_end() {
        let twice = json!({ "$ref": "#", "default": {} });
        let mut value = json!({});
        apply(&json!({ "properties": { "a": twice, "b": twice } }), &mut value);
        assert!(value.pointer("/a/a/a").is_some());
    }
}
