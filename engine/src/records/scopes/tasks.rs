//! Scopes of tasks.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::{NamedTasks, model, scopes};
use crate::records::{NamedTaskId, RecordError, Scope, Table, TaskRow};
use crate::{TaskId, TaskState, Timestamp};

model! {
    /// Tasks: `tasker_tasks`.
    Tasks("task"): TaskRow by task_id: TaskId, TaskFilter,
    TaskColumn {
        TaskId = "task_id",
        NamedTaskId = "named_task_id",
        Complete = "complete",
        RequestedAt = "requested_at",
        Initiator = "initiator",
        SourceSystem = "source_system",
        Reason = "reason",
        IdentityHash = "identity_hash",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on tasks; the scopes of [`Tasks`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum TaskFilter {
    WithIds(Vec<TaskId>),
    WithIdentityHash(String),
    OfNamedTasks(Vec<NamedTaskId>),
    ByAnnotation { name: String, key: String, value: String },
    ByCurrentState(TaskState),
    CreatedSince(Timestamp),
    CompletedSince(Timestamp),
    FailedSince(Timestamp),
    Active,
    InNamespace(String),
    WithTaskName(String),
    WithVersion(String),
}

scopes! { Tasks {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = TaskId>) => TaskFilter::WithIds(ids.into_iter().collect());
    /// The one of that identity.
    with_identity_hash(hash: impl Into<String>) => TaskFilter::WithIdentityHash(hash.into());
    /// Runs of those workflows.
    of_named_tasks(ids: impl IntoIterator<Item = NamedTaskId>) => {
        TaskFilter::OfNamedTasks(ids.into_iter().collect())
    };
    /// Tasks with an annotation of the type `name` that has, at the top level, the value at `key`. Numbers and booleans
    /// are compared as text: 5 matches `"5"`. Blanks around the name do not count, nor do characters of the key other
    /// than letters and digits of ASCII, `_` and `-`.
    by_annotation(name: impl Into<String>, key: impl Into<String>, value: impl ToString) => {
        TaskFilter::ByAnnotation { name: name.into(), key: key.into(), value: value.to_string() }
    };
    /// Tasks in that state; a task without a transition is pending. `None` is no condition.
    by_current_state(state: impl Into<Option<TaskState>>) => state.into().map(TaskFilter::ByCurrentState);
    /// Tasks written after that moment.
    created_since(moment: Timestamp) => TaskFilter::CreatedSince(moment);
    /// Tasks of which some step is complete, and became so after that moment.
    completed_since(moment: Timestamp) => TaskFilter::CompletedSince(moment);
    /// Tasks in `error` that got there after that moment.
    failed_since(moment: Timestamp) => TaskFilter::FailedSince(moment);
    /// Tasks that are pending or in progress.
    active() => TaskFilter::Active;
    /// Runs of workflows of that namespace.
    in_namespace(name: impl Into<String>) => TaskFilter::InNamespace(name.into());
    /// Runs of workflows of that name.
    with_task_name(name: impl Into<String>) => TaskFilter::WithTaskName(name.into());
    /// Runs of workflows of that version.
    with_version(version: impl Into<String>) => TaskFilter::WithVersion(version.into());
} }

impl Scope<Tasks> {
    /// The distinct names of the workflows that these tasks are runs of.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn unique_task_types(
        &self,
        records: &(impl Table<Tasks> + Table<NamedTasks> + ?Sized),
    ) -> Result<BTreeSet<String>, RecordError> {
        // There are few workflows, and any number of tasks.
        let mut names = BTreeSet::new();
        for row in NamedTasks::all().rows(records).await? {
            if !names.contains(&row.name)
                && self.clone().of_named_tasks([row.named_task_id]).exists(records).await?
            {
                names.insert(row.name);
            }
        }
        Ok(names)
    }
}

impl TaskFilter {
    /// The key that [`by_annotation`](Tasks::by_annotation) looks for: without the characters that do not count.
    pub fn annotation_key(key: &str) -> String {
        key.chars().filter(|letter| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-')).collect()
    }
}
