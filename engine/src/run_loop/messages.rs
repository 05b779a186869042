//! What the loop is told.

use super::{Awaited, RunLoop, Running, Waiter};
use crate::inbox::{Finished, Message};
use crate::{Clock, EngineTypes, TaskId, Token, Wake};

impl<T: EngineTypes> RunLoop<T> {
    pub(super) fn read_messages(&mut self) {
        for message in self.shared.inbox.take() {
            match message {
                Message::Finished(finished) => self.ended(finished),
                Message::Watch { task, id, settled } => self.await_task(task, id, Awaited::Settled(settled)),
                Message::Pass { task, id, until, handled } => {
                    self.await_task(task, id, Awaited::Pass { until, handled });
                }
                Message::Forget { task, id } => self.forget(task, id),
                Message::Look(task) => {
                    self.wanted.insert(task);
                }
                Message::Hints(wakes) => self.take_hints(&wakes),
                Message::Serve => {
                    self.serving += 1;
                    self.ask_at = Some(self.shared.clock.now());
                    self.care_from_now_on();
                }
                Message::Stop { grace, done } => self.stop(grace, done),
            }
        }
    }

    /// An attempt that was cut off before has been answered for already.
    pub(super) fn ended(&mut self, finished: Finished) {
        if self.remove_running(finished.outcome.token).is_some() {
            self.finished.push(finished);
        }
    }

    pub(super) fn remove_running(&mut self, token: Token) -> Option<Running> {
        let running = self.running.remove(&token)?;
        if let Some(count) = self.running_of.get_mut(&running.task) {
            *count -= 1;
            if *count == 0 {
                self.running_of.remove(&running.task);
            }
        }
        Some(running)
    }

    pub(super) fn await_task(&mut self, task: TaskId, id: u64, what: Awaited) {
        self.waiting.entry(task).or_default().push(Waiter { id, what });
        self.wanted.insert(task);
        self.care_from_now_on();
    }

    pub(super) fn forget(&mut self, task: TaskId, id: u64) {
        if let Some(waiters) = self.waiting.get_mut(&task) {
            waiters.retain(|waiter| waiter.id != id);
            if waiters.is_empty() {
                self.waiting.remove(&task);
            }
        }
        if !self.is_wanted(task) {
            self.wanted.remove(&task);
            self.timers.retain(|(_, other)| *other != task);
        }
    }

    pub(super) fn take_hints(&mut self, wakes: &[Wake]) {
        let now = self.shared.clock.now();
        for wake in wakes.iter().filter(|wake| self.is_wanted(wake.task)).collect::<Vec<_>>() {
            if wake.due <= now {
                self.wanted.insert(wake.task);
            } else {
                self.timers.insert((wake.due, wake.task));
            }
        }
    }
}
