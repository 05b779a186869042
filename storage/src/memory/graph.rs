//! Which steps a task has, and how they hang together.
//!
//! Steps are known by their place: those of the template first, in its order, then spawned ones. All tasks of one
//! definition share its graph; a task gets one of its own with its first spawned step.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use tasker_engine::decide::Tally;
use tasker_engine::{
    Binding, BoundTemplate, HandlerName, SpawnedBy, SpawnedStep, StepId, StepName, StorageError, Template,
    payload,
};

use super::step::Step;
use super::work::looked;

/// A definition that was learned, with all that tasks made from it have in common.
pub(super) struct Learned {
    bound: Arc<BoundTemplate>,
    /// As it is read back.
    template: Arc<Template>,
    configs: Vec<Arc<Value>>,
    names: HashMap<StepName, usize>,
    /// The steps of a task that was just made, and how they stand.
    fresh: (Vec<Step>, Tally),
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
            fresh: fresh(bound),
            bound: Arc::clone(bound),
            template: Arc::new(template),
        })
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

    pub(super) const fn fresh(&self) -> &(Vec<Step>, Tally) {
        &self.fresh
    }
}

fn fresh(bound: &BoundTemplate) -> (Vec<Step>, Tally) {
    let edges = bound.steps().iter().zip(bound.parents());
    let steps: Vec<_> = edges
        .map(|(step, parents)| Step::new(step.default_retry_limit, step.default_retryable, parents.len()))
        .collect();
    let mut tally = Tally { total: steps.len(), ..Tally::default() };
    tally.leaves = bound.children().iter().filter(|children| children.is_empty()).count();
    steps.iter().for_each(|step| step.count_into(&mut tally));
    (steps, tally)
}

/// The steps of one task.
pub(super) struct Graph {
    learned: Arc<Learned>,
    /// The id of the first step; those of the template follow one another.
    first: i64,
    /// Of a task that got steps while it ran.
    grown: Option<Box<Grown>>,
}

/// A graph of its own: that of the template, and what was spawned.
struct Grown {
    parents: Vec<Vec<usize>>,
    children: Vec<Vec<usize>>,
    spawned: Vec<Spawned>,
    names: HashMap<StepName, usize>,
}

struct Spawned {
    id: StepId,
    name: StepName,
    binding: Binding,
}

impl Graph {
    pub(super) const fn new(learned: Arc<Learned>, first: i64) -> Self {
        Self { learned, first, grown: None }
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
    pub(super) fn add(&mut self, id: StepId, step: &SpawnedStep, by: SpawnedBy) -> usize {
        let bound = &self.learned.bound;
        let grown = self.grown.get_or_insert_with(|| {
            let (parents, children) = (copied(bound.parents()), copied(bound.children()));
            Box::new(Grown { parents, children, spawned: vec![], names: HashMap::new() })
        });
        let place = grown.parents.len();
        let config = payload::normalised(&step.config);
        let binding = Binding { handler: step.handler.clone(), config, spawned_by: Some(by) };
        grown.spawned.push(Spawned { id, name: step.name.clone(), binding });
        grown.names.insert(step.name.clone(), place);
        grown.parents.push(vec![]);
        grown.children.push(vec![]);
        place
    }

    /// Adds an edge; one of the two has to be the step that was added last, so that both lists go on ascending when
    /// the parents of that step are named in ascending order.
    pub(super) fn link(&mut self, parent: usize, child: usize) {
        let grown = self.grown.as_mut().expect("a step was added before it is linked");
        grown.parents[child].push(parent);
        grown.children[parent].push(child);
    }

    /// Whether two tasks share one graph: as long as nothing was spawned in either.
    #[cfg(test)]
    pub(super) fn is_shared_with(&self, other: &Self) -> bool {
        self.grown.is_none() && other.grown.is_none() && Arc::ptr_eq(&self.learned, &other.learned)
    }
}

fn copied(edges: &[Vec<usize>]) -> Vec<Vec<usize>> {
    edges.iter().inspect(|_| looked()).cloned().collect()
}

/// Places and counts as a number for ids.
pub(super) fn as_number(place: usize) -> i64 {
    i64::try_from(place).expect("a task has fewer steps than there are ids")
}
