//! What a process remembers of the tasks it runs, so that a wave needs no more than one call: their graph and context.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use serde_json::Value;

use crate::definition::BoundStep;
use crate::events::payload::Subject;
use crate::handler::BoundInput;
use crate::ids::IdMap;
use crate::{
    BuildError, Claim, CorrelationId, Definition, Entry, HandlerName, Handlers, Moved, MovedTo, Parent,
    ParentResult, StepId, StepName, StepRecord, StepState, TaskId, TaskRecord, TaskRequest, Timestamp,
    TransitionId,
};

/// One task, as far as running its steps goes. Never the truth about states.
pub(crate) struct KnownTask {
    pub(crate) definition: Definition,
    pub(crate) context: Arc<Value>,
    pub(crate) correlation: Option<CorrelationId>,
    pub(crate) created_at: Timestamp,
    /// What its events are about; made when the first of them is told.
    subject: OnceLock<Arc<Subject>>,
    /// The steps of the template, in its order; ascending.
    template_steps: Vec<StepId>,
    /// Inputs that differ from the context, by place.
    inputs: HashMap<usize, Arc<Value>>,
    spawned: Vec<SpawnedStep>,
    /// Parents of steps of the template that the template does not name: spawned ones, and those at the other end of edges
    /// that were drawn by hand.
    joined: IdMap<StepId, Vec<StepId>>,
}

struct SpawnedStep {
    id: StepId,
    /// The step that asked for it.
    by: StepId,
    name: StepName,
    handler: HandlerName,
    parents: Vec<StepId>,
    bound: Arc<BoundStep>,
}

/// What is needed to run one step.
pub(crate) struct Runnable<'a> {
    pub(crate) name: &'a StepName,
    /// As it stands in the template, and in the storage.
    pub(crate) handler: &'a HandlerName,
    pub(crate) bound: &'a Arc<BoundStep>,
    pub(crate) context: &'a Arc<Value>,
}

impl KnownTask {
    /// A task that was just created here.
    pub(crate) fn created(
        definition: Definition,
        request: TaskRequest,
        steps: Vec<StepId>,
        inputs: HashMap<usize, Arc<Value>>,
        created_at: Timestamp,
    ) -> Self {
        let TaskRequest { context, correlation_id: correlation, .. } = request;
        Self {
            definition,
            context,
            correlation,
            created_at,
            subject: OnceLock::new(),
            template_steps: steps,
            inputs,
            spawned: vec![],
            joined: IdMap::default(),
        }
    }

    /// A task made elsewhere or earlier.
    pub(crate) fn loaded(
        record: &TaskRecord,
        definition: Definition,
        handlers: &Handlers,
    ) -> Result<Self, BuildError> {
        let (template, spawned): (Vec<_>, Vec<_>) =
            record.steps.iter().partition(|step| step.binding.spawned_by.is_none());
        let context = &record.request.context;
        let changed = template.iter().enumerate().filter(|(_, step)| step.inputs != *context);
        let inputs = changed.map(|(place, step)| (place, Arc::clone(&step.inputs))).collect();
        let template_steps: Vec<StepId> = template.iter().map(|step| step.id).collect();
        let joins = template.iter().zip(definition.bound().parents()).map(|(step, known)| {
            // Places ascend, and so do ids.
            let of_template = |id: &StepId| {
                known.binary_search_by_key(&Some(id), |place| template_steps.get(*place)).is_ok()
            };
            (step.id, step.parents.iter().copied().filter(|id| !of_template(id)).collect::<Vec<_>>())
        });
        let joined = joins.filter(|(_, parents)| !parents.is_empty()).collect();
        let spawned = spawned.iter().map(|step| SpawnedStep::bind(step, &definition, handlers));
        let spawned = spawned.collect::<Result<_, _>>()?;
        let (context, correlation) = (Arc::clone(context), record.request.correlation_id.clone());
        Ok(Self {
            definition,
            context,
            correlation,
            created_at: record.created_at,
            subject: OnceLock::new(),
            template_steps,
            inputs,
            spawned,
            joined,
        })
    }

