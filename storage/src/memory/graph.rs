//! Which steps a task has, and how they hang together.
//!
//! Steps are known by their place: those of the template first, in its order, then spawned ones. All tasks of one
//! definition share its graph; a task gets one of its own with its first spawned step.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::Value;
use tasker_engine::decide::Tally;
use tasker_engine::records::{EdgeId, NamedStepId, NamedTaskId, TaskNamespaceId, WorkflowStepEdgeRow};
use tasker_engine::{
    Binding, BoundTemplate, HandlerName, SpawnedBy, SpawnedStep, StepId, StepName, StorageError, Template,
    Timestamp, payload,
};

use super::catalogue::Catalogue;
use super::step::Step;
use super::task::Pen;
use super::work::looked;

/// A definition that was learned, with all that tasks made from it have in common.
pub(super) struct Learned {
    bound: Arc<BoundTemplate>,
    /// As it is read back.
    template: Arc<Template>,
    configs: Vec<Arc<Value>>,
    names: HashMap<StepName, usize>,
    fresh: Fresh,
    /// Parent and child of every edge.
    edges: Vec<(usize, usize)>,
    namespace: TaskNamespaceId,
    named_task: NamedTaskId,
    named_steps: Vec<NamedStepId>,
}

impl Learned {
    /// # Errors
    /// A configuration that cannot be stored.
    pub(super) fn new(bound: &Arc<BoundTemplate>, limits: &payload::Limits) -> Result<Self, StorageError> {
        let mut template = (**bound.template()).clone();
        for step in &mut template.step_templates {
            for (field, value) in
                [("handler_config", &mut step.handler_config), ("retry_policy", &mut step.retry_policy)]
            {
                payload::check(value, limits).map_err(|error| StorageError::Payload { field, error })?;
                payload::normalise(value);
            }
        }
        let steps = &template.step_templates;
        Ok(Self {
            configs: steps.iter().map(|step| Arc::new(step.handler_config.clone())).collect(),
            names: steps.iter().enumerate().map(|(place, step)| (step.name.clone(), place)).collect(),
            fresh: Fresh::of(bound),
            edges: edges(bound),
            namespace: TaskNamespaceId(0),
            named_task: NamedTaskId(0),
            named_steps: vec![],
            bound: Arc::clone(bound),
            template: Arc::new(template),
        })
    }

    /// Enters its names into the catalogue.
    pub(super) fn enter(&mut self, catalogue: &mut Catalogue, now: Timestamp) {
        (self.namespace, self.named_task, self.named_steps) = catalogue.enter(&self.template, now);
    }

    pub(super) const fn namespace(&self) -> TaskNamespaceId {
        self.namespace
    }

    pub(super) const fn named_task(&self) -> NamedTaskId {
        self.named_task
    }

    pub(super) fn has_named_step(&self, name: NamedStepId) -> bool {
        self.named_steps.contains(&name)
    }

    /// Parent and child of every edge of the template.
    pub(super) fn edges(&self) -> &[(usize, usize)] {
        &self.edges
    }

    pub(super) const fn bound(&self) -> &Arc<BoundTemplate> {
        &self.bound
    }

    pub(super) const fn template(&self) -> &Arc<Template> {
        &self.template
    }

    /// The place of a step that a request may pass over.
    pub(super) fn skippable(&self, name: &StepName) -> Option<usize> {
        self.names.get(name).copied().filter(|place| self.bound.steps()[*place].skippable)
    }

    pub(super) const fn fresh(&self) -> &Fresh {
        &self.fresh
    }
}

/// The steps of a task that was just made, and how they stand.
#[derive(Clone)]
pub(super) struct Fresh {
    pub(super) steps: Vec<Step>,
    pub(super) tally: Tally,
    pub(super) movable: BTreeSet<usize>,
}

