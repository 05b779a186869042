//! Rows of `tasker_tasks`.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::records::NamedTaskId;
use crate::{TaskId, TaskState, Timestamp};

/// A task: one run of a workflow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskRow {
    /// The task.
    pub task_id: TaskId,
    /// What it is a run of.
    pub named_task_id: NamedTaskId,
    /// The name of that.
    pub name: String,
    /// Its namespace.
    pub namespace_name: String,
    /// Its version.
    pub version: String,
    /// The state; `pending` where there is no transition.
    pub status: TaskState,
    /// Repeats whether the state is `complete`.
    pub complete: bool,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// Who asked.
    pub initiator: Option<String>,
    /// From where.
    pub source_system: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The names of steps to pass over; an empty list where the database holds null.
    pub bypass_steps: Arc<Value>,
    /// Words to find it by; an empty list where the database holds null.
    pub tags: Arc<Value>,
    /// What it works on.
    pub context: Arc<Value>,
    /// What makes another request the same as the one for it.
    pub identity_hash: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When the row, not its steps or transitions, was changed last.
    pub updated_at: Timestamp,
}

impl TaskRow {
    /// `namespace.name@version`.
    pub fn full_name(&self) -> String {
        format!("{}.{}@{}", self.namespace_name, self.name, self.version)
    }
}
