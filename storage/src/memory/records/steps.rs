//! Steps and edges.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;
use tasker_engine::records::{
    EdgeId, WorkflowStepColumn, WorkflowStepEdgeColumn, WorkflowStepEdgeFilter, WorkflowStepEdgeRow,
    WorkflowStepEdges, WorkflowStepFilter, WorkflowStepRow, WorkflowSteps,
};
use tasker_engine::{StepId, StepState, Timestamp};

use super::super::graph::Edge;
use super::super::load::nothing;
use super::super::step::Step;
use super::super::store::Store;
use super::super::task::Task;
use super::model::{Condition, Key, MemoryModel, among};

/// A step by its place.
#[derive(Clone, Copy)]
pub(in crate::memory) struct StepHandle<'a> {
    pub(super) task: &'a Task,
    pub(super) place: usize,
}

impl<'a> StepHandle<'a> {
    pub(super) fn of_task(task: &'a Task) -> impl Iterator<Item = Self> {
        (0..task.steps.len()).map(move |place| Self { task, place })
    }

    pub(super) fn id(self) -> StepId {
        self.task.graph.id(self.place)
    }

    pub(super) fn step(self) -> &'a Step {
        &self.task.steps[self.place]
    }

    /// When it got to the state in which it is.
    pub(super) fn since(self) -> Option<Timestamp> {
        self.task.latest(self.place).map(|row| row.at)
    }

    fn processed_at(self) -> Option<Timestamp> {
        self.since().filter(|_| self.step().state.is_satisfied())
    }

    pub(super) fn created_at(self) -> Timestamp {
        self.task.graph.added_at(self.place).unwrap_or(self.task.created_at)
    }

    /// Every move changes it, and so may a hand.
    fn updated_at(self) -> Timestamp {
        let edited = self.task.edited.get(&self.place).copied();
        edited.or_else(|| self.since()).unwrap_or_else(|| self.created_at())
    }
}

impl MemoryModel for WorkflowSteps {
    type Handle<'a> = StepHandle<'a>;

    fn all(store: &Store) -> Vec<StepHandle<'_>> {
        store.tasks().flat_map(StepHandle::of_task).collect()
    }

    fn condition<'a>(_store: &'a Store, filter: &'a WorkflowStepFilter) -> Condition<'a, Self> {
        let in_state = |state: StepState| -> Condition<'a, Self> {
            Box::new(move |handle: StepHandle<'a>| handle.step().state == state)
        };
        let since = |state: StepState, moment: Timestamp| -> Condition<'a, Self> {
            Box::new(move |handle: StepHandle<'a>| {
                handle.step().state == state && handle.since().is_some_and(|since| since > moment)
            })
        };
        match filter {
            WorkflowStepFilter::WithIds(ids) => among::<Self, _>(ids, StepHandle::id),
            WorkflowStepFilter::OfTasks(tasks) => among::<Self, _>(tasks, |handle| handle.task.id),
            WorkflowStepFilter::OfNamedSteps(ids) => {
                among::<Self, _>(ids, |handle| handle.task.graph.named_step(handle.place))
            }
            WorkflowStepFilter::Named(name) => {
                Box::new(move |handle| handle.task.graph.name(handle.place) == name.as_str())
            }
            WorkflowStepFilter::Completed => Box::new(|handle| handle.step().state.is_satisfied()),
            WorkflowStepFilter::Failed => in_state(StepState::Error),
            WorkflowStepFilter::Pending => in_state(StepState::Pending),
            WorkflowStepFilter::ByCurrentState(state) => in_state(*state),
            WorkflowStepFilter::CompletedSince(moment) => since(StepState::Complete, *moment),
            WorkflowStepFilter::FailedSince(moment) => since(StepState::Error, *moment),
            WorkflowStepFilter::ForTasksSince(moment) => {
                Box::new(move |handle| handle.task.created_at > *moment)
            }
        }
    }

    fn key(handle: StepHandle<'_>, column: WorkflowStepColumn) -> Vec<Key> {
        let step = handle.step();
        match column {
            WorkflowStepColumn::WorkflowStepId => Key::number(handle.id()),
            WorkflowStepColumn::TaskId => Key::number(handle.task.id),
            WorkflowStepColumn::NamedStepId => Key::number(handle.task.graph.named_step(handle.place)),
            WorkflowStepColumn::Retryable => Key::flag(step.retryable),
            WorkflowStepColumn::RetryLimit => Key::maybe(Some(integer(step.retry_limit)), Key::number),
            WorkflowStepColumn::InProcess => Key::flag(step.state == StepState::InProgress),
            WorkflowStepColumn::Processed => Key::flag(step.state.is_satisfied()),
            WorkflowStepColumn::ProcessedAt => Key::maybe(handle.processed_at(), Key::moment),
            WorkflowStepColumn::Attempts => Key::maybe(Some(integer(step.attempts)), Key::number),
            WorkflowStepColumn::LastAttemptedAt => Key::maybe(step.last_attempted_at, Key::moment),
            WorkflowStepColumn::BackoffRequestSeconds => {
                Key::maybe(step.backoff_request_seconds, Key::number)
            }
            WorkflowStepColumn::Skippable => Key::flag(handle.task.graph.is_skippable(handle.place)),
            WorkflowStepColumn::CreatedAt => Key::moment(handle.created_at()),
            WorkflowStepColumn::UpdatedAt => Key::moment(handle.updated_at()),
        }
    }

    fn id_of(handle: StepHandle<'_>) -> StepId {
        handle.id()
    }

    fn row(_store: &Store, handle: StepHandle<'_>) -> WorkflowStepRow {
        let StepHandle { task, place } = handle;
        let (graph, step) = (&task.graph, handle.step());
        let results: Option<&Arc<Value>> = step.results.as_ref();
        WorkflowStepRow {
            workflow_step_id: handle.id(),
            task_id: task.id,
            named_step_id: graph.named_step(place),
            name: graph.name(place).to_string(),
            status: step.state,
            retryable: step.retryable,
            retry_limit: Some(integer(step.retry_limit)),
            in_process: step.state == StepState::InProgress,
            processed: step.state.is_satisfied(),
            processed_at: handle.processed_at(),
            attempts: Some(integer(step.attempts)),
            last_attempted_at: step.last_attempted_at,
            backoff_request_seconds: step.backoff_request_seconds,
            inputs: Arc::clone(task.inputs.get(&place).unwrap_or(&task.request.context)),
            results: results.map_or_else(nothing, Arc::clone),
            skippable: graph.is_skippable(place),
            created_at: handle.created_at(),
            updated_at: handle.updated_at(),
        }
    }
}

