//! Which events somebody wants to hear.

use std::str::FromStr;

use super::{Event, EventName, EventNames, UnknownEvent};
use crate::custom_event::CustomEvent;

/// Events by their names: `task.failed`, `step.*`, `*`.
///
/// An alias answers to its exact name only: neither `*` nor `workflow.*` means it.
///
/// ```
/// use tasker_engine::Pattern;
///
/// assert!("workflow.*".parse::<Pattern>().is_ok());
/// let unknown = "task.complete".parse::<Pattern>().unwrap_err();
/// assert_eq!(unknown.to_string(), "there is no event `task.complete`; did you mean `task.completed`?");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// Every fact.
    Every,
    /// Every fact whose name begins with these words and a dot.
    Below(String),
    /// A fact, or an alias of one.
    Exactly(EventName),
    /// An event that a workflow declares.
    Custom(String),
}

/// A text that means no event.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternError {
    /// The engine tells no such event, and no workflow may declare it.
    #[error(transparent)]
    Unknown(#[from] UnknownEvent),
    /// Nothing begins so.
    #[error(
        "no event begins with `{0}.`; the engine's own begin with task, step, workflow, observability, handler, plugin, subscriber, registry, tasker.telemetry or worker"
    )]
    NothingBelow(String),
}

impl FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Self, PatternError> {
        if text == "*" {
            return Ok(Self::Every);
        }
        if let Some(words) = text.strip_suffix(".*") {
            let below = format!("{words}.");
            let ours = EventName::FACTS.iter().any(|name| name.as_str().starts_with(&below));
            // What workflows declare is known when their templates are: any name that may be declared may come.
            let theirs = || CustomEvent { name: format!("{below}x"), description: None }.fault().is_none();
            return match ours || theirs() {
                true => Ok(Self::Below(below)),
                false => Err(PatternError::NothingBelow(words.to_owned())),
            };
        }
        match text.parse::<EventName>() {
            Ok(name) => Ok(Self::Exactly(name)),
            Err(unknown) => {
                let custom = CustomEvent { name: text.to_owned(), description: None };
                match custom.fault() {
                    None if !unknown.is_a_slip() => Ok(Self::Custom(custom.name)),
                    _ => Err(unknown.into()),
                }
            }
        }
    }
}

impl Pattern {
    /// The facts that can meet it.
    pub fn facts(&self) -> EventNames {
        match self {
            Self::Every => EventNames::FACTS,
            Self::Below(words) => {
                let below = EventName::FACTS.iter().filter(|name| name.as_str().starts_with(words.as_str()));
                EventNames::of(below.copied()).with(EventName::Custom)
            }
            Self::Exactly(name) if name.is_alias() => EventNames::of(name.stands_for().iter().copied()),
            Self::Exactly(name) => EventNames::of([*name]),
            Self::Custom(_) => EventNames::of([EventName::Custom]),
        }
    }

    /// The alias that it names.
    pub(super) fn alias(&self) -> Option<EventName> {
        match self {
            Self::Exactly(name) if name.is_alias() => Some(*name),
            _ => None,
        }
    }

    /// Whether a fact meets it under its own name.
    pub fn meets(&self, event: &Event) -> bool {
        match self {
            Self::Every => true,
            Self::Below(words) => event.name().starts_with(words.as_str()),
            Self::Exactly(name) => event.name == *name,
            Self::Custom(name) => event.name == EventName::Custom && event.name() == name,
        }
    }
}
