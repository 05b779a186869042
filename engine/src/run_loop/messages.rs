//! What the loop is told.

use super::{Awaited, RunLoop, Running, Waiter};
use crate::inbox::{Finished, Message};
use crate::{Clock, EngineTypes, EventName, Queue, TaskId, Token, Wake};

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
                Message::Hints { wakes, missed } => self.take_hints(wakes, missed),
                Message::Serve => {
                    self.serving += 1;
                    self.shared.tell_of_worker(EventName::WorkerStarted);
                    self.ask_soon();
                    self.care_from_now_on();
                }
                Message::Stop { grace, done } => self.stop(grace, done),
            }
        }
    }

    /// An attempt that was cut off before has been answered for already.
    pub(super) fn ended(&mut self, finished: Finished) {
        if self.remove_running(finished.outcome.token).is_some() {
            self.telling.handled(&self.shared, &finished.outcome);
            self.finished.push(finished);
        }
    }

    pub(super) fn remove_running(&mut self, token: Token) -> Option<Running> {
        let running = self.running.remove(&token)?;
        self.rooms.give_back(&running.handler);
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
    }

    pub(super) fn forget(&mut self, task: TaskId, id: u64) {
        if let Some(waiters) = self.waiting.get_mut(&task) {
            waiters.retain(|waiter| waiter.id != id);
            if waiters.is_empty() {
                self.waiting.remove(&task);
                self.elsewhere.retain(|(_, other)| *other != task);
            }
        }
        if !self.is_wanted(task) {
            self.wanted.remove(&task);
            self.received.remove(&task);
            self.rooms.retain(|other| *other != task);
            self.timers.retain(|(_, other)| *other != task);
            self.for_others.remove(&task);
        }
    }

    pub(super) fn take_hints(&mut self, wakes: Vec<Wake>, missed: bool) {
        let now = self.shared.clock.now();
        if missed && self.serving > 0 {
            self.ask_at = Some(now);
        }
        for wake in wakes {
            if !self.is_wanted(wake.task) {
                continue;
            }
            if wake.due > now {
                self.timers.insert((wake.due, wake.task));
            } else if !self.rooms.is_waiting(wake.task) {
                // Who waits for a handler's room is looked at when there is some, and not as often as others are told.
                self.wanted.insert(wake.task);
            }
            let received = self.received.entry(wake.task).or_insert(wake);
            if received.generation < wake.generation {
                *received = wake;
            }
        }
    }

    /// A worker asks the storage for what is due, unless its queue does so.
    pub(super) fn ask_soon(&mut self) {
        if !self.shared.queue.finds_stored_wakes() {
            self.ask_at = Some(self.shared.clock.now());
        }
    }

    /// Gives the hints of tasks back to the queue that are for others to look at.
    pub(super) fn give_back(&mut self, tasks: Vec<TaskId>) {
        let wakes: Vec<_> = tasks.iter().filter_map(|task| self.received.remove(task)).collect();
        if !wakes.is_empty() {
            self.shared.give_back(wakes);
        }
    }

    /// Tells the queue that tasks were looked at.
    pub(super) fn acknowledge(&mut self, looked_at: &[TaskId]) {
        if self.received.is_empty() {
            return;
        }
        let wakes: Vec<_> = looked_at.iter().filter_map(|task| self.received.remove(task)).collect();
        if !wakes.is_empty() {
            self.shared.acknowledge(wakes);
        }
    }
}
