//! Moving tasks on by one wave. Tasks share nothing but the worker's room, so they are moved one after the other:
//!
//! ```text
//! record ──▶ claim what is ready ──▶ settle ──▶ write the wake
//! ```

use tasker_engine::payload::Limits;
use tasker_engine::{Advance, Outcome, Progress, Recorded, Recording, Settled, TaskId, Timestamp, WorkerId};

use super::claim::{NextLook, RoomLeft};
use super::defects::{Defect, makes};
use super::rows::Place;
use super::store::Store;
use super::task::{Pen, Task};

/// One call.
pub(super) struct Call {
    pub(super) worker: WorkerId,
    pub(super) limits: Limits,
    pub(super) outcomes: Vec<Outcome>,
    pub(super) room: RoomLeft,
}

/// What one call does to one task.
pub(super) struct Wave<'a, 'p> {
    pub(super) task: &'a mut Task,
    pub(super) pen: &'a mut Pen<'p>,
    pub(super) call: &'a mut Call,
    /// Rows from here on were written by this call.
    pub(super) since: Place,
    /// How many of its steps may run at a time.
    pub(super) limit: Option<usize>,
    /// Steps whose outcome was recorded, and that did not complete.
    pub(super) tried: Vec<usize>,
    pub(super) next: NextLook,
    pub(super) progress: Progress,
}

impl Store {
    pub(super) fn advance(&mut self, call: Advance) -> Vec<Progress> {
        let Advance { worker, now, outcomes, mut wanted, room } = call;
        wanted.sort_unstable();
        // Outcomes by task; those of one task stay in their order.
        let mut order: Vec<usize> = (0..outcomes.len()).collect();
        order.sort_by_key(|place| outcomes[*place].task);
        let mut call = Call { worker, limits: self.limits, outcomes, room: room.into() };
        let (mut order, mut wanted) = (order.as_slice(), wanted.as_slice());
        let mut progress = Vec::with_capacity(order.len() + wanted.len());
        loop {
            let with_outcome = order.first().map(|place| call.outcomes[*place].task);
            let Some(task) = with_outcome.into_iter().chain(wanted.first().copied()).min() else { break };
            let own = take_while(&mut order, |place| call.outcomes[*place].task == task);
            let is_wanted = !take_while(&mut wanted, |other| *other == task).is_empty();
            progress.push(self.advance_task(task, now, &mut call, own, is_wanted));
        }
        progress
    }

    fn advance_task(
        &mut self,
        task: TaskId,
        now: Timestamp,
        call: &mut Call,
        own: &[usize],
        wanted: bool,
    ) -> Progress {
        let progress = self.touch(task, now, |task, pen| Wave::new(task, pen, call).run(own, wanted));
        progress.unwrap_or_else(|| gone(task, call, own))
    }
}

/// Takes those from the front for which it holds.
fn take_while<'a, T>(list: &mut &'a [T], holds: impl Fn(&T) -> bool) -> &'a [T] {
    let many = list.iter().position(|item| !holds(item)).unwrap_or(list.len());
    let (taken, rest) = list.split_at(many);
    *list = rest;
    taken
}

fn gone(task: TaskId, call: &Call, own: &[usize]) -> Progress {
    let stale =
        own.iter().map(|place| Recorded { token: call.outcomes[*place].token, how: Recording::Stale });
    Progress { recorded: stale.collect(), gone: true, ..Progress::nothing(task) }
}

impl<'a, 'p> Wave<'a, 'p> {
    fn new(task: &'a mut Task, pen: &'a mut Pen<'p>, call: &'a mut Call) -> Self {
        let own_limit = task.graph.learned().bound().task_limit();
        Self {
            since: task.trail.end(),
            limit: own_limit.into_iter().chain(call.room.per_task).min(),
            tried: vec![],
            next: NextLook::default(),
            progress: Progress::nothing(task.id),
            task,
            pen,
            call,
        }
    }

    fn run(mut self, own: &[usize], wanted: bool) -> Progress {
        if self.record(own) {
            self.tell_claims_again();
        }
        if self.task.may_move() || (makes(Defect::PauseIgnored) && self.task.state().is_open()) {
            self.claim_ready(wanted || self.limit.is_some());
            self.settle();
        } else {
            let state = self.task.state();
            self.progress.settled = (!state.is_open()).then_some(Settled { state, by: None });
        }
        if self.task.may_move() {
            self.write_wake(wanted);
        } else {
            self.task.wake.clear();
        }
        self.progress.claims.sort_unstable_by_key(|claim| claim.step);
        self.progress
    }
}
