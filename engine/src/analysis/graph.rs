//! The graph of a task, and what can be asked of it without knowing the time.

use std::collections::BTreeMap;
use std::time::Duration;

use petgraph::Direction;
use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};
use serde::Serialize;

use crate::{StepId, StepName, StepRecord, TaskId, TaskRecord};

/// Who waits for whom in a task. Steps are asked for by id; answers are ids.
///
/// ```
/// use tasker::prelude::*;
/// # #[step] async fn work() -> StepResult<u64> { Ok(1) }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let builder = Definition::builder("docs", "diamond", "1.0.0").step("a", Work).step("b", Work).after(["a"]);
/// let definition = builder.step("c", Work).after(["a"]).step("d", Work).after(["b", "c"]).build()?;
/// let engine = Engine::in_memory();
/// let report = engine.start_definition(&definition, serde_json::json!({ "n": 1 })).await?.finished().await?;
/// let graph = report.graph()?;
/// let [a, b, c, d] = report.steps() else { panic!("four steps") };
/// assert_eq!((graph.level(d.id), graph.total_paths()), (Some(2), 2));
/// assert_eq!(graph.longest_path(), [a.id, b.id, d.id]);
/// assert_eq!(graph.downstream(a.id), [b.id, c.id, d.id]);
/// # Ok(())
/// # }
/// ```
pub struct TaskGraph<'a> {
    task: &'a TaskRecord,
    /// Nodes are places in the list of steps.
    graph: DiGraph<(), ()>,
    /// Places, parents before children.
    order: Vec<usize>,
    /// By place.
    levels: Vec<u32>,
}

/// Steps of a task that wait for each other, as only another program can write them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "steps of task {task} wait for each other: {}; delete an edge between them",
    steps.iter().map(StepName::as_str).collect::<Vec<_>>().join(", ")
)]
pub struct Circle {
    /// The task.
    pub task: TaskId,
    /// All that do, in the order of the task.
    pub steps: Vec<StepName>,
}

impl<'a> TaskGraph<'a> {
    /// The graph of a task. Edges from steps of other tasks, as old data may have them, are left out.
    ///
    /// # Errors
    /// When steps wait for each other.
    pub fn of(task: &'a TaskRecord) -> Result<Self, Circle> {
        let mut graph = DiGraph::with_capacity(task.steps.len(), 0);
        for _ in &task.steps {
            graph.add_node(());
        }
        for (place, step) in task.steps.iter().enumerate() {
            for parent in step.parents.iter().filter_map(|parent| task.position(*parent)) {
                graph.update_edge(NodeIndex::new(parent), NodeIndex::new(place), ());
            }
        }
        let order = toposort(&graph, None).map_err(|_| Circle::of(task, &graph))?;
        let order = order.into_iter().map(NodeIndex::index).collect();
        let mut graph = Self { task, graph, order, levels: vec![0; task.steps.len()] };
        for turn in 0..graph.order.len() {
            let place = graph.order[turn];
            graph.levels[place] =
                graph.parents(place).map(|parent| graph.levels[parent] + 1).max().unwrap_or(0);
        }
        Ok(graph)
    }

