//! Tasks.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tasker_engine::records::{
    AnnotationTypeId, NamedTaskId, NamedTaskRow, TaskColumn, TaskFilter, TaskRow, Tasks,
};
use tasker_engine::{StepState, TaskId, TaskState, Timestamp};

use super::super::rows::Row;
use super::super::store::Store;
use super::super::task::Task;
use super::json::as_text;
use super::model::{Condition, Key, MemoryModel, among};

impl MemoryModel for Tasks {
    type Handle<'a> = &'a Task;

    fn all(store: &Store) -> Vec<&Task> {
        store.tasks().collect()
    }

    fn condition<'a>(store: &'a Store, filter: &'a TaskFilter) -> Condition<'a, Self> {
        match filter {
            TaskFilter::WithIds(ids) => among::<Self, _>(ids, |task| task.id),
            TaskFilter::WithIdentityHash(hash) => Box::new(move |task| *task.identity_hash == **hash),
            TaskFilter::OfNamedTasks(ids) => among::<Self, _>(ids, |task| task.graph.learned().named_task()),
            TaskFilter::ByAnnotation { name, key, value } => {
                let noted = annotated(store, name.trim(), &TaskFilter::annotation_key(key), value);
                Box::new(move |task| noted.contains(&task.id))
            }
            TaskFilter::ByCurrentState(state) => Box::new(move |task| task.state() == *state),
            TaskFilter::CreatedSince(since) => Box::new(move |task| task.created_at > *since),
            TaskFilter::CompletedSince(since) => Box::new(move |task| task.completed_since(*since)),
            TaskFilter::FailedSince(since) => Box::new(move |task| {
                task.trail.task().is_some_and(|row| row.to == TaskState::Error && row.at > *since)
            }),
            TaskFilter::Active => Box::new(|task| task.state().is_open()),
            TaskFilter::InNamespace(name) => of_workflows(store, |row| row.namespace_name == *name),
            TaskFilter::WithTaskName(name) => of_workflows(store, |row| row.name == *name),
            TaskFilter::WithVersion(version) => of_workflows(store, |row| row.version == *version),
        }
    }

    fn key(task: &Task, column: TaskColumn) -> Vec<Key> {
        match column {
            TaskColumn::TaskId => Key::number(task.id),
            TaskColumn::NamedTaskId => Key::number(task.graph.learned().named_task()),
            TaskColumn::Complete => Key::flag(task.state() == TaskState::Complete),
            TaskColumn::RequestedAt => Key::moment(task.request.requested_at),
            TaskColumn::Initiator => Key::maybe(Some(&*task.request.initiator), Key::text),
            TaskColumn::SourceSystem => Key::maybe(Some(&*task.request.source_system), Key::text),
            TaskColumn::Reason => Key::maybe(Some(&*task.request.reason), Key::text),
            TaskColumn::IdentityHash => Key::text(&task.identity_hash),
            TaskColumn::CreatedAt => Key::moment(task.created_at),
            TaskColumn::UpdatedAt => Key::moment(task.updated_at),
        }
    }

    fn id_of(task: &Task) -> TaskId {
        task.id
    }

    fn row(_store: &Store, task: &Task) -> TaskRow {
        let learned = task.graph.learned();
        let template = learned.template();
        let state = task.state();
        TaskRow {
            task_id: task.id,
            named_task_id: learned.named_task(),
            name: template.name.clone(),
            namespace_name: template.namespace_name.clone(),
            version: template.version.to_string(),
            status: state,
            complete: state == TaskState::Complete,
            requested_at: task.request.requested_at,
            initiator: Some(task.request.initiator.clone()),
            source_system: Some(task.request.source_system.clone()),
            reason: Some(task.request.reason.clone()),
            bypass_steps: Arc::new(json!(task.request.bypass_steps)),
            tags: Arc::new(json!(task.request.tags)),
            context: Arc::clone(&task.request.context),
            identity_hash: task.identity_hash.to_string(),
            created_at: task.created_at,
            updated_at: task.updated_at,
        }
    }
}

/// Runs of the workflows of which that holds.
fn of_workflows(store: &Store, holds: impl Fn(&NamedTaskRow) -> bool) -> Condition<'_, Tasks> {
    let workflows = store.catalogue.named_tasks.rows().filter(|row| holds(row)).map(|row| row.named_task_id);
    let workflows: Vec<NamedTaskId> = workflows.collect();
    among::<Tasks, _>(&workflows, |task| task.graph.learned().named_task())
}

/// The tasks with an annotation of that type that has that value.
fn annotated(store: &Store, name: &str, key: &str, value: &str) -> HashSet<TaskId> {
    let Some(kind) = store.catalogue.annotation_types.find(&name.to_owned()) else { return HashSet::new() };
    let kind: AnnotationTypeId = kind.annotation_type_id;
    let says = |annotation: &Value| annotation.get(key).and_then(as_text).is_some_and(|text| text == value);
    let annotations = store.catalogue.annotations.rows();
    let noted = annotations.filter(|row| row.annotation_type_id == kind && says(&row.annotation));
    noted.map(|row| row.task_id).collect()
}

impl Task {
    fn completed_since(&self, since: Timestamp) -> bool {
        let since = |row: &Row<StepState>| row.to == StepState::Complete && row.at > since;
        (0..self.steps.len()).any(|place| self.latest(place).is_some_and(since))
    }
}
