//! A schema that was compiled once, and is asked for each context.

use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::{defaults, strict};
use crate::{Misfit, SchemaMode};

pub(super) struct ContextValidator {
    /// As the template has it: its defaults are read from here.
    schema: Value,
    mode: SchemaMode,
    validator: Validator,
}

impl ContextValidator {
    pub(super) fn new(schema: &Value, mode: SchemaMode) -> Result<Self, Misfit> {
        let (draft, checked) = match mode {
            SchemaMode::Standard => (Draft::Draft202012, schema.clone()),
            SchemaMode::Strict => (Draft::Draft4, strict::strict(schema)),
        };
        let options = jsonschema::options().with_draft(draft).should_validate_formats(true).offline();
        let validator = options.build(&checked);
        let validator =
            validator.map_err(|error| Misfit::new(error.instance_path().as_str(), error.to_string()))?;
        Ok(Self { schema: schema.clone(), mode, validator })
    }

    pub(super) fn complete(&self, context: &mut Value) -> Result<(), Vec<Misfit>> {
        let mut completed = context.clone();
        defaults::apply(&self.schema, &mut completed);
        // Values of strangers stay out of messages, which end in logs.
        let misfits: Vec<_> = self
            .validator
            .iter_errors(&completed)
            .map(|error| {
                Misfit::new(error.instance_path().as_str(), error.masked_with("the value").to_string())
            })
            .collect();
        if !misfits.is_empty() {
            return Err(misfits);
        }
        if self.mode == SchemaMode::Standard {
            *context = completed;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn completed(schema: &Value, mode: SchemaMode, context: &Value) -> Result<Value, Vec<String>> {
        let mut copy = context.clone();
        let validator = ContextValidator::new(schema, mode).unwrap();
        let told = |misfits: Vec<Misfit>| misfits.iter().map(ToString::to_string).collect::<Vec<_>>();
        let result = validator.complete(&mut copy).map_err(told);
        assert!(result.is_ok() || copy == *context, "a refused context is unchanged");
        result.map(|()| copy)
    }

    fn order() -> Value {
        json!({
            "type": "object", "required": ["email"],
            "properties": {
                "email": { "type": "string", "format": "email" },
                "priority": { "enum": ["standard", "express"], "default": "standard" },
                "lines": { "type": "array", "items": { "$ref": "#/$defs/line" } },
                "gift": { "type": "object", "properties": { "wrap": { "default": false } } },
            },
            "$defs": { "line": { "properties": { "quantity": { "type": "integer", "default": 1 } } } },
        })
    }

    #[test]
    fn defaults_are_filled_in_wherever_their_object_is() {
        let context = json!({ "email": "a@example.org", "lines": [{}, { "quantity": 2 }], "more": 1 });
        let full = json!({
            "email": "a@example.org", "lines": [{ "quantity": 1 }, { "quantity": 2 }], "more": 1,
            "priority": "standard",
        });
        assert_eq!(completed(&order(), SchemaMode::Standard, &context), Ok(full));
    }

    #[test]
    fn every_misfit_is_told_once_with_its_pointer_and_without_the_value() {
        let context = json!({ "email": "secret", "lines": [{ "quantity": "many" }], "priority": "now" });
        let mut misfits = completed(&order(), SchemaMode::Standard, &context).unwrap_err();
        misfits.sort();
        assert_eq!(misfits.len(), 3, "{misfits:?}");
        for (misfit, pointer) in misfits.iter().zip(["`/email`", "`/lines/0/quantity`", "`/priority`"]) {
            assert!(misfit.starts_with(pointer), "{misfit}");
            assert!(!misfit.contains("secret") && !misfit.contains("many"), "{misfit}");
        }
    }

    #[test]
    fn strict_gives_the_verdicts_of_the_reference_and_stores_no_default() {
        let schema = order();
        let refused = completed(&schema, SchemaMode::Strict, &json!({ "email": "no address" })).unwrap_err();
        assert_eq!(refused.len(), 2, "lines and gift are required, the format is not asserted: {refused:?}");
        let undeclared = json!({ "email": "x", "lines": [], "gift": { "wrap": true, "ribbon": true } });
        let refused = completed(&schema, SchemaMode::Strict, &undeclared).unwrap_err();
        assert!(matches!(&refused[..], [one] if one.starts_with("`/gift`")), "{refused:?}");
        let full = json!({ "email": "x", "lines": [{}], "gift": {} });
        assert_eq!(completed(&schema, SchemaMode::Strict, &full), Ok(full.clone()));
    }

    #[test]
    fn references_in_a_circle_come_to_an_end() {
        let twice =
            json!({ "allOf": [{ "$ref": "#" }, { "$ref": "#" }], "properties": { "a": { "$ref": "#" } } });
        let _ = completed(&twice, SchemaMode::Standard, &json!({ "a": { "a": {} } }));
        let endless = json!({ "properties": { "a": { "$ref": "#", "default": {} } } });
        assert!(completed(&endless, SchemaMode::Standard, &json!({})).is_ok());
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for bad in [
            json!({ "type": "objekt" }),
            json!({ "properties": { "a": { "minimum": "one" } } }),
            json!({ "$ref": "https://example.org/schema.json" }),
            json!({ "pattern": "(" }),
        ] {
            assert!(ContextValidator::new(&bad, SchemaMode::Standard).is_err(), "{bad}");
        }
    }
}
