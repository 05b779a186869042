//! Whoever waits for a task, and the moments at which something is due for it.

use super::{Awaited, RunLoop, Waiter};
use crate::inbox::Passed;
use crate::{Clock, EngineError, EngineTypes, Handled, TaskId, Timestamp};

impl<T: EngineTypes> RunLoop<T> {
    /// Timers that are due, passes whose budget is over, stops whose grace is over.
    pub(super) fn look_at_the_clock(&mut self) {
        let nothing_comes = self.timers.is_empty() && self.elsewhere.is_empty() && self.refused.is_empty();
        if nothing_comes && self.waiting.is_empty() && self.stopping.is_empty() {
            return;
        }
        let now = self.shared.clock.now();
        for looks in [&mut self.timers, &mut self.elsewhere] {
            while let Some((due, task)) = looks.first().copied().filter(|(due, _)| *due <= now) {
                looks.remove(&(due, task));
                self.wanted.insert(task);
            }
        }
        let again = self.refused.extract_if(.., |(again_at, _)| *again_at <= now);
        self.finished.extend(again.map(|(_, refused)| refused));
        self.end_passes(now);
        self.cut_off(now);
    }

    pub(super) fn end_passes(&mut self, now: Timestamp) {
        let over = |waiter: &Waiter| matches!(&waiter.what, Awaited::Pass { until, .. } if *until <= now);
        let tasks: Vec<_> = self
            .waiting
            .iter()
            .filter(|(_, waiters)| waiters.iter().any(over))
            .map(|(task, _)| *task)
            .collect();
        for task in tasks {
            self.answer_passes(task, self.at_the_end(task), Some(now));
        }
    }

    /// What a pass answers whose time is up.
    fn at_the_end(&self, task: TaskId) -> Handled {
        let only_runs = self.running_of.contains_key(&task) && !self.wanted.contains(&task);
        if only_runs { Handled::Waiting } else { Handled::RunAgain }
    }

    /// Answers the passes over a task whose budget ends by then.
    pub(super) fn answer_passes(&mut self, task: TaskId, answer: Handled, ending_by: Option<Timestamp>) {
        let Some(waiters) = self.waiting.remove(&task) else { return };
        let mut left = vec![];
        for waiter in waiters {
            match waiter.what {
                Awaited::Pass { until, handled } if ending_by.is_none_or(|end| until <= end) => {
                    // Whoever asked may have gone.
                    let _ = handled.send(Ok(Passed { handled: answer, busy: self.shared.clock.busy() }));
                }
                what => left.push(Waiter { id: waiter.id, what }),
            }
        }
        if !left.is_empty() {
            self.waiting.insert(task, left);
        }
    }

    pub(super) fn fail_waiters(&mut self, task: TaskId, error: &EngineError) {
        for waiter in self.waiting.remove(&task).into_iter().flatten() {
            // Whoever waited may have gone.
            let _ = match waiter.what {
                Awaited::Settled(settled) => settled.send(Err(error.clone())).map_err(drop),
                Awaited::Pass { handled, .. } => handled.send(Err(error.clone())).map_err(drop),
            };
        }
    }

    pub(super) fn fail_waiters_or_answer_gone(&mut self, task: TaskId) {
        self.answer_passes(task, Handled::Gone, None);
        self.fail_waiters(task, &EngineError::UnknownTask(task));
    }
}
