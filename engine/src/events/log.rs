//! Keeps every event, for tests; and says well what it has when something else was expected.

use std::fmt;
use std::sync::{Arc, Mutex};

use super::{Event, EventName, EventNames, EventSink};
use crate::TaskId;

/// Keeps every fact, for tests. Clones are one log.
///
/// ```
/// # use tasker::prelude::*;
/// use tasker::{EventName, MemoryEventLog, Settings};
/// # #[step] async fn pay() -> StepResult<u64> { Ok(1) }
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let log = MemoryEventLog::new();
/// let engine = Engine::in_memory_with(SimulatedClock::new(tasker::Timestamp::EPOCH), log.clone(), Settings::default())?;
/// let pay = Definition::builder("shop", "pay", "1.0.0").step("pay", Pay).build()?;
/// let task = engine.start_definition(&pay, serde_json::json!({})).await?;
/// task.finished().await?;
/// assert_eq!(
///     log.of(task.id()).moves().names(),
///     [
///         "task.initialize_requested", "step.initialize_requested", "task.start_requested",
///         "step.execution_requested", "step.completed", "task.completed",
///     ]
/// );
/// assert_eq!(log.of(task.id()).only(EventName::StepCompleted).step.unwrap().0, 1);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MemoryEventLog {
    /// Guards the list; held while events are copied in or out.
    events: Arc<Mutex<Vec<Event>>>,
    /// Of aliases nothing is kept; of facts only these.
    wanted: Option<EventNames>,
}

impl MemoryEventLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty log that keeps these facts only.
    pub fn of_names(names: impl IntoIterator<Item = EventName>) -> Self {
        Self { wanted: Some(EventNames::of(names)), ..Self::default() }
    }

    /// Everything so far, in order.
    pub fn all(&self) -> EventList {
        EventList(self.events.lock().expect("nothing panics while it copies events").clone())
    }

    /// What happened to one task and its steps.
    pub fn of(&self, task: TaskId) -> EventList {
        self.all().that(|event| event.task == Some(task))
    }

    /// What concerns no task.
    pub fn of_engine(&self) -> EventList {
        self.all().that(|event| event.task.is_none())
    }
}

impl EventSink for MemoryEventLog {
    fn publish(&self, events: &[Event]) {
        let wanted = self.wanted();
        let kept = events.iter().filter(|event| wanted.contains(event.name)).cloned();
        self.events.lock().expect("nothing panics while it copies events").extend(kept);
    }

    fn wanted(&self) -> EventNames {
        self.wanted.unwrap_or(EventNames::FACTS)
    }
}

/// Events in the order in which they were told.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EventList(Vec<Event>);

impl EventList {
    /// Those for which it holds.
    #[must_use]
    pub fn that(self, holds: impl FnMut(&Event) -> bool) -> Self {
        Self(self.0.into_iter().filter(holds).collect())
    }

    /// Those of these names.
    #[must_use]
    pub fn named(self, names: impl IntoIterator<Item = EventName>) -> Self {
        let names = EventNames::of(names);
        self.that(|event| names.contains(event.name))
    }

    /// The moves of tasks and steps.
    #[must_use]
    pub fn moves(self) -> Self {
        self.that(|event| event.fact.moved().is_some())
    }

    /// Their names, in order.
    pub fn names(&self) -> Vec<&str> {
        self.0.iter().map(Event::name).collect()
    }

    /// How many have that name.
    pub fn count(&self, name: EventName) -> usize {
        self.0.iter().filter(|event| event.name == name).count()
    }

    /// The one event of that name.
    ///
    /// # Panics
    /// When there is none, or more than one; it lists what there is.
    #[track_caller]
    pub fn only(&self, name: EventName) -> &Event {
        let mut found = self.0.iter().filter(|event| event.name == name);
        match (found.next(), found.next()) {
            (Some(event), None) => event,
            (first, _) => {
                panic!("{} `{name}` in\n{self}", if first.is_some() { "more than one" } else { "no" })
            }
        }
    }
}

impl std::ops::Deref for EventList {
    type Target = [Event];

    fn deref(&self) -> &[Event] {
        &self.0
    }
}

impl IntoIterator for EventList {
    type Item = Event;
    type IntoIter = std::vec::IntoIter<Event>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl fmt::Display for EventList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.0 {
            write!(f, "{} {}", event.at, event.name())?;
            if let Some(task) = event.task {
                write!(f, " task {task}")?;
            }
            if let Some(step) = event.step {
                write!(f, " step {step}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