    /// What its events are about.
    pub(crate) fn subject(&self, task: TaskId) -> &Arc<Subject> {
        self.subject.get_or_init(|| {
            let correlation = self.correlation.clone();
            Arc::new(Subject::new(task, self.definition.template(), correlation))
        })
    }

    pub(crate) fn total_steps(&self) -> usize {
        self.template_steps.len() + self.spawned.len()
    }

    /// The steps that a step asked for.
    pub(crate) fn spawned_by(&self, step: StepId) -> impl Iterator<Item = StepId> {
        self.spawned.iter().filter(move |spawned| spawned.by == step).map(|spawned| spawned.id)
    }

    /// How many attempts a step may have, by its template or its handler.
    pub(crate) fn retry_limit(&self, step: StepId) -> Option<u32> {
        if let Some(place) = self.place(step) {
            return Some(self.definition.bound().steps()[place].default_retry_limit);
        }
        let spawned = self.spawned.iter().find(|spawned| spawned.id == step)?;
        Some(spawned.bound.entry.policy.retry_limit)
    }

    /// The names of the steps that a step waits for.
    pub(crate) fn parent_names(&self, step: StepId) -> Vec<StepName> {
        let name = |parent: StepId| self.runnable(parent).map(|runnable| runnable.name.clone());
        self.parent_ids(step).unwrap_or_default().into_iter().filter_map(name).collect()
    }

    fn parent_ids(&self, step: StepId) -> Option<Vec<StepId>> {
        Some(match self.place(step) {
            Some(place) => {
                let parents =
                    self.definition.bound().parents()[place].iter().map(|place| self.template_steps[*place]);
                parents.chain(self.joined.get(&step).into_iter().flatten().copied()).collect()
            }
            None => self.spawned.iter().find(|spawned| spawned.id == step)?.parents.clone(),
        })
    }

    fn place(&self, step: StepId) -> Option<usize> {
        self.template_steps.binary_search(&step).ok()
    }

    /// What runs a step; `None` for one that was added since the task was looked at.
    pub(crate) fn runnable(&self, step: StepId) -> Option<Runnable<'_>> {
        if let Some(place) = self.place(step) {
            let step = &self.definition.bound().steps()[place];
            let (name, handler) = (&step.name, &step.handler_class);
            let context = self.inputs.get(&place).unwrap_or(&self.context);
            return Some(Runnable { name, handler, bound: &self.definition.steps()[place], context });
        }
        let spawned = self.spawned.iter().find(|spawned| spawned.id == step)?;
        let SpawnedStep { name, handler, bound, .. } = spawned;
        Some(Runnable { name, handler, bound, context: &self.context })
    }

    /// A move of one of its steps, with the step's name.
    pub(crate) fn moved(
        &self,
        task: TaskId,
        step: StepId,
        state: StepState,
        by: TransitionId,
        at: Timestamp,
    ) -> Moved {
        let name = self.runnable(step).map(|step| step.name.clone());
        Moved { task, to: MovedTo::Step { step, name, state }, by, at }
    }

    /// Whether everything that a claim names is known.
    pub(crate) fn understands(&self, claim: &Claim) -> bool {
        let known = |step: StepId| {
            self.place(step).is_some() || self.spawned.iter().any(|spawned| spawned.id == step)
        };
        let is_parent = |parent: StepId| {
            known(parent)
                && (self.place(parent).is_some() || self.spawned_parents(claim.step).contains(&parent))
        };
        known(claim.step) && claim.parents.iter().all(|(parent, _)| is_parent(*parent))
    }

    fn spawned_parents(&self, step: StepId) -> &[StepId] {
        let of_spawned =
            || self.spawned.iter().find(|spawned| spawned.id == step).map(|spawned| &spawned.parents);
        self.joined.get(&step).or_else(of_spawned).map_or(&[], Vec::as_slice)
    }

    /// What the parents of a step yielded: as told with its claim, or as this process has just recorded it. `None` when
    /// there is a parent that is not known.
    pub(crate) fn parents(
        &self,
        step: StepId,
        told: &[(StepId, ParentResult)],
        recorded: &IdMap<StepId, Arc<Value>>,
    ) -> Option<Vec<Parent>> {
        let (places, spawned): (&[usize], &[StepId]) = match self.place(step) {
            Some(place) => (
                &self.definition.bound().parents()[place],
                self.joined.get(&step).map_or(&[], |joined| joined),
            ),
            None => (&[], &self.spawned.iter().find(|spawned| spawned.id == step)?.parents),
        };
        let ids = places.iter().map(|place| self.template_steps[*place]).chain(spawned.iter().copied());
        let mut parents = Vec::with_capacity(places.len() + spawned.len());
        let mut understood = 0;
        for id in ids {
            let result = match told.binary_search_by_key(&id, |(id, _)| *id) {
                Ok(place) => {
                    understood += 1;
                    told[place].1.clone()
                }
                Err(_) => recorded
                    .get(&id)
                    .map_or(ParentResult::Absent, |value| ParentResult::Value(Arc::clone(value))),
            };
            parents.push(self.parent(id, result)?);
        }
        (understood == told.len()).then_some(parents)
    }

    fn parent(&self, id: StepId, result: ParentResult) -> Option<Parent> {
        let runnable = self.runnable(id)?;
        Some(Parent {
            name: runnable.name.clone(),
            result,
            place: self.place(id),
            handler: runnable.bound.entry.handler,
            output: runnable.bound.entry.output,
        })
    }
}

