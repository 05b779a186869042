//! Events that a workflow adds to the engine's own: declared with a template, published by its steps.

use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::payload::{self, Limits};
use crate::{Definition, StepError, StepName, StepResult};

/// An event that a workflow declares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CustomEvent {
    /// Two or more words of small letters, digits and `_` with dots between them, as `order.fulfilled`.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What a step says happened, to be told when its attempt is recorded.
#[derive(Clone, Debug)]
pub(crate) struct Published {
    pub(crate) name: Arc<str>,
    pub(crate) payload: Arc<Value>,
}

/// Where a running step leaves what it publishes.
#[derive(Clone)]
pub(crate) struct Publishing {
    definition: Definition,
    published: Arc<Mutex<Vec<Published>>>,
}

impl Publishing {
    pub(crate) fn new(definition: Definition) -> Self {
        Self { definition, published: Arc::default() }
    }

    pub(crate) fn take(&self) -> Vec<Published> {
        std::mem::take(&mut *self.published.lock().expect("nothing panics while it adds an event"))
    }

    /// Adds one, if the step or its workflow declares it.
    pub(crate) fn publish(&self, step: &StepName, name: &str, mut value: Value) -> StepResult<()> {
        let template = self.definition.template();
        let own = template.step_templates.iter().find(|own| own.name == *step);
        let own = own.into_iter().flat_map(|own| &own.custom_events);
        let declared: Vec<_> = own.chain(&template.custom_events).map(|event| &*event.name).collect();
        if !declared.contains(&name) {
            let known = if declared.is_empty() { "none".to_owned() } else { declared.join(", ") };
            let text =
                format!("event `{name}` is not declared by step `{step}` or its workflow; declared: {known}");
            return Err(StepError::permanent(text).class(UNDECLARED_EVENT));
        }
        payload::normalise(&mut value);
        if let Err(error) = payload::check(&value, &Limits::default()) {
            let text = format!("the payload of event `{name}` cannot be told: {error}");
            return Err(StepError::permanent(text).class(UNDECLARED_EVENT));
        }
        let event = Published { name: name.into(), payload: Arc::new(value) };
        self.published.lock().expect("nothing panics while it adds an event").push(event);
        Ok(())
    }
}

/// The error class of a step that publishes what it may not.
pub const UNDECLARED_EVENT: &str = "UndeclaredEvent";

/// First words of the engine's own events.
const RESERVED: [&str; 12] = [
    "task",
    "step",
    "workflow",
    "observability",
    "test",
    "handler",
    "plugin",
    "subscriber",
    "registry",
    "tasker",
    "custom",
    "worker",
];

impl CustomEvent {
    /// Why it cannot have that name.
    pub(crate) fn fault(&self) -> Option<String> {
        let mut words = self.name.split('.');
        let first = words.next().unwrap_or_default();
        if !self.name.contains('.') {
            return Some("Custom event name must contain a namespace (e.g., 'order.fulfilled')".to_owned());
        }
        if RESERVED.contains(&&*first.to_ascii_lowercase()) {
            return Some(format!("Namespace '{first}' is reserved for system events"));
        }
        let is_word = |word: &str| {
            word.starts_with(|letter: char| letter.is_ascii_lowercase())
                && word.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'))
        };
        let all = is_word(first) && words.all(is_word);
        (!all).then(|| {
            "each word begins with a small letter and holds small letters, digits and `_` only".to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_word_of_their_own_in_front() {
        let fault = |name: &str| CustomEvent { name: name.to_owned(), description: None }.fault();
        assert_eq!(fault("order.fulfilled"), None);
        assert_eq!(fault("a1.b_2.c"), None);
        for (name, says) in [
            ("fulfilled", "must contain a namespace"),
            ("Task.done", "Namespace 'Task' is reserved"),
            ("worker.up", "Namespace 'worker' is reserved"),
            (".x", "each word"),
            ("x.", "each word"),
            ("order.Fulfilled", "each word"),
            ("order.ful filled", "each word"),
        ] {
            assert!(fault(name).is_some_and(|text| text.contains(says)), "{name}: {:?}", fault(name));
        }
    }
}
