//! The catalogue: namespaces, workflows, names of steps, and which step stands in which workflow.

use std::collections::HashMap;

use tasker_engine::records::{
    NamedStepColumn, NamedStepFilter, NamedStepRow, NamedSteps, NamedTaskColumn, NamedTaskFilter,
    NamedTaskId, NamedTaskRow, NamedTasks, NamedTasksNamedStepColumn, NamedTasksNamedStepFilter,
    NamedTasksNamedStepRow, NamedTasksNamedSteps, TaskNamespaceColumn, TaskNamespaceFilter, TaskNamespaceRow,
    TaskNamespaces,
};

use super::super::store::Store;
use super::model::{Key, among, catalogued};

catalogued! {
    TaskNamespaces: TaskNamespaceRow in namespaces,
    TaskNamespaceFilter(_store, filter) => match filter {
        TaskNamespaceFilter::WithIds(ids) => among::<Self, _>(ids, |row| row.task_namespace_id),
        TaskNamespaceFilter::Named(name) => Box::new(move |row| row.name == *name),
        TaskNamespaceFilter::Custom => Box::new(|row| row.name != "default"),
    },
    TaskNamespaceColumn(row, column) => match column {
        TaskNamespaceColumn::TaskNamespaceId => Key::number(row.task_namespace_id),
        TaskNamespaceColumn::Name => Key::text(&row.name),
        TaskNamespaceColumn::Description => Key::maybe(row.description.as_deref(), Key::text),
        TaskNamespaceColumn::CreatedAt => Key::moment(row.created_at),
        TaskNamespaceColumn::UpdatedAt => Key::moment(row.updated_at),
    }
}

catalogued! {
    NamedTasks: NamedTaskRow in named_tasks,
    NamedTaskFilter(store, filter) => match filter {
        NamedTaskFilter::WithIds(ids) => among::<Self, _>(ids, |row| row.named_task_id),
        NamedTaskFilter::OfNamespaces(ids) => among::<Self, _>(ids, |row| row.task_namespace_id),
        NamedTaskFilter::Named(name) => Box::new(move |row| row.name == *name),
        NamedTaskFilter::InNamespace(name) => Box::new(move |row| row.namespace_name == *name),
        NamedTaskFilter::WithVersion(version) => Box::new(move |row| row.version == *version),
        NamedTaskFilter::LatestVersions => among::<Self, _>(&latest_versions(store), |row| row.named_task_id),
    },
    NamedTaskColumn(row, column) => match column {
        NamedTaskColumn::NamedTaskId => Key::number(row.named_task_id),
        NamedTaskColumn::TaskNamespaceId => Key::number(row.task_namespace_id),
        NamedTaskColumn::Name => Key::text(&row.name),
        NamedTaskColumn::Version => vec![Key::Version(numbers(&row.version))],
        NamedTaskColumn::FullName => vec![
            Key::Number(row.task_namespace_id.0),
            Key::Text(row.name.clone()),
            Key::Version(numbers(&row.version)),
        ],
        NamedTaskColumn::Description => Key::maybe(row.description.as_deref(), Key::text),
        NamedTaskColumn::CreatedAt => Key::moment(row.created_at),
        NamedTaskColumn::UpdatedAt => Key::moment(row.updated_at),
    }
}

/// Of each name in each namespace the one with the highest version.
fn latest_versions(store: &Store) -> Vec<NamedTaskId> {
    let mut latest: HashMap<_, &NamedTaskRow> = HashMap::new();
    for row in store.catalogue.named_tasks.rows() {
        let rank = |row: &NamedTaskRow| (numbers(&row.version), row.named_task_id);
        let best = latest.entry((row.task_namespace_id, &row.name)).or_insert(row);
        if rank(row) > rank(best) {
            *best = row;
        }
    }
    latest.into_values().map(|row| row.named_task_id).collect()
}

/// A version as numbers; one that is none is below all that are.
fn numbers(version: &str) -> Vec<u64> {
    let number =
        |part: &str| part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok()).flatten();
    version.split('.').map(number).collect::<Option<_>>().unwrap_or_default()
}

catalogued! {
    NamedSteps: NamedStepRow in named_steps,
    NamedStepFilter(_store, filter) => match filter {
        NamedStepFilter::WithIds(ids) => among::<Self, _>(ids, |row| row.named_step_id),
        NamedStepFilter::OfSystems(ids) => among::<Self, _>(ids, |row| row.dependent_system_id),
        NamedStepFilter::Named(name) => Box::new(move |row| row.name == *name),
    },
    NamedStepColumn(row, column) => match column {
        NamedStepColumn::NamedStepId => Key::number(row.named_step_id),
        NamedStepColumn::DependentSystemId => Key::number(row.dependent_system_id),
        NamedStepColumn::Name => Key::text(&row.name),
        NamedStepColumn::Description => Key::maybe(row.description.as_deref(), Key::text),
        NamedStepColumn::CreatedAt => Key::moment(row.created_at),
        NamedStepColumn::UpdatedAt => Key::moment(row.updated_at),
    }
}

catalogued! {
    NamedTasksNamedSteps: NamedTasksNamedStepRow in links,
    NamedTasksNamedStepFilter(_store, filter) => match filter {
        NamedTasksNamedStepFilter::WithIds(ids) => among::<Self, _>(ids, |row| row.id),
        NamedTasksNamedStepFilter::OfNamedTasks(ids) => among::<Self, _>(ids, |row| row.named_task_id),
        NamedTasksNamedStepFilter::OfNamedSteps(ids) => among::<Self, _>(ids, |row| row.named_step_id),
    },
    NamedTasksNamedStepColumn(row, column) => match column {
        NamedTasksNamedStepColumn::Id => Key::number(row.id),
        NamedTasksNamedStepColumn::NamedTaskId => Key::number(row.named_task_id),
        NamedTasksNamedStepColumn::NamedStepId => Key::number(row.named_step_id),
        NamedTasksNamedStepColumn::Skippable => Key::flag(row.skippable),
        NamedTasksNamedStepColumn::DefaultRetryable => Key::flag(row.default_retryable),
        NamedTasksNamedStepColumn::DefaultRetryLimit => Key::number(row.default_retry_limit),
        NamedTasksNamedStepColumn::CreatedAt => Key::moment(row.created_at),
        NamedTasksNamedStepColumn::UpdatedAt => Key::moment(row.updated_at),
    }
}
