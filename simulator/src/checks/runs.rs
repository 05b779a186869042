//! Handlers: each claim runs at most once, in the process that was told of it, and with what its parents yielded.

use tasker_engine::{Call, Parent, ParentResult, StepName};

use super::claims::result_of;
use super::{Check, Checker, ensure};
use crate::ledger::{End, RunId};
use crate::network::ProcessId;

impl Checker {
    pub(crate) fn run_begins(&mut self, process: ProcessId, call: &Call) -> Check<RunId> {
        let (task, step) = (call.task(), call.step());
        let (id, is_right) = self.ledger.begin(process, task, step, call.token());
        let claim = call.token();
        ensure!(
            is_right,
            "a claim is run once, by whoever was told of it",
            "{task}/{step}#{claim} in {process}"
        );
        let room = self.workers.get(&process).map_or(0, |(_, concurrency)| *concurrency);
        let active = self.ledger.active_in(process);
        ensure!(active <= room, "a process runs no more than its room", "{active} in {process}, of {room}");
        let Some(seen) = self.tasks.get(&task) else {
            ensure!(false, "a task that runs is known", "{task}");
            return Ok(id);
        };
        let Some(place) = seen.record.position(step) else {
            ensure!(false, "a step that runs is known", "{task}/{step}");
            return Ok(id);
        };
        let record = &seen.record.steps[place];
        ensure!(
            record.name == *call.name(),
            "a handler knows the name of its step",
            "{} is {}",
            call.name(),
            record.name
        );
        let parents = record.parents.iter().filter_map(|parent| seen.record.position(*parent));
        let parents = parents.map(|place| &seen.record.steps[place]);
        let mut expected: Vec<(&StepName, ParentResult)> =
            parents.map(|step| (&step.name, result_of(step))).collect();
        let mut found: Vec<(&StepName, ParentResult)> = call.parents().iter().map(told_of).collect();
        expected.sort_by_key(|(name, _)| *name);
        found.sort_by_key(|(name, _)| *name);
        ensure!(
            found == expected,
            "a handler is given what its parents yielded",
            "{found:?} instead of {expected:?}"
        );
        Ok(id)
    }

    pub(crate) fn run_ends(&mut self, id: RunId, end: End) {
        self.ledger.end(id, end);
    }

    /// Answers whether it was under way.
    pub(crate) fn run_is_dropped(&mut self, id: RunId) -> bool {
        self.ledger.end(id, End::CutOff)
    }

    /// A process dies, and all that runs there with it.
    pub(crate) fn dies(&mut self, process: ProcessId) -> Vec<RunId> {
        self.ledger.cut_off(process)
    }

    /// How many handlers run.
    pub(crate) fn active(&self) -> usize {
        self.ledger.active()
    }
}

fn told_of(parent: &Parent) -> (&StepName, ParentResult) {
    (&parent.name, parent.result.clone())
}
