//! Where steps stand in their graphs.

use std::collections::{HashSet, VecDeque};

use tasker_engine::records::{
    StepDagRelationshipColumn, StepDagRelationshipFilter, StepDagRelationshipRow, StepDagRelationships,
};
use tasker_engine::{StepId, TaskId};

use super::super::store::Store;
use super::super::task::Task;
use super::model::{Condition, Key, MemoryModel, among};
use super::steps::StepHandle;

impl StepHandle<'_> {
    fn parents(&self) -> &[usize] {
        self.task.graph.parents(self.place)
    }

    fn children(&self) -> &[usize] {
        self.task.graph.children(self.place)
    }

    fn task_id(self) -> TaskId {
        self.task.id
    }
}

impl MemoryModel for StepDagRelationships {
    type Handle<'a> = StepHandle<'a>;

    fn all(store: &Store) -> Vec<StepHandle<'_>> {
        store.tasks().flat_map(StepHandle::of_task).collect()
    }

    fn condition<'a>(store: &'a Store, filter: &'a StepDagRelationshipFilter) -> Condition<'a, Self> {
        match filter {
            StepDagRelationshipFilter::WithIds(ids) => among::<Self, _>(ids, StepHandle::id),
            StepDagRelationshipFilter::OfTasks(tasks) => among::<Self, _>(tasks, StepHandle::task_id),
            StepDagRelationshipFilter::RootSteps => Box::new(|handle| handle.parents().is_empty()),
            StepDagRelationshipFilter::LeafSteps => Box::new(|handle| handle.children().is_empty()),
            StepDagRelationshipFilter::WithParents => Box::new(|handle| !handle.parents().is_empty()),
            StepDagRelationshipFilter::WithChildren => Box::new(|handle| !handle.children().is_empty()),
            StepDagRelationshipFilter::SiblingsOf(step) => {
                let siblings = store.siblings(*step);
                Box::new(move |handle| siblings.contains(&handle.id()))
            }
        }
    }

    fn key(handle: StepHandle<'_>, column: StepDagRelationshipColumn) -> Vec<Key> {
        match column {
            StepDagRelationshipColumn::WorkflowStepId => Key::number(handle.id()),
            StepDagRelationshipColumn::TaskId => Key::number(handle.task_id()),
            StepDagRelationshipColumn::NamedStepId => Key::number(handle.task.graph.named_step(handle.place)),
            StepDagRelationshipColumn::ParentCount => Key::number(count(handle.parents())),
            StepDagRelationshipColumn::ChildCount => Key::number(count(handle.children())),
            StepDagRelationshipColumn::IsRootStep => Key::flag(handle.parents().is_empty()),
            StepDagRelationshipColumn::IsLeafStep => Key::flag(handle.children().is_empty()),
            StepDagRelationshipColumn::MinDepthFromRoot => {
                Key::maybe(Some(depth(handle.task, handle.place)), Key::number)
            }
        }
    }

    fn id_of(handle: StepHandle<'_>) -> StepId {
        handle.id()
    }

    fn row(_store: &Store, handle: StepHandle<'_>) -> StepDagRelationshipRow {
        let graph = &handle.task.graph;
        let ids = |places: &[usize]| places.iter().map(|place| graph.id(*place)).collect();
        StepDagRelationshipRow {
            workflow_step_id: handle.id(),
            task_id: handle.task_id(),
            named_step_id: graph.named_step(handle.place),
            parent_step_ids: ids(handle.parents()),
            child_step_ids: ids(handle.children()),
            parent_count: count(handle.parents()),
            child_count: count(handle.children()),
            is_root_step: handle.parents().is_empty(),
            is_leaf_step: handle.children().is_empty(),
            min_depth_from_root: Some(depth(handle.task, handle.place)),
        }
    }
}

fn count(places: &[usize]) -> i64 {
    i64::try_from(places.len()).expect("a count of steps in memory")
}

/// How many edges the shortest way from a step that waits for none has. There is one, for no graph here has a circle.
fn depth(task: &Task, place: usize) -> i32 {
    let mut seen = HashSet::from([place]);
    let mut next = VecDeque::from([(place, 0)]);
    while let Some((place, depth)) = next.pop_front() {
        let parents = task.graph.parents(place);
        if parents.is_empty() {
            return depth;
        }
        next.extend(parents.iter().filter(|parent| seen.insert(**parent)).map(|parent| (*parent, depth + 1)));
    }
    unreachable!("upwards from any step there is one that waits for none")
}
