//! Rows of the catalogue: what workflows and steps are called.

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};

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

impl TaskNamespaceRow {
    /// The name of the namespace that everything is in that names none.
    pub const DEFAULT: &'static str = "default";

    /// Whether it is that one.
    pub fn is_default(&self) -> bool {
        self.name == Self::DEFAULT
    }
}

impl NamedTaskRow {
    /// The version of whatever names none.
    pub const DEFAULT_VERSION: &'static str = "0.1.0";

    /// `namespace.name@version`.
    pub fn full_name(&self) -> String {
        format!("{}.{}@{}", self.namespace_name, self.name, self.version)
    }

    /// `namespace.name`.
    pub fn qualified_name(&self) -> String {
        format!("{}.{}", self.namespace_name, self.name)
    }

    /// Whether it is in the default namespace.
    pub fn is_in_default_namespace(&self) -> bool {
        self.namespace_name == TaskNamespaceRow::DEFAULT
    }

    /// Its configuration; empty where the database holds none, or the reference's default, a text of two braces.
    pub fn config(&self) -> Map<String, Value> {
        self.configuration.as_object().cloned().unwrap_or_default()
    }

    /// Whether several steps of one task may run at a time.
    pub fn concurrent(&self) -> bool {
        self.configuration.get("concurrent").and_then(Value::as_bool).unwrap_or(true)
    }
}