    /// The task.
    pub const fn task(&self) -> &'a TaskRecord {
        self.task
    }

    /// The length of the longest way to a step from one that waits for none; `None` when the task has no such step.
    pub fn level(&self, step: StepId) -> Option<u32> {
        self.task.position(step).map(|place| self.levels[place])
    }

    /// The steps of each level, ascending.
    pub fn levels(&self) -> Vec<Vec<StepId>> {
        let many = self.levels.iter().max().map_or(0, |highest| highest + 1);
        let mut levels = vec![vec![]; usize::try_from(many).expect("at most as many as steps")];
        for (step, level) in self.task.steps.iter().zip(&self.levels) {
            levels[usize::try_from(*level).expect("below the highest")].push(step.id);
        }
        levels
    }

    /// The steps that wait for none, ascending.
    pub fn roots(&self) -> Vec<StepId> {
        self.ids(self.places().filter(|place| self.parents(*place).next().is_none()))
    }

    /// The steps that none waits for, ascending.
    pub fn leaves(&self) -> Vec<StepId> {
        self.ids(self.places().filter(|place| self.children(*place).next().is_none()))
    }

    /// All steps that wait for a step, directly or not; ascending.
    pub fn downstream(&self, step: StepId) -> Vec<StepId> {
        self.ids(self.below(step))
    }

    /// All steps for which a step waits, directly or not; ascending.
    pub fn upstream(&self, step: StepId) -> Vec<StepId> {
        self.ids(self.reached(step, Direction::Incoming))
    }

    /// The steps that hold a step up: of those for which it waits, directly or not, the ones that are not satisfied and
    /// themselves wait for none that is not. Ascending; empty when nothing holds it up.
    pub fn held_up_by(&self, step: StepId) -> Vec<StepId> {
        let unsatisfied = |place: usize| !self.task.steps[place].current.state.is_satisfied();
        let above = self.reached(step, Direction::Incoming).into_iter();
        let first = |place: &usize| unsatisfied(*place) && !self.parents(*place).any(unsatisfied);
        self.ids(above.filter(first))
    }

    /// How many ways there are from a step that waits for none to one that none waits for; `u64::MAX` stands for more.
    pub fn total_paths(&self) -> u64 {
        let mut ways = vec![0u64; self.order.len()];
        let mut total = 0u64;
        for place in &self.order {
            let above = self.parents(*place).map(|parent| ways[parent]).reduce(u64::saturating_add);
            ways[*place] = above.unwrap_or(1);
            if self.children(*place).next().is_none() {
                total = total.saturating_add(ways[*place]);
            }
        }
        total
    }

    /// A way with the most steps; of several, the one through the steps with the lowest ids, from the end.
    pub fn longest_path(&self) -> Vec<StepId> {
        self.heaviest_path(|_| 1u64).0
    }

    /// The way that takes longest if each step takes as long as expected, and how long that is: no number of workers
    /// makes the task faster.
    pub fn slowest_path(&self, expected: impl Fn(&StepRecord) -> Duration) -> (Vec<StepId>, Duration) {
        self.heaviest_path(expected)
    }

    fn heaviest_path<W>(&self, weight: impl Fn(&StepRecord) -> W) -> (Vec<StepId>, W)
    where
        W: Copy + Ord + Default + std::ops::Add<Output = W>,
    {
        // By place: the weight of the heaviest way that ends there, and the step before it on that way.
        let mut ways: Vec<(W, Option<usize>)> = vec![(W::default(), None); self.order.len()];
        for place in &self.order {
            let before = heaviest(self.parents(*place), |parent| ways[parent].0);
            let above = before.map_or_else(W::default, |parent| ways[parent].0);
            ways[*place] = (above + weight(&self.task.steps[*place]), before);
        }
        let Some(last) = heaviest(self.places(), |place| ways[place].0) else {
            return (vec![], W::default());
        };
        let mut path: Vec<_> = std::iter::successors(Some(last), |place| ways[*place].1).collect();
        path.reverse();
        (path.into_iter().map(|place| self.task.steps[place].id).collect(), ways[last].0)
    }

    /// The graph in the reference's shape.
    pub fn report(&self) -> DependencyGraphReport {
        let steps = &self.task.steps;
        let nodes = steps.iter().zip(&self.levels);
        let nodes =
            nodes.map(|(step, level)| DependencyNode { id: step.id, name: step.name.clone(), level: *level });
        let edge = |from: usize, to: usize| DependencyEdge {
            from: steps[from].id,
            to: steps[to].id,
            from_name: steps[from].name.clone(),
            to_name: steps[to].name.clone(),
        };
        let edges =
            self.places().flat_map(|place| self.sorted_children(place).map(move |child| edge(place, child)));
        let lists = |of: &dyn Fn(usize) -> Vec<usize>| {
            self.places().map(|place| (steps[place].id, self.ids(of(place)))).collect()
        };
        DependencyGraphReport {
            nodes: nodes.collect(),
            edges: edges.collect(),
            adjacency_list: lists(&|place| self.children(place).collect()),
            reverse_adjacency_list: lists(&|place| self.parents(place).collect()),
            dependency_levels: steps.iter().map(|step| step.id).zip(self.levels.iter().copied()).collect(),
        }
    }

    // --- by place -----------------------------------------------------------------------------------------------------

    pub(super) fn places(&self) -> std::ops::Range<usize> {
        0..self.task.steps.len()
    }

    /// Places, parents before children.
    pub(super) fn order(&self) -> &[usize] {
        &self.order
    }

    pub(super) fn level_of(&self, place: usize) -> u32 {
        self.levels[place]
    }

    pub(super) fn parents(&self, place: usize) -> impl Iterator<Item = usize> {
        let parents = self.graph.neighbors_directed(NodeIndex::new(place), Direction::Incoming);
        parents.map(NodeIndex::index)
    }

    pub(super) fn children(&self, place: usize) -> impl Iterator<Item = usize> {
        self.graph.neighbors(NodeIndex::new(place)).map(NodeIndex::index)
    }

    fn sorted_children(&self, place: usize) -> impl Iterator<Item = usize> + use<> {
        let mut children: Vec<_> = self.children(place).collect();
        children.sort_unstable();
        children.into_iter()
    }

    pub(super) fn below(&self, step: StepId) -> Vec<usize> {
        self.reached(step, Direction::Outgoing)
    }

    /// All places that are reached from a step in a direction; without the step.
    fn reached(&self, step: StepId, direction: Direction) -> Vec<usize> {
        let Some(start) = self.task.position(step) else { return vec![] };
        let mut seen = vec![false; self.order.len()];
        seen[start] = true;
        let (mut found, mut next) = (vec![], vec![start]);
        while let Some(place) = next.pop() {
            for other in self.graph.neighbors_directed(NodeIndex::new(place), direction) {
                if !std::mem::replace(&mut seen[other.index()], true) {
                    found.push(other.index());
                    next.push(other.index());
                }
            }
        }
        found.sort_unstable();
        found
    }

    fn ids(&self, places: impl IntoIterator<Item = usize>) -> Vec<StepId> {
        let mut ids: Vec<_> = places.into_iter().map(|place| self.task.steps[place].id).collect();
        ids.sort_unstable();
        ids
    }
}