impl Fresh {
    fn of(bound: &BoundTemplate) -> Self {
        let edges = bound.steps().iter().zip(bound.parents());
        let steps: Vec<_> = edges
            .map(|(step, parents)| Step::new(step.default_retry_limit, step.default_retryable, parents.len()))
            .collect();
        let mut tally = Tally { total: steps.len(), ..Tally::default() };
        tally.leaves = bound.children().iter().filter(|children| children.is_empty()).count();
        steps.iter().for_each(|step| step.count_into(&mut tally));
        let movable = (0..steps.len()).filter(|place| steps[*place].can_move()).collect();
        Self { steps, tally, movable }
    }
}

fn edges(bound: &BoundTemplate) -> Vec<(usize, usize)> {
    let each = bound.parents().iter().enumerate();
    each.flat_map(|(child, parents)| parents.iter().map(move |parent| (*parent, child))).collect()
}

/// An edge between the steps at two places.
#[derive(Clone, Copy)]
pub(super) struct Edge<'a> {
    pub(super) id: EdgeId,
    pub(super) parent: usize,
    pub(super) child: usize,
    /// What the parent is to the child.
    pub(super) name: &'a str,
    /// When it was drawn.
    pub(super) at: Timestamp,
}

/// The steps of one task.
pub(super) struct Graph {
    learned: Arc<Learned>,
    /// The id of the first step; those of the template follow one another.
    first: i64,
    /// The id of the first edge; those of the template follow one another.
    first_edge: i64,
    /// Of a task that got steps while it ran.
    grown: Option<Box<Grown>>,
}

/// A graph of its own: that of the template, and what was spawned.
struct Grown {
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
    /// In the order in which they were added.
    edges: Vec<Added>,
    spawned: Vec<Spawned>,
    names: HashMap<StepName, usize>,
}

/// An edge that is not the template's.
struct Added {
    id: EdgeId,
    parent: usize,
    child: usize,
    name: Arc<str>,
    at: Timestamp,
}

impl Added {
    fn told(&self) -> Edge<'_> {
        Edge { id: self.id, parent: self.parent, child: self.child, name: &self.name, at: self.at }
    }
}

struct Spawned {
    id: StepId,
    name: StepName,
    named_step: NamedStepId,
    binding: Binding,
    created_at: Timestamp,
}

impl Graph {
    pub(super) const fn new(learned: Arc<Learned>, first: i64, first_edge: i64) -> Self {
        Self { learned, first, first_edge, grown: None }
    }

    pub(super) const fn learned(&self) -> &Arc<Learned> {
        &self.learned
    }

    fn of_template(&self) -> usize {
        self.learned.bound.steps().len()
    }

    fn spawned(&self, place: usize) -> &Spawned {
        let grown = self.grown.as_ref().expect("a place beyond the template is that of a spawned step");
        &grown.spawned[place - self.of_template()]
    }

    pub(super) fn id(&self, place: usize) -> StepId {
        if place < self.of_template() {
            StepId(self.first + as_number(place))
        } else {
            self.spawned(place).id
        }
    }

    pub(super) fn place(&self, id: StepId) -> Option<usize> {
        let offset = usize::try_from(id.0.checked_sub(self.first)?).ok()?;
        if offset < self.of_template() {
            return Some(offset);
        }
        let spawned = &self.grown.as_ref()?.spawned;
        spawned.binary_search_by_key(&id, |step| step.id).ok().map(|place| self.of_template() + place)
    }

    pub(super) fn named(&self, name: &StepName) -> Option<usize> {
        let spawned = self.grown.as_ref().and_then(|grown| grown.names.get(name));
        self.learned.names.get(name).or(spawned).copied()
    }

    pub(super) fn name(&self, place: usize) -> &StepName {
        self.learned.bound.steps().get(place).map_or_else(|| &self.spawned(place).name, |step| &step.name)
    }

    pub(super) fn named_step(&self, place: usize) -> NamedStepId {
        self.learned.named_steps.get(place).copied().unwrap_or_else(|| self.spawned(place).named_step)
    }

    /// When a step was added while its task ran; `None` for one of the template.
    pub(super) fn added_at(&self, place: usize) -> Option<Timestamp> {
        (place >= self.of_template()).then(|| self.spawned(place).created_at)
    }

