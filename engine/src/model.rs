//! Tasks and steps as the storage tells them: plain data, a snapshot of one moment.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::decide::{Attempted, StepFacts, backoff_until, not_before};
use crate::{
    CorrelationId, DefinitionHash, HandlerName, PhaseMark, StepId, StepName, StepState, TaskId, TaskState,
    Template, Timestamp, TransitionId,
};

/// A row of the audit trail. `S` is [`TaskState`] or [`StepState`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Transition<S> {
    /// The row.
    pub id: TransitionId,
    /// The state before; `None` in rows of the reference, which does not write it.
    pub from: Option<S>,
    /// The state after.
    pub to: S,
    /// What the move says about itself: keys as in [`audit`](crate::audit).
    pub metadata: Value,
    /// Ascending within one task or step. Rely on the order only, never on the distance.
    pub sort_key: i32,
    /// Whether it is the current one.
    pub most_recent: bool,
    /// When the move was made.
    pub at: Timestamp,
}

/// The state of a task or step, and the row that brought it there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Current<S> {
    /// The stored state; `pending` where there is no row.
    pub state: S,
    /// The metadata of the current row; `{}` where there is no row.
    pub metadata: Value,
    /// When it was entered; `None` where there is no row.
    pub since: Option<Timestamp>,
    /// The sort key of the current row; 0 where there is no row.
    pub sort_key: i32,
    /// The current row.
    pub transition: Option<TransitionId>,
}

impl<S> Current<S> {
    /// The mark in the metadata of the current row.
    pub fn phase_mark(&self) -> Option<PhaseMark> {
        PhaseMark::of(&self.metadata)
    }
}

/// A task with its steps, as of one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskRecord {
    /// The task.
    pub id: TaskId,
    /// The identity under which it was requested.
    pub identity_hash: String,
    /// The bound template it was made from.
    pub template: Arc<Template>,
    /// The hash of that template.
    pub definition: DefinitionHash,
    /// What was asked for, and by whom.
    pub request: TaskRequest,
    /// The state and its row.
    pub current: Current<TaskState>,
    /// True exactly while the state is `complete`.
    pub complete: bool,
    /// The steps, ascending by id: those of the template in its order, then spawned ones.
    pub steps: Vec<StepRecord>,
    /// The audit trail in order; empty unless it was asked for.
    pub history: Vec<Transition<TaskState>>,
    /// The moment at which the task will be looked at again, and its generation.
    pub wake: Option<(Timestamp, i64)>,
    /// When the task was created.
    pub created_at: Timestamp,
}

/// What was asked for, and by whom: the columns that a request fills.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskRequest {
    /// The input of the workflow: an object.
    pub context: Arc<Value>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Who asked; at most 128 characters.
    pub initiator: String,
    /// From where; at most 128 characters.
    pub source_system: String,
    /// Why; at most 128 characters.
    pub reason: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// Skippable steps that are to be passed over.
    pub bypass_steps: Vec<StepName>,
    /// What the task is part of; `None` for one that Rails made.
    pub correlation_id: Option<CorrelationId>,
}

/// A step of a task, as of one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepRecord {
    /// The step.
    pub id: StepId,
    /// Its name within the task.
    pub name: StepName,
    /// What runs it.
    pub binding: Binding,
    /// The state and its row.
    pub current: Current<StepState>,
    /// Attempts begun.
    pub attempts: u32,
    /// How many attempts there may be; 3 where the database holds null.
    pub retry_limit: u32,
    /// Whether a failed attempt may be followed by another.
    pub retryable: bool,
    /// Whether it may be passed over.
    pub skippable: bool,
    /// True exactly while the state is `in_progress`.
    pub in_process: bool,
    /// True exactly when complete, or resolved by us.
    pub processed: bool,
    /// When it became processed.
    pub processed_at: Option<Timestamp>,
    /// When the last attempt was claimed.
    pub last_attempted_at: Option<Timestamp>,
    /// The wait that was asked for, in seconds.
    pub backoff_request_seconds: Option<i32>,
    /// What the handler is given: the context, unless a plan changed it.
    pub inputs: Arc<Value>,
    /// What it yielded; `{}` before.
    pub results: Arc<Value>,
    /// The steps it waits for, ascending.
    pub parents: Vec<StepId>,
    /// The audit trail in order; empty unless it was asked for.
    pub history: Vec<Transition<StepState>>,
}

/// Which handler runs a step, with which configuration.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Binding {
    /// The handler.
    pub handler: HandlerName,
    /// Its configuration; null when it has none.
    pub config: Arc<Value>,
    /// The step that asked for this one while running; `None` for a step of the template.
    pub spawned_by: Option<SpawnedBy>,
}

/// Where a step that was added while its task ran comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SpawnedBy {
    /// The step whose outcome added it.
    pub step: StepId,
    /// The place among all that this step spawned, from 0.
    pub index: u32,
}

impl StepRecord {
    /// What its readiness depends on.
    pub fn facts(&self) -> StepFacts {
        StepFacts {
            state: self.current.state,
            attempts: self.attempts,
            retry_limit: self.retry_limit,
            retryable: self.retryable,
            not_before: not_before(&self.attempted()),
        }
    }

    /// What its last attempt left behind.
    pub fn attempted(&self) -> Attempted {
        Attempted {
            state: self.current.state,
            since: self.current.since.unwrap_or(Timestamp::EPOCH),
            backoff_until: backoff_until(&self.current.metadata),
            attempts: self.attempts,
            last_attempted_at: self.last_attempted_at,
            backoff_request_seconds: self.backoff_request_seconds,
        }
    }
}

impl TaskRecord {
    /// Whether new claims are refused until the task is resumed.
    pub fn is_paused(&self) -> bool {
        self.current.state == TaskState::Pending && self.current.phase_mark() == Some(PhaseMark::Paused)
    }

    /// Whether nothing of it is claimed or settled for the time being: it is paused, or a draft.
    pub fn is_held(&self) -> bool {
        self.current.state == TaskState::Pending
            && matches!(self.current.phase_mark(), Some(PhaseMark::Paused | PhaseMark::Draft))
    }

    /// The place of a step in [`steps`](Self::steps).
    pub fn position(&self, step: StepId) -> Option<usize> {
        self.steps.binary_search_by_key(&step, |record| record.id).ok()
    }

    /// Whether every parent of that step is complete or resolved.
    pub fn parents_satisfied(&self, step: &StepRecord) -> bool {
        step.parents.iter().all(|parent| {
            self.position(*parent).is_some_and(|place| self.steps[place].current.state.is_satisfied())
        })
    }

    /// The step of that name.
    pub fn step(&self, name: &str) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.name == *name)
    }
}
