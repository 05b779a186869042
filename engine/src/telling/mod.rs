//! What is told of a commit: facts, from what the storage answered. The one place where events of tasks are made.
//!
//! Nothing is built that no sink wants.

mod about;
mod acts;
mod care;
mod creation;
mod registry;
mod step;
mod task;
mod wave;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::engine::Shared;
use crate::events::payload::{Orchestration, ReenqueueFailed, Subject, WorkerChanged};
use crate::subscribe::Attached;
use crate::{
    Clock, EngineTypes, Event, EventName, EventNames, EventSink, Fact, Moment, QueueError, StepId, TaskId,
    Timestamp, TransitionId, Wake, reason,
};

pub(crate) use about::About;
pub(crate) use creation::Created;
pub(crate) use registry::Entity;
pub(crate) use wave::{Telling, Wave};

/// Facts of one moment, as far as somebody wants them.
pub(crate) struct Facts {
    pub(crate) wanted: EventNames,
    pub(crate) at: Timestamp,
    events: Vec<Event>,
}

/// Which row of which task or step a fact is about.
#[derive(Clone, Copy)]
pub(crate) struct Row {
    task: TaskId,
    step: Option<StepId>,
    by: Option<TransitionId>,
}

impl Row {
    pub(crate) const fn of_task(task: TaskId, by: Option<TransitionId>) -> Self {
        Self { task, step: None, by }
    }

    pub(crate) const fn of_step(task: TaskId, step: StepId, by: Option<TransitionId>) -> Self {
        Self { task, step: Some(step), by }
    }
}

impl Facts {
    pub(crate) const fn new(wanted: EventNames, at: Timestamp) -> Self {
        Self { wanted, at, events: vec![] }
    }

    /// Adds a fact, if somebody wants that name.
    pub(crate) fn add(&mut self, name: EventName, row: Row, fact: impl FnOnce() -> Fact) {
        if self.wanted.contains(name) {
            let fact = fact();
            debug_assert_eq!(fact.name(), name);
            let Row { task, step, by } = row;
            self.events.push(Event { name, at: self.at, task: Some(task), step, transition: by, fact });
        }
    }

    /// Adds a fact that concerns no task.
    pub(crate) fn add_of_engine(&mut self, name: EventName, fact: impl FnOnce(Moment) -> Fact) {
        if self.wanted.contains(name) {
            self.events.push(Event::of_engine(self.at, fact(Moment(self.at))));
        }
    }

    /// What the engine does about a task.
    pub(crate) fn orchestration(&self, subject: &Arc<Subject>, event_type: &'static str) -> Orchestration {
        Orchestration {
            subject: Arc::clone(subject),
            event_type,
            orchestration_event: true,
            timestamp: Moment(self.at),
        }
    }
}

impl<T: EngineTypes> Shared<T> {
    /// Facts of now, if anybody listens.
    pub(crate) fn facts(&self) -> Option<Facts> {
        let wanted = self.wanted();
        (!wanted.is_empty()).then(|| Facts::new(wanted, self.clock.now()))
    }

    /// What the sinks want; one that panics wants nothing.
    fn wanted(&self) -> EventNames {
        let of = |sink: &dyn EventSink| {
            catch_unwind(AssertUnwindSafe(|| sink.wanted())).unwrap_or(EventNames::NONE)
        };
        self.attached().iter().fold(of(&self.events), |all, other| all.and(of(&*other.sink)))
    }

    /// Who else is told.
    pub(crate) fn attached(&self) -> Arc<[Arc<Attached>]> {
        Arc::clone(&self.attached.read().expect("nothing panics while it attaches a sink"))
    }

    /// Tells what was made true. A sink cannot fail the engine.
    pub(crate) fn publish(&self, facts: Facts) {
        self.sink.give(&self.events, &facts.events);
        for other in &*self.attached() {
            other.counter.give(&*other.sink, &facts.events);
        }
    }

    /// Tells that the queue did not take hints.
    pub(crate) fn tell_not_enqueued(&self, wakes: &[Wake], error: &QueueError) {
        let Some(mut facts) = self.facts() else { return };
        for wake in wakes {
            let about = About::known(wake.task, self.known().get(wake.task).as_ref());
            let orchestration = facts.orchestration(&about.subject, "task_reenqueue_failed");
            let reason = reason::READY_STEPS_AVAILABLE;
            facts.add(EventName::WorkflowTaskReenqueueFailed, Row::of_task(wake.task, None), || {
                let why =
                    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
                let error = why.into();
                Fact::WorkflowTaskReenqueueFailed(Box::new(ReenqueueFailed { orchestration, reason, error }))
            });
        }
        self.publish(facts);
    }

    /// Tells that a worker began or was told to stop.
    pub(crate) fn tell_of_worker(&self, name: EventName) {
        self.tell_of_engine(|facts| {
            facts.add_of_engine(name, |timestamp| {
                let label = self.settings.label.as_str().into();
                let changed = Box::new(WorkerChanged { worker_id: self.settings.worker, label, timestamp });
                match name {
                    EventName::WorkerStarted => Fact::WorkerStarted(changed),
                    _ => Fact::WorkerStopped(changed),
                }
            });
        });
    }

    /// Tells facts that concern no task.
    pub(crate) fn tell_of_engine(&self, add: impl FnOnce(&mut Facts)) {
        if let Some(mut facts) = self.facts() {
            add(&mut facts);
            self.publish(facts);
        }
    }
}