    /// Every edge, ascending by id; those of the template were there at that moment, when the task was created.
    pub(super) fn edges(&self, created_at: Timestamp) -> impl Iterator<Item = Edge<'_>> {
        let of_template = (self.first_edge..).map(EdgeId).zip(&self.learned.edges);
        let of_template = of_template.map(move |(id, (parent, child))| Edge {
            id,
            parent: *parent,
            child: *child,
            name: WorkflowStepEdgeRow::PROVIDES,
            at: created_at,
        });
        of_template.chain(self.grown.iter().flat_map(|grown| grown.edges.iter().map(Added::told)))
    }

    pub(super) fn handler(&self, place: usize) -> &HandlerName {
        let template = self.learned.bound.steps().get(place);
        template.map_or_else(|| &self.spawned(place).binding.handler, |step| &step.handler_class)
    }

    pub(super) fn binding(&self, place: usize) -> Binding {
        match self.learned.template.step_templates.get(place) {
            Some(step) => Binding {
                handler: step.handler_class.clone(),
                config: Arc::clone(&self.learned.configs[place]),
                spawned_by: None,
            },
            None => self.spawned(place).binding.clone(),
        }
    }

    pub(super) fn is_skippable(&self, place: usize) -> bool {
        self.learned.bound.steps().get(place).is_some_and(|step| step.skippable)
    }

    /// The places of the steps that one waits for, ascending.
    pub(super) fn parents(&self, place: usize) -> &[usize] {
        match &self.grown {
            None => &self.learned.bound.parents()[place],
            Some(grown) => &grown.parents[place],
        }
    }

    /// The places of the steps that wait for one, ascending.
    pub(super) fn children(&self, place: usize) -> &[usize] {
        match &self.grown {
            None => &self.learned.bound.children()[place],
            Some(grown) => &grown.children[place],
        }
    }

    /// Adds a step after all others, as yet without edges. The first one copies the graph.
    pub(super) fn add(&mut self, pen: &mut Pen<'_>, step: &SpawnedStep, by: SpawnedBy) -> usize {
        let grown = self.grow();
        let place = grown.parents.len();
        let config = payload::normalised(&step.config);
        let binding = Binding { handler: step.handler.clone(), config, spawned_by: Some(by) };
        grown.spawned.push(Spawned {
            id: pen.step(),
            name: step.name.clone(),
            named_step: pen.catalogue.spawned_step(&step.name, pen.now),
            binding,
            created_at: pen.now,
        });
        grown.names.insert(step.name.clone(), place);
        grown.parents.push(vec![]);
        grown.children.push(vec![]);
        place
    }

    /// Adds an edge that is not there. The first one copies the graph.
    pub(super) fn link(&mut self, edge: Edge<'_>) {
        let grown = self.grow();
        insert(&mut grown.parents[edge.child], edge.parent);
        insert(&mut grown.children[edge.parent], edge.child);
        let Edge { id, parent, child, name, at } = edge;
        grown.edges.push(Added { id, parent, child, name: name.into(), at });
    }

    /// The graph of its own.
    fn grow(&mut self) -> &mut Grown {
        let bound = &self.learned.bound;
        self.grown.get_or_insert_with(|| {
            let (parents, children) = (copied(bound.parents()), copied(bound.children()));
            Box::new(Grown { parents, children, edges: vec![], spawned: vec![], names: HashMap::new() })
        })
    }

    /// Whether two tasks share one graph: as long as nothing was spawned in either.
    #[cfg(test)]
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        self.grown.is_none() && other.grown.is_none() && Arc::ptr_eq(&self.learned, &other.learned)
    }
}

/// Keeps the list ascending. Mostly the step was added last, and so stands last.
fn insert(list: &mut Vec<usize>, place: usize) {
    let before = list.partition_point(|other| *other < place);
    list.insert(before, place);
}

fn copied(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    edges.iter().inspect(|_| looked()).cloned().collect()
}

/// Places and counts as a number for ids.
pub(super) fn as_number(place: usize) -> i64 {
    i64::try_from(place).expect("a task has fewer steps than there are ids")
}
