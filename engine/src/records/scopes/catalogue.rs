//! Scopes of the catalogue.

use serde::{Deserialize, Serialize};

use super::{model, scopes};
use crate::records::{
    DependentSystemId, NamedStepId, NamedStepRow, NamedTaskId, NamedTaskRow, NamedTasksNamedStepId,
    NamedTasksNamedStepRow, TaskNamespaceId, TaskNamespaceRow,
};

model! {
    /// Namespaces: `tasker_task_namespaces`.
    TaskNamespaces("task namespace"): TaskNamespaceRow by task_namespace_id: TaskNamespaceId, TaskNamespaceFilter,
    TaskNamespaceColumn {
        TaskNamespaceId = "task_namespace_id",
        Name = "name",
        Description = "description",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on namespaces; the scopes of [`TaskNamespaces`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum TaskNamespaceFilter {
    WithIds(Vec<TaskNamespaceId>),
    Named(String),
    Custom,
}

scopes! { TaskNamespaces {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = TaskNamespaceId>) => {
        TaskNamespaceFilter::WithIds(ids.into_iter().collect())
    };
    /// The one of that name.
    named(name: impl Into<String>) => TaskNamespaceFilter::Named(name.into());
    /// All but `default`.
    custom() => TaskNamespaceFilter::Custom;
} }

model! {
    /// Workflows, by version: `tasker_named_tasks`.
    NamedTasks("named task"): NamedTaskRow by named_task_id: NamedTaskId, NamedTaskFilter,
    NamedTaskColumn {
        NamedTaskId = "named_task_id",
        TaskNamespaceId = "task_namespace_id",
        Name = "name",
        Version = "version",
        FullName = "full_name",
        Description = "description",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on workflows; the scopes of [`NamedTasks`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum NamedTaskFilter {
    WithIds(Vec<NamedTaskId>),
    OfNamespaces(Vec<TaskNamespaceId>),
    Named(String),
    InNamespace(String),
    WithVersion(String),
    LatestVersions,
}

scopes! { NamedTasks {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = NamedTaskId>) => {
        NamedTaskFilter::WithIds(ids.into_iter().collect())
    };
    /// Workflows of those namespaces.
    of_namespaces(ids: impl IntoIterator<Item = TaskNamespaceId>) => {
        NamedTaskFilter::OfNamespaces(ids.into_iter().collect())
    };
    /// Workflows of that name.
    named(name: impl Into<String>) => NamedTaskFilter::Named(name.into());
    /// Workflows of the namespace of that name.
    in_namespace(name: impl Into<String>) => NamedTaskFilter::InNamespace(name.into());
    /// Workflows of that version.
    with_version(version: impl Into<String>) => NamedTaskFilter::WithVersion(version.into());
    /// Of each name in each namespace the highest version: they are compared as numbers, and whatever else the scope
    /// says narrows these.
    latest_versions() => NamedTaskFilter::LatestVersions;
} }

model! {
    /// Names of steps: `tasker_named_steps`.
    NamedSteps("named step"): NamedStepRow by named_step_id: NamedStepId, NamedStepFilter,
    NamedStepColumn {
        NamedStepId = "named_step_id",
        DependentSystemId = "dependent_system_id",
        Name = "name",
        Description = "description",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on names of steps; the scopes of [`NamedSteps`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum NamedStepFilter {
    WithIds(Vec<NamedStepId>),
    OfSystems(Vec<DependentSystemId>),
    Named(String),
}

scopes! { NamedSteps {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = NamedStepId>) => {
        NamedStepFilter::WithIds(ids.into_iter().collect())
    };
    /// Names in those systems.
    of_systems(ids: impl IntoIterator<Item = DependentSystemId>) => {
        NamedStepFilter::OfSystems(ids.into_iter().collect())
    };
    /// That name, in whatever system.
    named(name: impl Into<String>) => NamedStepFilter::Named(name.into());
} }

model! {
    /// Steps of workflows: `tasker_named_tasks_named_steps`.
    NamedTasksNamedSteps("named task's named step"):
    NamedTasksNamedStepRow by id: NamedTasksNamedStepId, NamedTasksNamedStepFilter,
    NamedTasksNamedStepColumn {
        Id = "id",
        NamedTaskId = "named_task_id",
        NamedStepId = "named_step_id",
        Skippable = "skippable",
        DefaultRetryable = "default_retryable",
        DefaultRetryLimit = "default_retry_limit",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on steps of workflows; the scopes of [`NamedTasksNamedSteps`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum NamedTasksNamedStepFilter {
    WithIds(Vec<NamedTasksNamedStepId>),
    OfNamedTasks(Vec<NamedTaskId>),
    OfNamedSteps(Vec<NamedStepId>),
}

scopes! { NamedTasksNamedSteps {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = NamedTasksNamedStepId>) => {
        NamedTasksNamedStepFilter::WithIds(ids.into_iter().collect())
    };
    /// The steps of a workflow.
    named_steps_for_named_task(task: NamedTaskId) => NamedTasksNamedStepFilter::OfNamedTasks(vec![task]);
    /// The steps of those workflows.
    of_named_tasks(ids: impl IntoIterator<Item = NamedTaskId>) => {
        NamedTasksNamedStepFilter::OfNamedTasks(ids.into_iter().collect())
    };
    /// Where steps of those names stand.
    of_named_steps(ids: impl IntoIterator<Item = NamedStepId>) => {
        NamedTasksNamedStepFilter::OfNamedSteps(ids.into_iter().collect())
    };
} }
