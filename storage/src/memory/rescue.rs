//! Workers that live, and those that do not: beats, claims that a worker does not know of, claims of lost workers.

use std::collections::HashSet;

use tasker_engine::{
    Beat, ErrorReport, HandedBack, Rescue, Rescued, RetryAdvice, StepState, StorageError, Timestamp, Token,
    WorkerId, payload,
};

use super::defects::{Defect, makes};
use super::notes::{Failed, Note};
use super::store::Store;
use super::task::{Pen, Task};

impl Store {
    /// # Errors
    /// A label that cannot be stored.
    pub(super) fn beat(&mut self, beat: &Beat) -> Result<Vec<HandedBack>, StorageError> {
        let label = serde_json::Value::String(beat.label.clone());
        payload::check(&label, &self.limits)
            .map_err(|error| StorageError::Payload { field: "label", error })?;
        // A beat that was delayed on its way does not make its worker look dead.
        let last = self.workers.entry(beat.worker).or_insert(beat.now);
        *last = beat.now.max(*last);

        let held: HashSet<_> = beat.held.iter().copied().collect();
        let unheld = |claim: &Claimed| {
            claim.worker == beat.worker
                && claim.at < beat.hand_back_before
                && (!held.contains(&claim.token) || makes(Defect::HeldHandedBack))
        };
        let mut handed_back = vec![];
        for task in self.sets.running() {
            self.touch(task, beat.now, |task, pen| {
                for claim in task.claims_that(usize::MAX, unheld) {
                    handed_back.push(task.hand_back_unheld(pen, &claim));
                }
            });
        }
        Ok(handed_back)
    }

    pub(super) fn rescue(&mut self, rescue: Rescue) -> Vec<Rescued> {
        let mut rescued: Vec<Rescued> = vec![];
        for task in self.sets.running() {
            let left = rescue.limit - rescued.len();
            if left == 0 {
                break;
            }
            let lost = self.task(task).claims_that(left, |claim| {
                let beaten = self.workers.get(&claim.worker);
                claim.at < rescue.lost_before
                    && (beaten.is_none_or(|last| *last < rescue.lost_before) || makes(Defect::LivingRescued))
            });
            self.touch(task, rescue.now, |task, pen| {
                rescued.extend(lost.iter().map(|claim| task.fail_lost(pen, claim)));
            });
        }
        rescued
    }
}

/// A step that runs, and under which claim.
pub(super) struct Claimed {
    pub(super) place: usize,
    pub(super) token: Token,
    pub(super) worker: WorkerId,
    at: Timestamp,
}

impl Task {
    /// The claims of its running steps that are wanted, ascending by step, at most so many.
    pub(super) fn claims_that(&self, limit: usize, wanted: impl Fn(&Claimed) -> bool) -> Vec<Claimed> {
        let claimed = self.running().filter_map(|place| {
            let (token, worker) = self.claim(place)?;
            let at = self.latest(place)?.at;
            Some(Claimed { place, token, worker, at })
        });
        claimed.filter(wanted).take(limit).collect()
    }

    fn hand_back_unheld(&mut self, pen: &mut Pen<'_>, claim: &Claimed) -> HandedBack {
        let by = self.move_step(pen, claim.place, StepState::Pending, Note::Unheld, |step| {
            step.attempts -= 1;
        });
        self.wake_no_later_than(pen.now);
        HandedBack { token: claim.token, task: self.id, step: self.graph.id(claim.place), by }
    }

    fn fail_lost(&mut self, pen: &mut Pen<'_>, claim: &Claimed) -> Rescued {
        let step = &self.steps[claim.place];
        let failed = Failed {
            claim: claim.token,
            attempt: step.attempts,
            duration: pen.now.since(claim.at),
            error: ErrorReport::worker_lost(),
            retry: RetryAdvice::Default,
            retryable: step.retryable,
            retry_limit: step.retry_limit,
            now: pen.now,
            until: None,
        };
        let by = self.fail(pen, claim.place, failed, Note::Lost);
        // Its other steps may have waited for the room that it took, and if it is blocked the task may have to settle.
        self.wake_no_later_than(pen.now);
        let step = &self.steps[claim.place];
        Rescued {
            task: self.id,
            step: self.graph.id(claim.place),
            token: claim.token,
            by,
            worker: claim.worker,
            attempt: step.attempts,
            blocked: step.blocked(),
        }
    }

    /// A paused task is not woken: that it is resumed wakes it.
    fn wake_no_later_than(&mut self, due: Timestamp) {
        if self.may_move() {
            self.wake.no_later_than(due);
        }
    }
}
