//! Moving tasks on by one wave. They share nothing but the worker's room, so it is for that alone that all are looked at
//! before any goes on:
//!
//! ```text
//! each: record ──▶ judge          all: choose          each: claim ──▶ settle ──▶ write the wake
//! ```

use tasker_engine::payload::Limits;
use tasker_engine::{Advance, Outcome, Progress, Recorded, Recording, Settled, TaskId, Timestamp, WorkerId};

use super::choose::{NextLook, choose};
use super::defects::{Defect, makes};
use super::rows::Place;
use super::store::Store;
use super::task::{Pen, Task};

/// One call.
pub(super) struct Call {
    pub(super) worker: WorkerId,
    pub(super) limits: Limits,
    pub(super) outcomes: Vec<Outcome>,
    /// Of one task in progress at a time.
    per_task: Option<usize>,
}

/// What one call does to one task, from the first look to the last.
pub(super) struct Draft {
    pub(super) task: TaskId,
    /// Whether it was asked for.
    pub(super) wanted: bool,
    /// Rows from here on were written by this call.
    pub(super) since: Place,
    /// How many of its steps may run at a time.
    pub(super) limit: Option<usize>,
    /// Steps whose outcome was recorded, and that did not complete.
    pub(super) tried: Vec<usize>,
    /// Steps that are ready, in order; when they have been chosen, those that are to be claimed.
    pub(super) ready: Vec<usize>,
    /// How many more of them may run.
    pub(super) may_run: usize,
    pub(super) next: NextLook,
    pub(super) progress: Progress,
}

/// A task under the hands of a call.
pub(super) struct Wave<'a, 'p> {
    pub(super) task: &'a mut Task,
    pub(super) pen: &'a mut Pen<'p>,
    pub(super) call: &'a mut Call,
    pub(super) draft: &'a mut Draft,
}

impl Store {
    pub(super) fn advance(&mut self, call: Advance) -> Vec<Progress> {
        let Advance { worker, now, outcomes, mut wanted, room } = call;
        wanted.sort_unstable();
        // Outcomes by task; those of one task stay in their order.
        let mut order: Vec<usize> = (0..outcomes.len()).collect();
        order.sort_by_key(|place| outcomes[*place].task);
        let mut call = Call { worker, limits: self.limits, outcomes, per_task: room.per_task };
        let (mut order, mut wanted) = (order.as_slice(), wanted.as_slice());
        let mut drafts = std::mem::take(&mut self.drafts);
        loop {
            let with_outcome = order.first().map(|place| call.outcomes[*place].task);
            let Some(task) = with_outcome.into_iter().chain(wanted.first().copied()).min() else { break };
            let own = take_while(&mut order, |place| call.outcomes[*place].task == task);
            let is_wanted = !take_while(&mut wanted, |other| *other == task).is_empty();
            drafts.push(self.look_at(task, now, &mut call, own, is_wanted));
        }
        choose(self, &mut drafts, room);
        let progress = drafts.drain(..).map(|draft| self.go_on_with(draft, now, &mut call)).collect();
        self.drafts = drafts;
        progress
    }

    fn look_at(
        &mut self,
        task: TaskId,
        now: Timestamp,
        call: &mut Call,
        own: &[usize],
        wanted: bool,
    ) -> Draft {
        let looked = self.touch(task, now, |task, pen| {
            let mut draft = Draft::of(task, call, wanted);
            Wave { task, pen, call, draft: &mut draft }.look(own);
            draft
        });
        looked.unwrap_or_else(|| Draft::gone(task, call, own))
    }

    fn go_on_with(&mut self, mut draft: Draft, now: Timestamp, call: &mut Call) -> Progress {
        self.touch(draft.task, now, |task, pen| Wave { task, pen, call, draft: &mut draft }.go_on());
        draft.progress
    }
}

/// Takes those from the front for which it holds.
fn take_while<'a, T>(list: &mut &'a [T], holds: impl Fn(&T) -> bool) -> &'a [T] {
    let many = list.iter().position(|item| !holds(item)).unwrap_or(list.len());
    let (taken, rest) = list.split_at(many);
    *list = rest;
    taken
}

impl Draft {
    fn of(task: &Task, call: &Call, wanted: bool) -> Self {
        let own_limit = task.graph.learned().bound().task_limit();
        Self {
            task: task.id,
            wanted,
            since: task.trail.end(),
            limit: own_limit.into_iter().chain(call.per_task).min(),
            tried: vec![],
            ready: vec![],
            may_run: 0,
            next: NextLook::default(),
            progress: Progress::nothing(task.id),
        }
    }

    fn gone(task: TaskId, call: &Call, own: &[usize]) -> Self {
        let stale = own.iter().map(|place| Recorded::new(call.outcomes[*place].token, Recording::Stale));
        let progress = Progress { recorded: stale.collect(), gone: true, ..Progress::nothing(task) };
        Self {
            task,
            wanted: false,
            since: Place::FIRST,
            limit: None,
            tried: vec![],
            ready: vec![],
            may_run: 0,
            next: NextLook::default(),
            progress,
        }
    }
}

impl Wave<'_, '_> {
    fn look(mut self, own: &[usize]) {
        if self.record(own) {
            self.tell_claims_again();
        }
        if self.is_moved() {
            self.judge_ready(self.draft.wanted || self.draft.limit.is_some());
            let running = self.task.tally.running;
            let limit = self.draft.limit.filter(|_| !makes(Defect::TaskLimitIgnored));
            self.draft.may_run = limit.map_or(usize::MAX, |limit| limit.saturating_sub(running));
        }
    }

    /// Whether steps are claimed and the task settled.
    fn is_moved(&self) -> bool {
        self.task.may_move() || (makes(Defect::PauseIgnored) && self.task.state().is_open())
    }

    fn go_on(mut self) {
        if self.is_moved() {
            self.claim_chosen();
            self.settle();
        } else {
            let state = self.task.state();
            self.draft.progress.settled = (!state.is_open()).then_some(Settled { state, by: None });
        }
        if self.task.may_move() {
            self.write_wake();
        } else {
            self.task.wake.clear();
        }
        self.draft.progress.claims.sort_unstable_by_key(|claim| claim.step);
    }
}
