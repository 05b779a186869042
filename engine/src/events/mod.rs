//! What happened, told once, after the commit that made it true.
//!
//! ```text
//! commit ──▶ facts ──▶ EventSink ──┬─▶ Filtered ──▶ …        by name, namespace, severity
//!            (built only             ├─▶ Buffered ──▶ …        in a task of its own, bounded
//!             if somebody listens)   └─▶ MemoryEventLog, JsonLines, Broadcast
//! ```

mod catalogue;
mod log;
mod names;
mod pattern;
pub mod payload;
mod sinks;

use std::sync::Arc;

use serde::Serialize;

pub use catalogue::{Emitter, EventName, Fact, Severity, UnknownEvent};
pub use log::{EventList, MemoryEventLog};
pub use names::EventNames;
pub use pattern::{Pattern, PatternError};
pub use payload::Moment;
pub(crate) use sinks::Counter;
pub use sinks::{Broadcast, Buffered, FanOut, Filtered, JsonLines, SinkCounts};

use crate::{StepId, TaskId, Timestamp, TransitionId};

/// Takes events.
///
/// # Contract
///
/// - Called after the commit, at most once for each fact. The facts of a commit come in the order in which it made them
///   true; those of a task in the order in which the storage answered this process.
/// - Cannot fail the engine, nor slow it: it returns at once, and keeps its own count of what it had to drop. A sink that
///   has to wait belongs in [`Buffered`], and several belong in [`FanOut`], where the panic of one is not the others'.
pub trait EventSink: Send + Sync + 'static {
    /// Takes what one commit made true.
    fn publish(&self, events: &[Event]);

    /// The facts that are worth building at all; asked before each commit is told.
    fn wanted(&self) -> EventNames {
        EventNames::FACTS
    }

    /// Whether it counts itself what it delivers, as one does that passes events on later.
    #[doc(hidden)]
    fn counts_itself(&self) -> bool {
        false
    }
}

/// One fact, under its own name or under an alias.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// Under which name.
    pub name: EventName,
    /// When.
    pub at: Timestamp,
    /// Which task it is about, if about one.
    pub task: Option<TaskId>,
    /// Which step, if about one.
    pub step: Option<StepId>,
    /// The row of the audit trail that made it true, if one did and it is known.
    pub transition: Option<TransitionId>,
    /// What happened.
    #[serde(rename = "payload")]
    pub fact: Fact,
}

impl Event {
    /// A fact that concerns no task.
    pub(crate) fn of_engine(at: Timestamp, fact: Fact) -> Self {
        Self { name: fact.name(), at, task: None, step: None, transition: None, fact }
    }

    /// The dotted name; of an event that a workflow declares its own.
    pub fn name(&self) -> &str {
        match &self.fact {
            Fact::Custom(custom) => &custom.name,
            _ => self.name.as_str(),
        }
    }

    /// How much it matters.
    pub const fn severity(&self) -> Severity {
        self.name.severity()
    }

    /// The namespace of the task's workflow, where the event is about a task and it is known.
    pub fn workflow_namespace(&self) -> Option<Arc<str>> {
        self.fact.subject()?.namespace_name.clone()
    }

    /// As one object: `name`, `severity`, `at`, ids, and `payload` with the reference's keys.
    pub fn to_json(&self) -> serde_json::Value {
        let mut json = serde_json::to_value(self).expect("an event is written as JSON");
        json["name"] = self.name().into();
        json["severity"] = self.severity().as_str().into();
        json
    }

    /// What is told to whoever asked for an alias; `None` when the fact does not have that name.
    fn under_alias(&self, alias: EventName) -> Option<Self> {
        if !alias.stands_for().contains(&self.name) {
            return None;
        }
        let fact = match alias {
            EventName::TaskBeforeTransition | EventName::StepBeforeTransition => {
                Fact::BeforeTransition(Box::new(self.before_transition()?))
            }
            _ => self.fact.clone(),
        };
        Some(Self { name: alias, fact, ..self.clone() })
    }

    fn before_transition(&self) -> Option<payload::BeforeTransition> {
        let (from_state, to_state) = self.fact.moved()?;
        Some(payload::BeforeTransition {
            task_id: self.task?,
            step_id: self.step,
            from_state,
            to_state,
            transition_event: self.name.as_str(),
            timestamp: Moment(self.at),
        })
    }
}

macro_rules! moves {
    ($self:ident, $($of_task:ident)* ; $($of_step:ident)*) => {
        match $self {
            $(Fact::$of_task(fact) => {
                Some((fact.moved.from_state.map(|state| state.as_str()), fact.moved.to_state.as_str()))
            })*
            $(Fact::$of_step(fact) => {
                Some((fact.moved.from_state.map(|state| state.as_str()), fact.moved.to_state.as_str()))
            })*
            _ => None,
        }
    };
}

macro_rules! subjects {
    ($self:ident, $($of_task:ident)* ; $($of_step:ident)* ; $($of_orchestration:ident)*) => {
        match $self {
            $(Fact::$of_task(fact) => Some(&fact.task.subject),)*
            $(Fact::$of_step(fact) => Some(&fact.step.subject),)*
            $(Fact::$of_orchestration(fact) => Some(&fact.orchestration.subject),)*
            Fact::Custom(custom) => Some(&custom.subject),
            _ => None,
        }
    };
}

impl Fact {
    /// Where a task or step moved from and to, if the fact is a move.
    pub fn moved(&self) -> Option<(Option<&'static str>, &'static str)> {
        moves!(self,
            TaskInitializeRequested TaskStartRequested TaskCompleted TaskFailed TaskRetryRequested TaskCancelled
            TaskResolvedManually;
            StepInitializeRequested StepExecutionRequested StepCompleted StepFailed StepRetryRequested StepCancelled
            StepResolvedManually
        )
    }

    /// The task that it is about.
    pub fn subject(&self) -> Option<&Arc<payload::Subject>> {
        subjects!(self,
            TaskInitializeRequested TaskStartRequested TaskCompleted TaskFailed TaskRetryRequested TaskCancelled
            TaskResolvedManually ObservabilityTaskEnqueue;
            StepInitializeRequested StepExecutionRequested StepBeforeHandle StepCompleted StepFailed
            StepRetryRequested StepCancelled StepResolvedManually StepOutcomeStale WorkflowStepFailed
            WorkflowStepExecutionFailed ObservabilityStepHandle ObservabilityStepBackoff ObservabilityStepSkip
            ObservabilityStepMaxRetriesReached;
            WorkflowTaskStarted WorkflowViableStepsDiscovered WorkflowNoViableSteps
            WorkflowOrchestrationRequested WorkflowTaskFinalizationStarted WorkflowTaskFinalizationCompleted
            WorkflowTaskReenqueueRequested WorkflowTaskReenqueueFailed WorkflowTaskReenqueueDelayed
            WorkflowTaskStateUnclear WorkflowStepsExecutionStarted WorkflowStepsExecutionCompleted
            ObservabilityTaskHandle
        )
    }
}

/// Nobody listens.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoEvents;

impl EventSink for NoEvents {
    fn publish(&self, _: &[Event]) {}
    fn wanted(&self) -> EventNames {
        EventNames::NONE
    }
}

impl<S: EventSink + ?Sized> EventSink for Arc<S> {
    fn publish(&self, events: &[Event]) {
        (**self).publish(events);
    }
    fn wanted(&self) -> EventNames {
        (**self).wanted()
    }
    fn counts_itself(&self) -> bool {
        (**self).counts_itself()
    }
}
