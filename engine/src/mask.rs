//! What is not to be seen in logs, traces and events: values whose keys say that they are secret.

use serde_json::Value;

use crate::config::{Secret, Telemetry};

/// Masks values by their keys: a key that holds one of some texts, whatever its case, hides its value.
///
/// ```
/// use serde_json::json;
/// use tasker_engine::Mask;
///
/// let mut order = json!({ "id": 7, "card": { "api_key": "sk_1" }, "Password": ["a"], "note": "token" });
/// Mask::default().apply(&mut order);
/// assert_eq!(
///     order,
///     json!({ "id": 7, "card": { "api_key": "[FILTERED]" }, "Password": "[FILTERED]", "note": "token" })
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mask {
    keys: Vec<String>,
    text: String,
}

impl Default for Mask {
    fn default() -> Self {
        Self::of(&Telemetry::default())
    }
}

impl Mask {
    /// Hides nothing.
    pub const fn nothing() -> Self {
        Self { keys: vec![], text: String::new() }
    }

    /// As configured: `telemetry.filter_parameters`, and `telemetry.filter_mask` in place of what is hidden.
    pub fn of(telemetry: &Telemetry) -> Self {
        let keys = telemetry.filter_parameters.iter().map(|key| key.to_lowercase()).collect();
        let text = match telemetry.filter_mask.as_str() {
            "" => Secret::MASK.to_owned(),
            text => text.to_owned(),
        };
        Self { keys, text }
    }

    /// Whether a value under that key is hidden.
    pub fn hides(&self, key: &str) -> bool {
        let key = key.to_lowercase();
        self.keys.iter().any(|hidden| key.contains(hidden.as_str()))
    }

    /// Hides what is to be hidden, at any depth.
    pub fn apply(&self, value: &mut Value) {
        match value {
            Value::Object(keys) => {
                for (key, value) in keys {
                    if self.hides(key) {
                        *value = self.text.clone().into();
                    } else {
                        self.apply(value);
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| self.apply(value)),
            _ => {}
        }
    }
}
