//! Defaults of a schema, filled into a value.

use serde_json::Value;

/// Fills in what the value lacks and the schema has a default for: in its properties, those of what is in it, and of the
/// items of its lists. What stands below `anyOf`, `oneOf` and `if` is not looked at: which of it holds is known only
/// after the check.
pub(super) fn apply(schema: &Value, value: &mut Value) {
    Defaults { root: schema, left: MOST }.apply(schema, value, 0);
}

/// References that go round in a circle end here; no sensible value is deeper.
const DEEPEST: usize = 256;
/// Visits in all, for references that branch as they go round; far more than a context has values.
const MOST: usize = 4 << 20;

struct Defaults<'a> {
    root: &'a Value,
    left: usize,
}

impl Defaults<'_> {
    fn apply(&mut self, schema: &Value, value: &mut Value, depth: usize) {
        if depth > DEEPEST || self.left == 0 {
            return;
        }
        self.left -= 1;
        let root = self.root;
        let referred =
            schema.get("$ref").and_then(Value::as_str).and_then(|name| root.pointer(name.strip_prefix('#')?));
        let parts = schema.get("allOf").and_then(Value::as_array).into_iter().flatten();
        for part in referred.into_iter().chain(parts) {
            self.apply(part, value, depth + 1);
        }
        match value {
            Value::Object(fields) => {
                for (key, schema) in schema.get("properties").and_then(Value::as_object).into_iter().flatten()
                {
                    if let (None, Some(default)) = (fields.get(key), schema.get("default")) {
                        fields.insert(key.clone(), default.clone());
                    }
                    if let Some(field) = fields.get_mut(key) {
                        self.apply(schema, field, depth + 1);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = schema.get("items") {
                    items.iter_mut().for_each(|item| self.apply(schema, item, depth + 1));
                }
            }
            _ => {}
        }
    }
}
