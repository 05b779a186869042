//! Events that a workflow adds to the engine's own: declared with a template, published by its steps.

use serde::{Deserialize, Serialize};

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
