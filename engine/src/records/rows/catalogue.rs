//! Rows of the catalogue: what workflows and steps are called.

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use crate::Timestamp;
use crate::records::{DependentSystemId, NamedStepId, NamedTaskId, NamedTasksNamedStepId, TaskNamespaceId};

/// A namespace of workflows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TaskNamespaceRow {
    /// The namespace.
    pub task_namespace_id: TaskNamespaceId,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A workflow of one version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedTaskRow {
    /// The workflow.
    pub named_task_id: NamedTaskId,
    /// Its namespace.
    pub task_namespace_id: TaskNamespaceId,
    /// The name of that.
    pub namespace_name: String,
    /// Its name in there.
    pub name: String,
    /// Its version: three dotted numbers.
    pub version: String,
    /// For people.
    pub description: Option<String>,
    /// Its configuration, as it is stored.
    pub configuration: Arc<Value>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// The name of a step in a system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedStepRow {
    /// The name.
    pub named_step_id: NamedStepId,
    /// The system that the step talks to.
    pub dependent_system_id: DependentSystemId,
    /// The name of that.
    pub dependent_system_name: String,
    /// What the step is called.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// A step of a workflow. Tasks do not read it: their steps bring their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NamedTasksNamedStepRow {
    /// The link.
    pub id: NamedTasksNamedStepId,
    /// The workflow.
    pub named_task_id: NamedTaskId,
    /// What that is called.
    pub task_name: String,
    /// The step.
    pub named_step_id: NamedStepId,
    /// What that is called.
    pub step_name: String,
    /// Whether a request may pass over it.
    pub skippable: bool,
    /// Whether a failed attempt may be followed by another.
    pub default_retryable: bool,
    /// How many attempts there may be.
    pub default_retry_limit: i32,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}
