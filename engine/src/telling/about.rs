//! Who a fact is about, as far as this process knows.

use std::sync::Arc;

use serde_json::Value;

use crate::engine::Shared;
use crate::events::payload::{StepKeys, Subject, TaskKeys};
use crate::known::KnownTask;
use crate::{
    CorrelationId, Detail, EngineTypes, Moment, StepId, StepName, Storage, TaskId, TaskRecord, Template,
    Timestamp,
};

/// The name of a task that could not be found out.
const UNKNOWN_TASK: &str = "unknown_task";
/// The name of a step that could not be found out.
const UNKNOWN_STEP: &str = "unknown_step";

/// A task that facts are about.
pub(crate) struct About {
    pub(crate) subject: Arc<Subject>,
    task: Source,
}

enum Source {
    /// This process runs it.
    Known(Arc<KnownTask>),
    /// It was loaded for the sake of its names.
    Loaded(Box<TaskRecord>),
    Unknown,
}

impl Subject {
    pub(crate) fn new(task: TaskId, template: &Template, correlation_id: Option<CorrelationId>) -> Self {
        Self {
            task_id: task,
            task_name: template.name.as_str().into(),
            namespace_name: Some(template.namespace_name.as_str().into()),
            task_version: Some(template.version),
            correlation_id,
        }
    }

    fn unknown(task: TaskId) -> Self {
        Self {
            task_id: task,
            task_name: UNKNOWN_TASK.into(),
            namespace_name: None,
            task_version: None,
            correlation_id: None,
        }
    }
}

impl About {
    pub(crate) fn known(task: TaskId, known: Option<&Arc<KnownTask>>) -> Self {
        match known {
            Some(known) => {
                Self { subject: Arc::clone(known.subject(task)), task: Source::Known(Arc::clone(known)) }
            }
            None => Self { subject: Arc::new(Subject::unknown(task)), task: Source::Unknown },
        }
    }

    fn loaded(record: TaskRecord) -> Self {
        let subject = Subject::new(record.id, &record.template, record.request.correlation_id.clone());
        Self { subject: Arc::new(subject), task: Source::Loaded(Box::new(record)) }
    }

    pub(crate) fn task(&self) -> TaskId {
        self.subject.task_id
    }

    pub(crate) fn step_name(&self, step: StepId) -> StepName {
        let name = match &self.task {
            Source::Known(known) => known.runnable(step).map(|runnable| runnable.name.clone()),
            Source::Loaded(record) => record.position(step).map(|place| record.steps[place].name.clone()),
            Source::Unknown => None,
        };
        name.unwrap_or_else(|| UNKNOWN_STEP.into())
    }

    fn retry_limit(&self, step: StepId) -> Option<u32> {
        match &self.task {
            Source::Known(known) => known.retry_limit(step),
            Source::Loaded(record) => record.position(step).map(|place| record.steps[place].retry_limit),
            Source::Unknown => None,
        }
    }

    /// Attempts begun, where that was loaded.
    pub(crate) fn attempts(&self, step: StepId) -> u32 {
        match &self.task {
            Source::Loaded(record) => record.position(step).map_or(0, |place| record.steps[place].attempts),
            _ => 0,
        }
    }

    pub(crate) fn context(&self) -> Option<Arc<Value>> {
        match &self.task {
            Source::Known(known) => Some(Arc::clone(&known.context)),
            Source::Loaded(record) => Some(Arc::clone(&record.request.context)),
            Source::Unknown => None,
        }
    }

    /// The steps that a step asked for, where this process runs it.
    pub(crate) fn spawned_by(&self, step: StepId) -> Vec<StepId> {
        match &self.task {
            Source::Known(known) => known.spawned_by(step).collect(),
            _ => vec![],
        }
    }

    /// What a step works on, where this process runs it.
    pub(crate) fn inputs(&self, step: StepId) -> Option<Arc<Value>> {
        match &self.task {
            Source::Known(known) => known.runnable(step).map(|runnable| Arc::clone(runnable.context)),
            _ => None,
        }
    }

    /// The steps that a step waits for, where this process runs it.
    pub(crate) fn parents(&self, step: StepId) -> Vec<StepName> {
        match &self.task {
            Source::Known(known) => known.parent_names(step),
            _ => vec![],
        }
    }

    pub(crate) fn total_steps(&self) -> Option<usize> {
        match &self.task {
            Source::Known(known) => Some(known.total_steps()),
            Source::Loaded(record) => Some(record.steps.len()),
            Source::Unknown => None,
        }
    }

    fn created_at(&self) -> Option<Timestamp> {
        match &self.task {
            Source::Known(known) => Some(known.created_at),
            Source::Loaded(record) => Some(record.created_at),
            Source::Unknown => None,
        }
    }

    pub(crate) fn task_keys(&self, event_type: &'static str, at: Timestamp) -> TaskKeys {
        let created_at = self.created_at();
        let age = created_at.map(|created| at.since(created).as_secs_f64());
        TaskKeys {
            subject: Arc::clone(&self.subject),
            task_type: "Tasker::Task",
            event_type,
            timestamp: Moment(at),
            started_at: created_at.map(Moment),
            completed_at: None,
            total_execution_duration: None,
            current_execution_duration: age,
            task_context: self.context(),
            steps: None,
        }
    }

    pub(crate) fn step_keys(
        &self,
        step: StepId,
        attempt: u32,
        event_type: &'static str,
        at: Timestamp,
    ) -> StepKeys {
        StepKeys {
            subject: Arc::clone(&self.subject),
            step_id: step,
            step_name: self.step_name(step),
            started_at: None,
            completed_at: None,
            attempt_number: attempt,
            retry_limit: self.retry_limit(step),
            event_type,
            timestamp: Moment(at),
        }
    }
}

impl<T: EngineTypes> Shared<T> {
    /// Names and attempts of a few tasks, as they stand now; for what is rare. Where the storage does not answer, what
    /// this process knows has to do.
    pub(crate) async fn about(&self, tasks: &[TaskId]) -> Vec<About> {
        let mut records = self.storage.load(tasks, Detail::Graph).await.unwrap_or_default();
        let mut about = Vec::with_capacity(tasks.len());
        for task in tasks {
            let found = records.iter().position(|record| record.id == *task);
            about.push(match found {
                Some(place) => About::loaded(records.swap_remove(place)),
                None => About::known(*task, self.known().get(*task).as_ref()),
            });
        }
        about
    }
}
