//! A definition as YAML, in the reference's keys, such that reading it gives the same definition.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use crate::{CustomEvent, Definition, Policy, SchemaMode, StepTemplate};

impl Definition {
    /// The workflow as YAML. [`Definition::from_yaml`] with the same handlers makes the same definition of it.
    ///
    /// ```
    /// use tasker::prelude::*;
    /// # #[step] async fn price_cart() -> StepResult<u64> { Ok(1) }
    /// let definition = Definition::builder("shop", "checkout", "1.0.0").step("price", PriceCart).build()?;
    /// let handlers = Handlers::new().with::<PriceCart>();
    /// let same = Definition::from_yaml(&definition.to_yaml(), &handlers)?;
    /// assert_eq!(same.bound().hash(), definition.bound().hash());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn to_yaml(&self) -> String {
        let template = self.template();
        let mut root = Map::new();
        let mut say = |key: &str, value: Value| root.insert(key.to_owned(), value);
        say("schema", template.schema.clone());
        if template.schema_mode == SchemaMode::Strict {
            say("schema_mode", "strict".into());
        }
        say("custom_events", events(&template.custom_events));
        root.retain(|_, value| !value.is_null());

        let mut text = String::new();
        pair(&mut text, "", "name", &template.name.as_str().into());
        pair(&mut text, "", "namespace_name", &template.namespace_name.as_str().into());
        pair(&mut text, "", "version", &template.version.to_string().into());
        for (key, said) in [
            ("description", &template.description),
            ("default_dependent_system", &template.default_dependent_system),
        ] {
            if let Some(said) = said {
                pair(&mut text, "", key, &said.as_str().into());
            }
        }
        if !template.concurrent {
            pair(&mut text, "", "concurrent", &false.into());
        }
        root.iter().for_each(|(key, value)| pair(&mut text, "", key, value));
        text += if template.step_templates.is_empty() { "step_templates: []\n" } else { "step_templates:\n" };
        for (step, bound) in template.step_templates.iter().zip(self.steps()) {
            let mut indent = "  - ";
            for (key, value) in step_keys(step, bound.entry.policy) {
                pair(&mut text, indent, key, &value);
                indent = "    ";
            }
        }
        text
    }
}

/// What a step says that is not said by default, or by its handler.
fn step_keys(step: &StepTemplate, policy: Policy) -> Vec<(&'static str, Value)> {
    let mut keys = vec![
        ("name", Value::from(step.name.as_str())),
        ("handler_class", step.handler_class.as_str().into()),
    ];
    let mut say = |key, value: Value| keys.push((key, value));
    for (key, said) in [("description", &step.description), ("dependent_system", &step.dependent_system)] {
        if let Some(said) = said {
            say(key, said.as_str().into());
        }
    }
    if step.default_retryable != policy.retryable {
        say("default_retryable", step.default_retryable.into());
    }
    if step.default_retry_limit != policy.retry_limit {
        say("default_retry_limit", step.default_retry_limit.into());
    }
    if step.skippable != policy.skippable {
        say("skippable", step.skippable.into());
    }
    if !step.depends_on_steps.is_empty() {
        say("depends_on_steps", step.depends_on_steps.iter().map(|name| name.as_str()).collect());
    }
    if step.timeout_seconds != policy.timeout_seconds {
        say("timeout_seconds", step.timeout_seconds.into());
    }
    for (key, value) in [("retry_policy", &step.retry_policy), ("handler_config", &step.handler_config)] {
        if !value.is_null() {
            say(key, value.clone());
        }
    }
    let events = events(&step.custom_events);
    if !events.is_null() {
        say("custom_events", events);
    }
    keys
}

/// Null for none.
fn events(events: &[CustomEvent]) -> Value {
    if events.is_empty() {
        return Value::Null;
    }
    serde_json::to_value(events).expect("an event is JSON")
}

/// `key: value` in block style, with the first line after `indent`.
fn pair(text: &mut String, indent: &str, key: &str, value: &Value) {
    let deeper = " ".repeat(indent.len() + 2);
    text.push_str(indent);
    scalar(text, key);
    text.push(':');
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            text.push('\n');
            fields.iter().for_each(|(key, field)| pair(text, &deeper, key, field));
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            items.iter().for_each(|item| self::item(text, &deeper, item));
        }
        value => {
            text.push(' ');
            flow(text, value);
            text.push('\n');
        }
    }
}

fn item(text: &mut String, indent: &str, value: &Value) {
    let mut first = format!("{indent}- ");
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                pair(text, &first, key, field);
                first = format!("{indent}  ");
            }
        }
        value => {
            text.push_str(&first);
            flow(text, value);
            text.push('\n');
        }
    }
}

/// On one line.
fn flow(text: &mut String, value: &Value) {
    match value {
        Value::String(said) => scalar(text, said),
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { ", " });
                flow(text, item);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            text.push('{');
            for (place, (key, field)) in fields.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { ", " });
                scalar(text, key);
                text.push_str(": ");
                flow(text, field);
            }
            text.push('}');
        }
        other => {
            let _ = write!(text, "{other}");
        }
    }
}

/// Plain where nobody can take it for something else, in double quotes elsewhere.
fn scalar(text: &mut String, said: &str) {
    let is_word = said.starts_with(|first: char| first.is_ascii_alphabetic())
        && said.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/'));
    let is_version = said.parse::<crate::Version>().is_ok();
    let means_another = matches!(
        &*said.to_ascii_lowercase(),
        "true" | "false" | "null" | "yes" | "no" | "on" | "off" | "y" | "n"
    );
    if (is_word && !means_another) || is_version {
        return text.push_str(said);
    }
    text.push('"');
    for letter in said.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            ' '..='~' => text.push(letter),
            // Letters of other scripts as they are; whatever is no letter is written so that it can be seen.
            letter if letter.is_alphanumeric() => text.push(letter),
            letter => {
                let _ = write!(text, "\\U{:08x}", u32::from(letter));
            }
        }
    }
    text.push('"');
}
