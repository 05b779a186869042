//! The audit trail.

use std::sync::Arc;

use serde_json::Value;
use tasker_engine::records::{
    TaskTransitionColumn, TaskTransitionFilter, TaskTransitionRow, TaskTransitions,
    WorkflowStepTransitionColumn, WorkflowStepTransitionFilter, WorkflowStepTransitionRow,
    WorkflowStepTransitions, alike,
};
use tasker_engine::{StepId, StepState, TaskState, Timestamp, TransitionId};

use super::super::rows::Row;
use super::super::store::Store;
use super::super::task::Task;
use super::json::same;
use super::model::{Condition, Key, MemoryModel, among};

/// A row, and when the next one of the same task or step ended it.
#[derive(Clone, Copy)]
pub(in crate::memory) struct RowHandle<'a, S> {
    task: &'a Task,
    /// The place of the step, where it is a row of one.
    step: usize,
    row: &'a Row<S>,
    ended: Option<Timestamp>,
}

impl<S> RowHandle<'_, S> {
    fn step(self) -> StepId {
        self.task.graph.id(self.step)
    }

    fn metadata(self) -> Value {
        self.row.note.render()
    }

    fn has_key(self, key: &str) -> bool {
        self.metadata().get(key).is_some()
    }

    fn has_value(self, key: &str, values: &[Value]) -> bool {
        self.metadata().get(key).is_some_and(|found| values.iter().any(|value| same(found, value)))
    }

    fn made_between(self, from: Timestamp, to: Timestamp) -> bool {
        (from..=to).contains(&self.row.at)
    }

    fn updated_at(self) -> Timestamp {
        self.ended.unwrap_or(self.row.at)
    }
}

impl MemoryModel for TaskTransitions {
    type Handle<'a> = RowHandle<'a, TaskState>;

    fn all(store: &Store) -> Vec<RowHandle<'_, TaskState>> {
        store.tasks().flat_map(rows_of_task).collect()
    }

    fn condition<'a>(_store: &'a Store, filter: &'a TaskTransitionFilter) -> Condition<'a, Self> {
        match filter {
            TaskTransitionFilter::WithIds(ids) => among::<Self, _>(ids, |handle| handle.row.id),
            TaskTransitionFilter::OfTasks(tasks) => among::<Self, _>(tasks, |handle| handle.task.id),
            TaskTransitionFilter::MostRecent => Box::new(|handle| handle.ended.is_none()),
            TaskTransitionFilter::ToState(state) => Box::new(move |handle| handle.row.to == *state),
            TaskTransitionFilter::WithMetadataKey(key) => Box::new(move |handle| handle.has_key(key)),
            TaskTransitionFilter::WithMetadataValue { key, value } => {
                let values = alike(value);
                Box::new(move |handle| handle.has_value(key, &values))
            }
            TaskTransitionFilter::InTimeRange { from, to } => {
                Box::new(move |handle| handle.made_between(*from, *to))
            }
        }
    }

    fn key(handle: RowHandle<'_, TaskState>, column: TaskTransitionColumn) -> Vec<Key> {
        let row = handle.row;
        match column {
            TaskTransitionColumn::Id => Key::number(row.id),
            TaskTransitionColumn::ToState => Key::text(row.to.as_str()),
            TaskTransitionColumn::FromState => Key::maybe(Some(row.from.as_str()), Key::text),
            TaskTransitionColumn::SortKey => Key::number(row.sort_key),
            TaskTransitionColumn::MostRecent => Key::flag(handle.ended.is_none()),
            TaskTransitionColumn::TaskId => Key::number(handle.task.id),
            TaskTransitionColumn::CreatedAt => Key::moment(row.at),
            TaskTransitionColumn::UpdatedAt => Key::moment(handle.updated_at()),
        }
    }

    fn id_of(handle: RowHandle<'_, TaskState>) -> TransitionId {
        handle.row.id
    }

    fn row(_store: &Store, handle: RowHandle<'_, TaskState>) -> TaskTransitionRow {
        let row = handle.row;
        TaskTransitionRow {
            id: row.id,
            task_id: handle.task.id,
            to_state: row.to,
            from_state: Some(row.from),
            metadata: Arc::new(handle.metadata()),
            sort_key: row.sort_key,
            most_recent: handle.ended.is_none(),
            created_at: row.at,
            updated_at: handle.updated_at(),
        }
    }
}

