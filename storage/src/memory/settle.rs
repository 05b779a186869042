//! The end of a wave: what stands below a cancelled step ends with it, a task with nothing left to do settles, and the
//! wake is written.

use tasker_engine::decide::{Verdict, settlement};
use tasker_engine::{Ended, Settled, StepMoved, StepState, TaskState};

use super::advance::Wave;
use super::defects::{Defect, makes};
use super::notes::Note;
use super::task::{Pen, Task};
use super::work::looked;

impl Wave<'_, '_> {
    /// Settles the task if nothing is left to do.
    pub(super) fn settle(&mut self) {
        let mut tally = self.task.tally;
        if makes(Defect::SettledWhileRunning) {
            tally.running = 0;
        }
        let Some(verdict) = settlement(&tally) else { return };
        let state = verdict.state();
        if state == TaskState::Complete && self.task.state() == TaskState::Pending {
            self.draft.progress.started = Some(self.task.begin(self.pen));
        }
        let blocked = if verdict == Verdict::Error { self.task.blocked() } else { Box::default() };
        self.draft.progress.ended = Some(Ended {
            from: self.task.state(),
            unsatisfied: tally.total - tally.satisfied,
            blocked: blocked.to_vec(),
        });
        let note = match verdict {
            Verdict::Error => Note::TaskFailed { blocked },
            _ => Note::TaskSettled(verdict),
        };
        let by = self.task.move_task(self.pen, state, note);
        self.draft.progress.settled = Some(Settled { state, by: Some(by) });
    }

    /// Writes the wake of a task that is open and not paused.
    pub(super) fn write_wake(&mut self) {
        let (wake, next, now) = (&mut self.task.wake, &self.draft.next, self.pen.now);
        let parked = next.parked.then(|| wake.parked_until(now));
        let left_over = next.left_over.then_some(now);
        let Some(due) = next.due.into_iter().chain(left_over).chain(parked).min() else {
            if self.draft.wanted {
                wake.clear();
            }
            return;
        };
        if !self.draft.wanted && wake.due().is_some_and(|had| had <= due) {
            return;
        }
        if parked == Some(due) && wake.parked_beyond(self.pen.now) == parked {
            return;
        }
        if parked == Some(due) {
            wake.park(due);
        } else {
            wake.set(due);
        }
        self.draft.progress.next_wake = Some(due);
    }
}

impl Task {
    /// The names of the steps that may never run again by themselves.
    fn blocked(&self) -> Box<[tasker_engine::StepName]> {
        let blocked = (0..self.steps.len()).filter(|place| {
            looked();
            self.steps[*place].blocked().is_some()
        });
        blocked.map(|place| self.graph.name(place).clone()).collect()
    }

    /// Cancels what is not settled below cancelled steps, and tells which, ascending. Whoever cancels a step cancels what hangs on it in the same
    /// call, so there is something to do only where a task came into being otherwise.
    pub(super) fn cancel_below_cancelled(&mut self, pen: &mut Pen<'_>) -> Vec<StepMoved> {
        if self.tally.cancelled == 0 || makes(Defect::DescendantsNotCancelled) {
            return vec![];
        }
        let mut below = vec![false; self.steps.len()];
        let cancelled =
            (0..self.steps.len()).filter(|place| self.steps[*place].state == StepState::Cancelled);
        let mut frontier: Vec<_> = cancelled.collect();
        while let Some(place) = frontier.pop() {
            for child in self.graph.children(place) {
                looked();
                if !std::mem::replace(&mut below[*child], true) {
                    frontier.push(*child);
                }
            }
        }
        let mut cancelled = vec![];
        for place in (0..below.len()).filter(|place| below[*place]) {
            let from = self.steps[place].state;
            if !from.is_settled() {
                let to = StepState::Cancelled;
                let by = self.move_step(pen, place, to, Note::BelowCancelled, |_| {});
                cancelled.push(StepMoved { step: self.graph.id(place), from, to, by });
            }
        }
        cancelled
    }
}
