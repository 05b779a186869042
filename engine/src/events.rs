//! What happened, told once, after the commit that made it true.

use std::fmt;
use std::sync::{Arc, Mutex};

use serde::Serialize;

use crate::{StepId, StepState, TaskId, TaskState, Timestamp, TransitionId};

/// Takes events.
///
/// # Contract
///
/// - Called after the commit, at most once for each fact, in the order of facts within a process.
/// - Cannot fail the engine, nor slow it: it returns at once, and keeps its own count of what it had to drop.
pub trait EventSink: Send + Sync + 'static {
    /// Takes what one commit made true.
    fn publish(&self, events: &[Event]);

    /// Takes what became of workflows when an engine was told to serve them.
    fn publish_registry(&self, events: &[RegistryEvent]) {
        let _ = events;
    }

    /// Whether events are worth building at all.
    fn is_listening(&self) -> bool {
        true
    }
}

/// One fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Event {
    /// What happened.
    pub name: EventName,
    /// To which task.
    pub task: TaskId,
    /// To which step, if to one.
    pub step: Option<StepId>,
    /// By which row of the audit trail, if by one.
    pub transition: Option<TransitionId>,
    /// When.
    pub at: Timestamp,
}

/// What became of a workflow when an engine was told to serve it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RegistryEvent {
    /// What happened: `handler.registered`, `handler.unregistered` or `handler.validation_failed`.
    pub name: EventName,
    /// The workflow, as `shop/checkout 1.0.0`.
    pub workflow: String,
    /// Why it was refused, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation_error: Option<String>,
    /// When.
    pub at: Timestamp,
}

macro_rules! event_names {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// The name of a fact, as the reference writes it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum EventName {
            $($(#[$doc])* $name,)*
        }

        impl EventName {
            /// The dotted name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)*
                }
            }
        }
    };
}

event_names! {
    /// A task was created, resumed, or put back to pending.
    TaskInitializeRequested = "task.initialize_requested",
    /// The first step of a task was claimed.
    TaskStartRequested = "task.start_requested",
    /// A task is complete.
    TaskCompleted = "task.completed",
    /// A task went to error.
    TaskFailed = "task.failed",
    /// A task in error is tried again.
    TaskRetryRequested = "task.retry_requested",
    /// A task was cancelled.
    TaskCancelled = "task.cancelled",
    /// A task was resolved by hand.
    TaskResolvedManually = "task.resolved_manually",
    /// A step was handed back, or put to sleep, or reset.
    StepInitializeRequested = "step.initialize_requested",
    /// A step was claimed.
    StepExecutionRequested = "step.execution_requested",
    /// A step is complete.
    StepCompleted = "step.completed",
    /// An attempt failed.
    StepFailed = "step.failed",
    /// A failed step is tried again.
    StepRetryRequested = "step.retry_requested",
    /// A step was cancelled.
    StepCancelled = "step.cancelled",
    /// A step was resolved by hand, or skipped.
    StepResolvedManually = "step.resolved_manually",
    /// An outcome came under a claim that no longer counts.
    StepOutcomeStale = "step.outcome_stale",
    /// A workflow is served.
    HandlerRegistered = "handler.registered",
    /// A workflow is served no longer.
    HandlerUnregistered = "handler.unregistered",
    /// A workflow that was to be served cannot be.
    HandlerValidationFailed = "handler.validation_failed",
}

impl fmt::Display for EventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for EventName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl EventName {
    /// The fact that a task came to a state.
    pub const fn of_task(to: TaskState) -> Self {
        match to {
            TaskState::Pending => Self::TaskInitializeRequested,
            TaskState::InProgress => Self::TaskStartRequested,
            TaskState::Complete => Self::TaskCompleted,
            TaskState::Error => Self::TaskFailed,
            TaskState::Cancelled => Self::TaskCancelled,
            TaskState::ResolvedManually => Self::TaskResolvedManually,
        }
    }

    /// The fact that a step came to a state.
    pub const fn of_step(to: StepState) -> Self {
        match to {
            StepState::Pending => Self::StepInitializeRequested,
            StepState::InProgress => Self::StepExecutionRequested,
            StepState::Complete => Self::StepCompleted,
            StepState::Error => Self::StepFailed,
            StepState::Cancelled => Self::StepCancelled,
            StepState::ResolvedManually => Self::StepResolvedManually,
        }
    }
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvents;

impl EventSink for NoEvents {
    fn publish(&self, _: &[Event]) {}
    fn is_listening(&self) -> bool {
        false
    }
}

/// Keeps every event, for tests.
#[derive(Clone, Debug, Default)]
pub struct MemoryEventLog {
    /// Guards the list; held while events are copied in or out.
    events: Arc<Mutex<Vec<Event>>>,
    /// Likewise.
    registry: Arc<Mutex<Vec<RegistryEvent>>>,
}

impl MemoryEventLog {
    /// An empty log.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything so far, in order.
    pub fn all(&self) -> Vec<Event> {
        self.events.lock().expect("nothing panics while it copies events").clone()
    }

    /// What became of workflows, in order.
    pub fn of_registry(&self) -> Vec<RegistryEvent> {
        self.registry.lock().expect("nothing panics while it copies events").clone()
    }

    /// The names of what happened to one task and its steps, in order.
    pub fn names_of(&self, task: TaskId) -> Vec<&'static str> {
        self.all().iter().filter(|event| event.task == task).map(|event| event.name.as_str()).collect()
    }
}

impl EventSink for MemoryEventLog {
    fn publish(&self, events: &[Event]) {
        self.events.lock().expect("nothing panics while it copies events").extend_from_slice(events);
    }

    fn publish_registry(&self, events: &[RegistryEvent]) {
        self.registry.lock().expect("nothing panics while it copies events").extend_from_slice(events);
    }
}