impl MemoryModel for WorkflowStepTransitions {
    type Handle<'a> = RowHandle<'a, StepState>;

    fn all(store: &Store) -> Vec<RowHandle<'_, StepState>> {
        store.tasks().flat_map(rows_of_steps).collect()
    }

    fn condition<'a>(store: &'a Store, filter: &'a WorkflowStepTransitionFilter) -> Condition<'a, Self> {
        match filter {
            WorkflowStepTransitionFilter::WithIds(ids) => among::<Self, _>(ids, |handle| handle.row.id),
            WorkflowStepTransitionFilter::OfSteps(steps) => among::<Self, _>(steps, RowHandle::step),
            WorkflowStepTransitionFilter::OfTasks(tasks) => among::<Self, _>(tasks, |handle| handle.task.id),
            WorkflowStepTransitionFilter::MostRecent => Box::new(|handle| handle.ended.is_none()),
            WorkflowStepTransitionFilter::ToState(state) => Box::new(move |handle| handle.row.to == *state),
            WorkflowStepTransitionFilter::WithMetadataKey(key) => Box::new(move |handle| handle.has_key(key)),
            WorkflowStepTransitionFilter::WithMetadataValue { key, value } => {
                let values = alike(value);
                Box::new(move |handle| handle.has_value(key, &values))
            }
            WorkflowStepTransitionFilter::InTimeRange { from, to } => {
                Box::new(move |handle| handle.made_between(*from, *to))
            }
            WorkflowStepTransitionFilter::RetryTransitions => {
                let retries: Vec<_> = store.tasks().flat_map(retries).collect();
                among::<Self, _>(&retries, |handle| handle.row.id)
            }
        }
    }

    fn key(handle: RowHandle<'_, StepState>, column: WorkflowStepTransitionColumn) -> Vec<Key> {
        let row = handle.row;
        match column {
            WorkflowStepTransitionColumn::Id => Key::number(row.id),
            WorkflowStepTransitionColumn::ToState => Key::text(row.to.as_str()),
            WorkflowStepTransitionColumn::FromState => Key::maybe(Some(row.from.as_str()), Key::text),
            WorkflowStepTransitionColumn::SortKey => Key::number(row.sort_key),
            WorkflowStepTransitionColumn::MostRecent => Key::flag(handle.ended.is_none()),
            WorkflowStepTransitionColumn::WorkflowStepId => Key::number(handle.step()),
            WorkflowStepTransitionColumn::CreatedAt => Key::moment(row.at),
            WorkflowStepTransitionColumn::UpdatedAt => Key::moment(handle.updated_at()),
        }
    }

    fn id_of(handle: RowHandle<'_, StepState>) -> TransitionId {
        handle.row.id
    }

    fn row(_store: &Store, handle: RowHandle<'_, StepState>) -> WorkflowStepTransitionRow {
        let row = handle.row;
        WorkflowStepTransitionRow {
            id: row.id,
            workflow_step_id: handle.step(),
            step_name: handle.task.graph.name(handle.step).to_string(),
            task_id: handle.task.id,
            to_state: row.to,
            from_state: Some(row.from),
            metadata: Arc::new(handle.metadata()),
            sort_key: row.sort_key,
            most_recent: handle.ended.is_none(),
            created_at: row.at,
            updated_at: handle.updated_at(),
        }
    }
}

fn rows_of_task(task: &Task) -> impl Iterator<Item = RowHandle<'_, TaskState>> {
    let rows = task.trail.task_rows();
    let ended = rows.iter().skip(1).map(|row| Some(row.at)).chain([None]);
    rows.iter().zip(ended).map(move |(row, ended)| RowHandle { task, step: 0, row, ended })
}

fn rows_of_steps(task: &Task) -> impl Iterator<Item = RowHandle<'_, StepState>> {
    task.trail.step_rows().map(move |(step, row, ended)| RowHandle { task, step, row, ended })
}

/// Rows to `pending` of steps that had failed before.
fn retries(task: &Task) -> Vec<TransitionId> {
    let mut failed = vec![false; task.steps.len()];
    let mut retries = vec![];
    for (step, row, _) in task.trail.step_rows() {
        if row.to == StepState::Pending && failed[step] {
            retries.push(row.id);
        }
        failed[step] |= row.to == StepState::Error;
    }
    retries
}