/// The heaviest place; of several, the lowest.
fn heaviest<W: Ord>(places: impl Iterator<Item = usize>, weight: impl Fn(usize) -> W) -> Option<usize> {
    places.max_by_key(|place| (weight(*place), std::cmp::Reverse(*place)))
}

impl Circle {
    fn of(task: &TaskRecord, graph: &DiGraph<(), ()>) -> Self {
        let on_itself = |place: NodeIndex| graph.contains_edge(place, place);
        let circles = tarjan_scc(graph).into_iter().filter(|part| part.len() > 1 || on_itself(part[0]));
        let mut places: Vec<_> = circles.flatten().map(NodeIndex::index).collect();
        places.sort_unstable();
        Self {
            task: task.id,
            steps: places.into_iter().map(|place| task.steps[place].name.clone()).collect(),
        }
    }
}

/// The graph of a task in the reference's shape.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DependencyGraphReport {
    /// The steps, ascending.
    pub nodes: Vec<DependencyNode>,
    /// From each step to those that wait for it.
    pub edges: Vec<DependencyEdge>,
    /// For each step those that wait for it, ascending.
    pub adjacency_list: BTreeMap<StepId, Vec<StepId>>,
    /// For each step those that it waits for, ascending.
    pub reverse_adjacency_list: BTreeMap<StepId, Vec<StepId>>,
    /// The level of each step.
    pub dependency_levels: BTreeMap<StepId, u32>,
}

/// A step of a [`DependencyGraphReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DependencyNode {
    /// The step.
    pub id: StepId,
    /// Its name.
    pub name: StepName,
    /// Its level.
    pub level: u32,
}

/// An edge of a [`DependencyGraphReport`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DependencyEdge {
    /// Who is waited for.
    pub from: StepId,
    /// Who waits.
    pub to: StepId,
    /// Its name.
    pub from_name: StepName,
    /// Its name.
    pub to_name: StepName,
}