impl SpawnedStep {
    fn bind(step: &StepRecord, definition: &Definition, handlers: &Handlers) -> Result<Self, BuildError> {
        let entry = match definition.spawnable(&step.binding.handler) {
            Some(entry) => entry.clone(),
            None => handlers.find(&step.name, &step.binding.handler)?.clone(),
        };
        let bound = bind_spawned(&step.name, entry, &step.binding.config)?;
        let (name, handler) = (step.name.clone(), step.binding.handler.clone());
        let by = step.binding.spawned_by.as_ref().map_or(step.id, |by| by.step);
        Ok(Self { id: step.id, by, name, handler, parents: step.parents.clone(), bound })
    }
}

fn bind_spawned(name: &StepName, entry: Entry, config: &Arc<Value>) -> Result<Arc<BoundStep>, BuildError> {
    let handler =
        entry.make(config).map_err(|misfit| BuildError::HandlerConfig { step: name.clone(), misfit })?;
    let timeout = entry.policy.timeout_seconds.map(std::time::Duration::from_secs);
    // A spawned step has no place in the template, so its inputs are found by key alone.
    let inputs: Arc<[BoundInput]> = Arc::new([]);
    Ok(Arc::new(BoundStep { entry, handler, config: Arc::clone(config), inputs, retry: None, timeout }))
}

/// The tasks that a process remembers.
#[derive(Default)]
pub(crate) struct KnownTasks(IdMap<TaskId, Arc<KnownTask>>);

/// Beyond that many, tasks that do not run here at the moment are forgotten: loading one again is one statement.
const REMEMBERED: usize = 50_000;

impl KnownTasks {
    pub(crate) fn get(&self, task: TaskId) -> Option<Arc<KnownTask>> {
        self.0.get(&task).cloned()
    }

    pub(crate) fn has(&self, task: TaskId) -> bool {
        self.0.contains_key(&task)
    }

    pub(crate) fn namespace(&self, task: TaskId) -> Option<&str> {
        self.0.get(&task).map(|known| known.definition.template().namespace_name.as_str())
    }

    pub(crate) fn insert(&mut self, task: TaskId, known: KnownTask) {
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, known| Arc::strong_count(known) > 1);
        }
        self.0.insert(task, Arc::new(known));
    }

    pub(crate) fn forget(&mut self, task: TaskId) {
        self.0.remove(&task);
    }
}
