//! What finished goes in: the fence, then the rows and columns of each outcome.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tasker_engine::{
    Outcome, OutcomeKind, Recorded, Recording, RetryAdvice, StepState, Timestamp, Token, TransitionId, audit,
    payload,
};

use super::advance::Wave;
use super::defects::{Defect, makes};
use super::notes::{Failed, Note, as_written};
use super::rows::Place;
use super::task::{Pen, Task};

/// Whether an outcome counts.
enum Fence {
    /// Its claim is the current one of the step at that place.
    Current(usize),
    /// It was recorded by that row.
    Recorded(Place),
    /// That row ended its claim before it came.
    Late(Place),
    Stale,
}

impl Wave<'_, '_> {
    /// Records the outcomes of the task; `own` are their places in the call. Says whether one of them was recorded by an
    /// earlier call: then the reply of that may have been lost.
    pub(super) fn record(&mut self, own: &[usize]) -> bool {
        let mut repeated = false;
        for place in own {
            let outcome = &mut self.call.outcomes[*place];
            let mut blocked = None;
            let how = match self.task.fence(outcome) {
                Fence::Current(step) => {
                    let how = self.task.record_outcome(self.pen, step, outcome, &self.call.limits);
                    if !matches!(outcome.kind, OutcomeKind::Completed(_)) {
                        self.draft.tried.push(step);
                    }
                    let step = &self.task.steps[step];
                    blocked = step.blocked().filter(|_| step.state == StepState::Error);
                    how
                }
                Fence::Recorded(by) => {
                    repeated |= by < self.draft.since;
                    Recording::AlreadyRecorded
                }
                Fence::Late(ended_by) => {
                    outcome.make_recordable(&self.call.limits);
                    if let Some(said) = audit::late_outcome(outcome, self.pen.now) {
                        self.task.trail.keep_late(ended_by, said);
                    }
                    Recording::Stale
                }
                Fence::Stale => Recording::Stale,
            };
            self.draft.progress.recorded.push(Recorded { token: outcome.token, how, blocked });
        }
        repeated
    }
}

impl Task {
    fn fence(&self, outcome: &Outcome) -> Fence {
        let Some(step) = self.graph.place(outcome.step) else { return Fence::Stale };
        match self.claim(step) {
            Some((token, _)) if token == outcome.token || makes(Defect::NoFence) => {
                return Fence::Current(step);
            }
            _ => {}
        }
        match self.after_claim(step, outcome.token) {
            None => Fence::Stale,
            Some(place) if self.ended_by(place).claim() == Some(outcome.token) => {
                if makes(Defect::RepeatNotRecognised) { Fence::Stale } else { Fence::Recorded(place) }
            }
            Some(place) if makes(Defect::RescueDoesNotFence) && self.steps[step].latest == Some(place) => {
                if matches!(self.ended_by(place), Note::Lost(_)) {
                    Fence::Current(step)
                } else {
                    Fence::Late(place)
                }
            }
            Some(place) => Fence::Late(place),
        }
    }

    fn ended_by(&self, place: Place) -> &Note {
        &self.trail.step(place).note
    }

    /// The row that ended a claim of the step: the one after the claim's own, whose id is the token.
    fn after_claim(&self, step: usize, claim: Token) -> Option<Place> {
        let (mut next, mut after) = (self.steps[step].latest, None);
        while let Some(place) = next {
            let row = self.trail.step(place);
            if row.id.0 <= claim.0 {
                let is_claim = row.id.0 == claim.0 && matches!(row.note, Note::Claimed { .. });
                return after.filter(|_| is_claim);
            }
            after = Some(place);
            next = self.trail.before(place);
        }
        None
    }

    fn record_outcome(
        &mut self,
        pen: &mut Pen<'_>,
        step: usize,
        outcome: &mut Outcome,
        limits: &payload::Limits,
    ) -> Recording {
        let fault = outcome.make_recordable(limits).or_else(|| {
            let fault = self.check_spawned(step, &outcome.spawned).err()?;
            Some(outcome.fail_as_not_recordable(&fault.to_string()))
        });
        let row = self.write_outcome(pen, step, outcome);
        fault.map_or(Recording::Recorded(row), |error| Recording::NotRecordable(row, error))
    }

    fn write_outcome(&mut self, pen: &mut Pen<'_>, step: usize, outcome: &Outcome) -> TransitionId {
        let Outcome { token: claim, attempt, duration, .. } = *outcome;
        if makes(Defect::AttemptNotCountedAtClaim) {
            self.steps[step].attempts = attempt;
        }
        match &outcome.kind {
            OutcomeKind::Completed(value) => {
                let note = Note::Completed { claim, attempt, duration };
                let row = self.move_step(pen, step, StepState::Complete, note, |step| {
                    step.results = Some(Arc::clone(value));
                });
                self.spawn(pen, step, &outcome.spawned);
                row
            }
            OutcomeKind::Failed { error, retry } => {
                let before = &self.steps[step];
                let failed = Failed {
                    claim,
                    attempt,
                    duration,
                    error: error.clone(),
                    retry: *retry,
                    retryable: before.retryable,
                    retry_limit: before.retry_limit,
                    now: pen.now,
                    until: asked_until(*retry, pen.now),
                };
                self.fail(pen, step, failed, Note::Failed)
            }
            OutcomeKind::HandBack => self.take_back(pen, step, Note::HandedBack { claim }),
            OutcomeKind::Snooze { until } => {
                let governs = as_written(*until).is_some();
                self.take_back(pen, step, Note::Snoozed { claim, until: *until, governs })
            }
        }
    }

    /// The attempt does not count.
    fn take_back(&mut self, pen: &mut Pen<'_>, step: usize, note: Note) -> TransitionId {
        let back = u32::from(!makes(Defect::HandBackCounts));
        self.move_step(pen, step, StepState::Pending, note, |step| step.attempts -= back)
    }

    /// The attempt counts, and its error is added to what the step has for results.
    pub(super) fn fail(
        &mut self,
        pen: &mut Pen<'_>,
        step: usize,
        failed: Failed,
        note: impl FnOnce(Box<Failed>) -> Note,
    ) -> TransitionId {
        let results = with_error(self.steps[step].results.as_deref(), &failed);
        let retry = failed.retry;
        self.move_step(pen, step, StepState::Error, note(Box::new(failed)), |step| {
            step.results = Some(results.into());
            step.retryable &= retry != RetryAdvice::Never;
            step.backoff_request_seconds = match retry {
                RetryAdvice::After(wait) => Some(whole_seconds(wait)),
                RetryAdvice::Default | RetryAdvice::Never => None,
            };
        })
    }
}

fn asked_until(retry: RetryAdvice, now: Timestamp) -> Option<Timestamp> {
    match retry {
        RetryAdvice::After(wait) => as_written(now + wait),
        RetryAdvice::Default | RetryAdvice::Never => None,
    }
}

fn with_error(results: Option<&Value>, failed: &Failed) -> Value {
    let mut merged = results.and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    merged.insert("error".into(), failed.error.message.clone().into());
    merged.insert("error_class".into(), failed.error.class.clone().into());
    Value::Object(merged)
}

/// Rounded up, as a column of PostgreSQL's `integer` can hold it.
fn whole_seconds(wait: Duration) -> i32 {
    let seconds = wait.saturating_add(Duration::from_nanos(999_999_999)).as_secs();
    i32::try_from(seconds).unwrap_or(i32::MAX)
}
