//! Claims: only what is due, only within the room, and with everything that their handlers need.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tasker_engine::decide::{Attempted, Readiness, not_before, readiness};
use tasker_engine::{
    Advance, Claim, HandlerName, HandlerRoom, OutcomeKind, ParentResult, PhaseMark, Progress, StepId,
    StepRecord, StepState, TaskRecord, Timestamp, Token,
};

use super::advance::Brought;
use super::standing::{limit_of, shown};
use super::{Change, Check, Checker, claim_of, ensure};

/// What one call claimed, of all tasks.
#[derive(Default)]
pub(super) struct Claimed {
    total: usize,
    by_handler: BTreeMap<HandlerName, usize>,
}

impl Claimed {
    pub(super) fn add(&mut self, task: &TaskRecord, fresh: &[Token]) {
        self.total += fresh.len();
        for step in &task.steps {
            if claim_of(step).is_some_and(|(token, ..)| fresh.contains(&token)) {
                *self.by_handler.entry(step.binding.handler.clone()).or_default() += 1;
            }
        }
    }

    pub(super) fn fits(&self, call: &Advance) -> Check {
        ensure!(
            self.total <= call.room.total,
            "no more is claimed than there is room for",
            "{} of {:?}",
            self.total,
            call.room
        );
        if let HandlerRoom::Only(handlers) = &call.room.handlers {
            for (handler, claims) in &self.by_handler {
                let room = handlers.get(handler).copied().unwrap_or_default();
                ensure!(
                    *claims <= room,
                    "no more is claimed of a handler than there is room for",
                    "{claims} of {handler}"
                );
            }
        }
        Ok(())
    }
}

impl Checker {
    /// `fresh` are the claims that the call made; `again` says whether it repeated an earlier one.
    pub(super) fn claims_are_due(
        &self,
        change: &Change,
        brought: &Brought<'_>,
        call: &Advance,
        progress: &Progress,
        fresh: &[Token],
        again: bool,
    ) -> Check {
        let task = change.task();
        let told: BTreeSet<Token> = progress.claims.iter().map(|claim| claim.token).collect();
        ensure!(told.len() == progress.claims.len(), "a claim is told once", "{progress:?}");
        let is_sorted = progress.claims.is_sorted_by_key(|claim| claim.step);
        ensure!(is_sorted, "claims are told ascending by step", "{progress:?}");
        let held = held_again(task, brought, call, fresh, again);
        let expected: BTreeSet<Token> = fresh.iter().copied().chain(held).collect();
        ensure!(told == expected, "all claims are told, and no others", "{told:?} instead of {expected:?}");
        for claim in &progress.claims {
            let Some(place) = task.position(claim.step) else {
                ensure!(false, "a claim is of a step of the task", "{claim:?}");
                continue;
            };
            let step = &task.steps[place];
            let current = claim_of(step).map(|(token, worker, _)| (token, worker));
            ensure!(
                current == Some((claim.token, call.worker)),
                "a claim is the asking worker's",
                "{claim:?}, {step:?}"
            );
            ensure!(claim.attempt == step.attempts, "a claim tells its attempt", "{claim:?}, {step:?}");
            let is_fresh = fresh.contains(&claim.token);
            self.parents_are_told(task, step, claim, brought, is_fresh)?;
            if is_fresh {
                self.may_run(change, step, brought, call.now)?;
            }
        }
        let running = task.steps.iter().filter(|step| step.current.state == StepState::InProgress).count();
        if let (Some(limit), false) = (limit_of(task, self.limits), fresh.is_empty()) {
            ensure!(running <= limit, "no more steps of a task run than its limit says", "{}", shown(task));
        }
        Ok(())
    }

    /// A step that was claimed now was ready now.
    fn may_run(&self, change: &Change, step: &StepRecord, brought: &Brought<'_>, now: Timestamp) -> Check {
        let task = change.task();
        let before = &change.before;
        let may_move = before.current.state.is_open() && !before.is_paused();
        ensure!(
            may_move,
            "nothing is claimed of a task that is settled or paused",
            "{} in {}",
            step.name,
            shown(before)
        );
        let mut facts = change.before.position(step.id).map_or_else(
            || StepRecord { current: pending(), attempts: 0, ..step.clone() }.facts(),
            |place| change.before.steps[place].facts(),
        );
        if brought.contains_key(&step.id) {
            // It failed, or was handed back, in this very call: what it waits for stands in that row.
            let row = step.history.iter().rev().find(|row| row.from == Some(StepState::InProgress));
            facts.attempts = step.attempts - 1;
            facts.retryable = step.retryable;
            facts.state = row.map_or(facts.state, |row| row.to);
            facts.not_before = row.and_then(|row| {
                let until = row.metadata.get("backoff_until").and_then(Value::as_str);
                not_before(&Attempted {
                    state: row.to,
                    since: row.at,
                    backoff_until: until.and_then(|text| text.parse().ok()),
                    attempts: facts.attempts,
                    last_attempted_at: None,
                    backoff_request_seconds: None,
                })
            });
        }
        let readiness = readiness(&facts, task.parents_satisfied(step), now);
        ensure!(
            readiness == Readiness::Ready,
            "only a step that is ready is claimed",
            "{} is {readiness:?} at {now}: {}",
            step.name,
            shown(task)
        );
        Ok(())
    }

    /// Each parent is told, but for those that the very call completed.
    fn parents_are_told(
        &self,
        task: &TaskRecord,
        step: &StepRecord,
        claim: &Claim,
        brought: &Brought<'_>,
        is_fresh: bool,
    ) -> Check {
        let completed_now = |parent: &StepId| {
            is_fresh
                && brought
                    .get(parent)
                    .is_some_and(|outcome| matches!(outcome.kind, OutcomeKind::Completed(_)))
        };
        let expected: Vec<(StepId, ParentResult)> = step
            .parents
            .iter()
            .filter(|parent| !completed_now(parent))
            .filter_map(|parent| Some((*parent, result_of(&task.steps[task.position(*parent)?]))))
            .collect();
        ensure!(
            claim.parents == expected,
            "a claim tells what the parents yielded",
            "{claim:?} instead of {expected:?}"
        );
        Ok(())
    }
}

/// After a repeated call, the claims that the worker holds on the task, but for those that it brings outcomes of.
fn held_again(
    task: &TaskRecord,
    brought: &Brought<'_>,
    call: &Advance,
    fresh: &[Token],
    again: bool,
) -> Vec<Token> {
    if !again {
        return vec![];
    }
    let held = task.steps.iter().filter_map(claim_of).filter(|(token, worker, _)| {
        let is_brought = call.outcomes.iter().any(|outcome| outcome.token == *token);
        *worker == call.worker && !is_brought && !fresh.contains(token)
    });
    held.map(|(token, ..)| token)
        .filter(|token| !brought.values().any(|outcome| outcome.token == *token))
        .collect()
}

/// What a step that is satisfied yields to its children.
pub(super) fn result_of(step: &StepRecord) -> ParentResult {
    let given = || ParentResult::Value(step.results.clone());
    match step.current.state {
        StepState::ResolvedManually => match step.current.phase_mark() {
            Some(PhaseMark::Skipped) => ParentResult::Skipped,
            _ if step.current.metadata.get("results_given") == Some(&Value::Bool(true)) => given(),
            _ => ParentResult::Absent,
        },
        _ => given(),
    }
}

fn pending() -> tasker_engine::Current<StepState> {
    tasker_engine::Current {
        state: StepState::Pending,
        metadata: Value::Object(serde_json::Map::new()),
        since: None,
        sort_key: 0,
        transition: None,
    }
}
