//! What may run comes out: steps are judged; and those that were chosen are claimed.

use std::collections::HashSet;

use tasker_engine::decide::{Readiness, readiness};
use tasker_engine::{Claim, ParentResult, PhaseMark, StepId, StepState, TaskState, Token};

use super::advance::Wave;
use super::defects::{Defect, makes};
use super::notes::Note;
use super::rows::Place;
use super::task::{Pen, Task};
use super::work::looked;

impl Wave<'_, '_> {
    /// Judges what may have become ready, in full or as far as this call changed it.
    pub(super) fn judge_ready(&mut self, in_full: bool) {
        if in_full {
            self.draft.progress.cancelled = self.task.cancel_below_cancelled(self.pen);
            // Looking at a step moves nothing.
            let movable = std::mem::take(&mut self.task.movable);
            movable.iter().for_each(|place| self.look_at(*place));
            self.task.movable = movable;
            return;
        }
        let mut freed = std::mem::take(self.pen.freed);
        freed.sort_unstable();
        freed.dedup();
        for place in &freed {
            if !(makes(Defect::JudgedBeforeTheLock) && self.waited_just_now(*place)) {
                self.look_at(*place);
            }
        }
        *self.pen.freed = freed;
        // What just failed or sleeps is not claimed again at once, but its moment is known.
        for place in std::mem::take(&mut self.draft.tried) {
            if makes(Defect::NoWakeForRetries) {
                continue;
            }
            match self.judge(place) {
                Readiness::Ready => self.draft.next.no_later_than(self.pen.now),
                Readiness::WaitingUntil(moment) => self.draft.next.no_later_than(moment),
                _ => {}
            }
        }
    }

    /// Whether another call was the last but this one to satisfy a parent, at this very moment.
    fn waited_just_now(&self, place: usize) -> bool {
        let mut parents = self.task.graph.parents(place).iter();
        parents.any(|parent| {
            let row = self.task.steps[*parent].latest.filter(|row| *row < self.draft.since);
            row.is_some_and(|row| self.task.trail.step(row).at == self.pen.now)
        })
    }

    fn judge(&self, place: usize) -> Readiness {
        looked();
        let mut facts = self.task.facts(place);
        if makes(Defect::BackoffIgnored) {
            facts.not_before = None;
        }
        readiness(&facts, self.task.steps[place].waits_for == 0, self.pen.now)
    }

    fn look_at(&mut self, place: usize) {
        match self.judge(place) {
            Readiness::WaitingUntil(moment) => self.draft.next.no_later_than(moment),
            Readiness::Ready => self.draft.ready.push(place),
            _ => {}
        }
    }

    pub(super) fn claim_chosen(&mut self) {
        for place in std::mem::take(&mut self.draft.ready) {
            self.claim(place);
        }
    }

    fn claim(&mut self, place: usize) {
        if self.task.state() == TaskState::Pending {
            self.draft.progress.started = Some(self.task.begin(self.pen));
        }
        let retries = self.task.steps[place].state == StepState::Error;
        let (token, attempt) = self.task.claim_step(self.pen, place, self.call.worker);
        let parents = self.task.parent_results(place, self.draft.since);
        let step = self.task.graph.id(place);
        self.draft.progress.claims.push(Claim { token, step, attempt, retries, parents });
    }

    /// Tells again of the claims that the worker holds on the task, but for those that it brings outcomes of.
    pub(super) fn tell_claims_again(&mut self) {
        let worker = self.call.worker;
        let brought: HashSet<_> = self.call.outcomes.iter().map(|outcome| outcome.token).collect();
        let task = &*self.task;
        let held =
            task.claims_that(usize::MAX, |claim| claim.worker == worker && !brought.contains(&claim.token));
        let told = held.iter().map(|claim| Claim {
            token: claim.token,
            step: task.graph.id(claim.place),
            attempt: task.steps[claim.place].attempts,
            retries: false,
            parents: task.parent_results(claim.place, task.trail.end()),
        });
        self.draft.progress.claims.extend(told);
    }
}

impl Task {
    fn claim_step(
        &mut self,
        pen: &mut Pen<'_>,
        place: usize,
        worker: tasker_engine::WorkerId,
    ) -> (Token, u32) {
        let attempt = self.steps[place].attempts + 1;
        if self.steps[place].state == StepState::Error {
            self.move_step(pen, place, StepState::Pending, Note::Retried { attempt }, |_| {});
        }
        let now = pen.now;
        let row =
            self.move_step(pen, place, StepState::InProgress, Note::Claimed { attempt, worker }, |step| {
                if !makes(Defect::AttemptNotCountedAtClaim) {
                    step.attempts = attempt;
                }
                step.last_attempted_at = Some(now);
            });
        (Token(row.0), attempt)
    }

    /// What the parents of a step yielded, but for those that were completed since: whoever brought their outcomes has
    /// what they yielded.
    fn parent_results(&self, place: usize, since: Place) -> Vec<(StepId, ParentResult)> {
        let parents = self.graph.parents(place).iter().copied();
        let told = parents.filter(|parent| {
            looked();
            let step = &self.steps[*parent];
            step.state != StepState::Complete || step.latest.is_none_or(|row| row < since)
        });
        told.map(|parent| (self.graph.id(parent), self.result_of(parent))).collect()
    }

    fn result_of(&self, place: usize) -> ParentResult {
        let given = self.steps[place].results.clone().map_or(ParentResult::Absent, ParentResult::Value);
        match self.latest(place) {
            Some(row) if row.to == StepState::ResolvedManually => match row.note.mark() {
                Some(PhaseMark::Skipped) => ParentResult::Skipped,
                _ if row.note.results_given() => given,
                _ => ParentResult::Absent,
            },
            _ => given,
        }
    }
}
