//! Making tasks. Everything is checked before anything is written, so a refused call leaves nothing behind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tasker_engine::decide::Verdict;
use tasker_engine::{
    Creation, DefinitionHash, NewTask, StepState, StorageError, TaskId, TaskRequest, TaskState, Timestamp,
    audit, payload,
};

use super::graph::{Fresh, Graph, Learned, as_number};
use super::notes::Note;
use super::rows::Trail;
use super::store::Store;
use super::task::{Pen, Task};
use super::wakes::TaskWake;

impl Store {
    pub(super) fn create(
        &mut self,
        tasks: Vec<NewTask>,
        now: Timestamp,
    ) -> Result<Vec<Creation>, StorageError> {
        tasks.iter().try_for_each(|task| task.check(&self.limits))?;
        let learned: Vec<_> =
            tasks.iter().map(|task| self.learned(&task.definition)).collect::<Result<_, _>>()?;
        let each = tasks.iter().zip(&learned);
        let bypassed: Vec<_> =
            each.map(|(task, learned)| bypassed(learned, &task.request)).collect::<Result<_, _>>()?;
        let each = tasks.into_iter().zip(learned).zip(bypassed);
        Ok(each.map(|((task, learned), bypassed)| self.create_one(task, learned, &bypassed, now)).collect())
    }

    fn learned(&self, definition: &DefinitionHash) -> Result<Arc<Learned>, StorageError> {
        let learned = self.definitions.get(definition).cloned();
        learned.ok_or_else(|| StorageError::UnknownDefinition(definition.clone()))
    }

    fn create_one(
        &mut self,
        new: NewTask,
        learned: Arc<Learned>,
        bypassed: &BTreeSet<usize>,
        now: Timestamp,
    ) -> Creation {
        if let Some(task) = self.identities.get(new.identity_hash.as_str()) {
            return Creation::Duplicate { task: *task };
        }
        self.ids.task += 1;
        let id = TaskId(self.ids.task);
        let graph = Graph::new(learned, self.ids.step + 1, self.ids.edge + 1);
        self.ids.edge += as_number(graph.learned().edges().len());
        let mut task = fresh(id, new, graph, now);
        self.ids.step += as_number(task.steps.len());
        self.identities.insert(Arc::clone(&task.identity_hash), id);

        let mut pen = Pen { ids: &mut self.ids, catalogue: &mut self.catalogue, now, freed: &mut vec![] };
        for place in bypassed {
            task.bypass(&mut pen, *place);
        }
        let settled = task.complete_if_nothing_is_to_do(&mut pen);
        let steps = (0..task.steps.len()).map(|place| task.graph.id(place)).collect();
        self.add(task);
        Creation::Created { task: id, steps, settled }
    }
}

/// The places of the steps that a request passes over.
fn bypassed(learned: &Learned, request: &TaskRequest) -> Result<BTreeSet<usize>, StorageError> {
    let names = request.bypass_steps.iter();
    names.map(|name| learned.skippable(name).ok_or_else(|| StorageError::Bypass(name.clone()))).collect()
}

fn fresh(id: TaskId, new: NewTask, graph: Graph, now: Timestamp) -> Task {
    let Fresh { steps, tally, movable } = graph.learned().fresh().clone();
    let context = payload::normalised(&new.request.context);
    // A place beyond the template is nobody's, also when a step is spawned later.
    let inputs = new.inputs.into_iter().filter(|(place, _)| *place < steps.len());
    let inputs = inputs.map(|(place, value)| (place, payload::normalised(&value)));
    Task {
        id,
        identity_hash: new.identity_hash.into(),
        inputs: inputs.collect(),
        request: TaskRequest { context, ..new.request },
        created_at: now,
        updated_at: now,
        edited: BTreeMap::new(),
        graph,
        steps,
        tally,
        movable,
        trail: Trail::default(),
        wake: TaskWake::default(),
    }
}

impl Task {
    fn bypass(&mut self, pen: &mut Pen<'_>, place: usize) {
        self.move_step(pen, place, StepState::ResolvedManually, Note::Bypassed, |step| {
            step.results = Some(audit::skipped_results().into());
        });
    }

    fn complete_if_nothing_is_to_do(&mut self, pen: &mut Pen<'_>) -> Option<TaskState> {
        if self.tally.satisfied < self.tally.total {
            self.wake.set(pen.now);
            return None;
        }
        self.begin(pen);
        self.move_task(pen, TaskState::Complete, Note::TaskSettled(Verdict::Complete { cancelled_steps: 0 }));
        Some(TaskState::Complete)
    }
}
