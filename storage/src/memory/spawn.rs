//! Steps that are added while their task runs.

use std::collections::{BTreeSet, HashMap};

use tasker_engine::records::WorkflowStepEdgeRow;
use tasker_engine::{SpawnedBy, SpawnedStep, StepName};

use super::defects::{Defect, makes};
use super::graph::as_number;
use super::step::Step;
use super::task::{Pen, Task};
use super::work::looked;

/// A step cannot be added where it was asked for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SpawnFault {
    #[error("`{step}` is to wait for `{parent}`, which is there already and was not spawned before it")]
    After { step: StepName, parent: StepName },
    #[error("`{step}` is to run before `{child}`, which does not wait for the step that spawns it")]
    Before { step: StepName, child: StepName },
}

impl Task {
    /// Whether these steps can be added by that step. Nothing is written before all of them were checked. What can be
    /// said without the task, `make_recordable` has said.
    ///
    /// New steps wait only for one another and for the step that spawns them, and only what waits for that one waits for
    /// them: so no edge can close a cycle.
    pub(super) fn check_spawned(&self, by: usize, spawned: &[SpawnedStep]) -> Result<(), SpawnFault> {
        if spawned.is_empty() {
            return Ok(());
        }
        let children: BTreeSet<_> = self.graph.children(by).iter().inspect(|_| looked()).copied().collect();
        let mut earlier = BTreeSet::new();
        for step in spawned {
            if self.graph.named(&step.name).is_some() {
                continue;
            }
            if let Some(parent) = step.after.iter().find(|parent| !earlier.contains(parent)) {
                return Err(SpawnFault::After { step: step.name.clone(), parent: parent.clone() });
            }
            let waits =
                |child: &StepName| self.graph.named(child).is_some_and(|place| children.contains(&place));
            if let Some(child) = step.before.iter().find(|child| !waits(child)) {
                return Err(SpawnFault::Before { step: step.name.clone(), child: child.clone() });
            }
            earlier.insert(&step.name);
        }
        Ok(())
    }

    /// Adds steps that were checked. A name that the task has already adds nothing.
    pub(super) fn spawn(&mut self, pen: &mut Pen<'_>, by: usize, spawned: &[SpawnedStep]) {
        let mut earlier = HashMap::new();
        for step in spawned {
            pen.catalogue.spawned_step(&step.name, pen.now);
        }
        for (index, step) in spawned.iter().enumerate() {
            if self.graph.named(&step.name).is_some() {
                continue;
            }
            let by_step =
                SpawnedBy { step: self.graph.id(by), index: u32::try_from(index).unwrap_or(u32::MAX) };
            let place = self.graph.add(pen, step, by_step);
            self.add(Step::new(step.retry_limit, step.retryable, 0));
            let after = step.after.iter().map(|parent| earlier[parent]);
            for parent in after.chain([by]).collect::<BTreeSet<usize>>() {
                self.link(pen, parent, place, WorkflowStepEdgeRow::PROVIDES);
            }
            let before = step.before.iter().filter_map(|child| self.graph.named(child));
            for child in before.filter(|_| !makes(Defect::SpawnedEdgesLost)).collect::<BTreeSet<usize>>() {
                self.link(pen, place, child, WorkflowStepEdgeRow::PROVIDES);
            }
            earlier.insert(&step.name, place);
            pen.freed.push(place);
        }
        debug_assert!(as_number(self.steps.len()) <= pen.ids.step, "each step has an id of its own");
    }
}