/// A number for a column `integer`.
fn integer(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

/// An edge, and the task that it belongs to.
#[derive(Clone, Copy)]
pub(in crate::memory) struct EdgeHandle<'a> {
    task: &'a Task,
    edge: Edge<'a>,
}

impl EdgeHandle<'_> {
    fn from(self) -> StepId {
        self.task.graph.id(self.edge.parent)
    }

    fn to(self) -> StepId {
        self.task.graph.id(self.edge.child)
    }
}

impl MemoryModel for WorkflowStepEdges {
    type Handle<'a> = EdgeHandle<'a>;

    fn all(store: &Store) -> Vec<EdgeHandle<'_>> {
        let edges = |task| Task::edges(task).map(move |edge| EdgeHandle { task, edge });
        store.tasks().flat_map(edges).collect()
    }

    fn condition<'a>(store: &'a Store, filter: &'a WorkflowStepEdgeFilter) -> Condition<'a, Self> {
        match filter {
            WorkflowStepEdgeFilter::WithIds(ids) => among::<Self, _>(ids, |handle| handle.edge.id),
            WorkflowStepEdgeFilter::OfTasks(tasks) => among::<Self, _>(tasks, |handle| handle.task.id),
            WorkflowStepEdgeFilter::FromSteps(steps) => among::<Self, _>(steps, EdgeHandle::from),
            WorkflowStepEdgeFilter::ToSteps(steps) => among::<Self, _>(steps, EdgeHandle::to),
            WorkflowStepEdgeFilter::SiblingsOf(step) => {
                let siblings = store.siblings(*step);
                Box::new(move |handle| siblings.contains(&handle.to()))
            }
            WorkflowStepEdgeFilter::ProvidesEdges => {
                Box::new(|handle| handle.edge.name == WorkflowStepEdgeRow::PROVIDES)
            }
            WorkflowStepEdgeFilter::ProvidesToChildren(step) => {
                let children = store.children(*step);
                Box::new(move |handle| {
                    handle.edge.name == WorkflowStepEdgeRow::PROVIDES && children.contains(&handle.to())
                })
            }
        }
    }

    fn key(handle: EdgeHandle<'_>, column: WorkflowStepEdgeColumn) -> Vec<Key> {
        match column {
            WorkflowStepEdgeColumn::Id => Key::number(handle.edge.id),
            WorkflowStepEdgeColumn::FromStepId => Key::number(handle.from()),
            WorkflowStepEdgeColumn::ToStepId => Key::number(handle.to()),
            WorkflowStepEdgeColumn::Name => Key::text(handle.edge.name),
            WorkflowStepEdgeColumn::CreatedAt | WorkflowStepEdgeColumn::UpdatedAt => {
                Key::moment(handle.edge.at)
            }
        }
    }

    fn id_of(handle: EdgeHandle<'_>) -> EdgeId {
        handle.edge.id
    }

    fn row(_store: &Store, handle: EdgeHandle<'_>) -> WorkflowStepEdgeRow {
        WorkflowStepEdgeRow {
            id: handle.edge.id,
            from_step_id: handle.from(),
            to_step_id: handle.to(),
            name: handle.edge.name.to_owned(),
            created_at: handle.edge.at,
            updated_at: handle.edge.at,
        }
    }
}

impl Store {
    /// Other steps that have exactly the same parents as a step that has some.
    pub(super) fn siblings(&self, step: StepId) -> HashSet<StepId> {
        let Some((task, place)) = self.find_step(step) else { return HashSet::new() };
        let parents = task.graph.parents(place);
        let Some(first) = parents.first() else { return HashSet::new() };
        let children = task.graph.children(*first).iter();
        let alike = children.filter(|child| **child != place && task.graph.parents(**child) == parents);
        alike.map(|child| task.graph.id(*child)).collect()
    }

    fn children(&self, step: StepId) -> HashSet<StepId> {
        let Some((task, place)) = self.find_step(step) else { return HashSet::new() };
        task.graph.children(place).iter().map(|child| task.graph.id(*child)).collect()
    }

    /// The task that a step belongs to, and its place there.
    pub(super) fn find_step(&self, step: StepId) -> Option<(&Task, usize)> {
        self.tasks().find_map(|task| Some((task, task.graph.place(step)?)))
    }
}

impl Task {
    /// Every edge, ascending by id.
    pub(super) fn edges(&self) -> impl Iterator<Item = Edge<'_>> {
        self.graph.edges(self.created_at)
    }
}
