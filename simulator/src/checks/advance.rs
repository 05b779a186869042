//! Waves: what is recorded counts under its claim alone, and every row that a call writes is accounted for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use tasker_engine::audit::LATE_OUTCOME;
use tasker_engine::decide::settlement;
use tasker_engine::{
    Advance, Outcome, OutcomeKind, Progress, Recorded, Recording, StepId, StepName, StepRecord, StepState,
    TaskId, TaskRecord, TaskState, Timestamp, Token, Transition,
};

use super::claims::Claimed;
use super::standing::{Standing, shown};
use super::{Change, Check, Checker, claim_of, ensure};
use crate::ledger::{End, RunId};

/// The outcomes of one task that were recorded by the call, by step.
pub(super) type Brought<'a> = BTreeMap<StepId, &'a Outcome>;

impl Checker {
    pub(super) fn advanced(&mut self, call: &Advance, progress: &[Progress], now: Timestamp) -> Check {
        let tasks: BTreeSet<TaskId> =
            call.outcomes.iter().map(|outcome| outcome.task).chain(call.wanted.iter().copied()).collect();
        let told: Vec<TaskId> = progress.iter().map(|one| one.task).collect();
        ensure!(
            tasks.iter().eq(&told),
            "there is one progress for every task, ascending",
            "{told:?} of {tasks:?}"
        );
        let mut claimed = Claimed::default();
        for one in progress {
            let outcomes: Vec<&Outcome> =
                call.outcomes.iter().filter(|outcome| outcome.task == one.task).collect();
            ensure!(!one.gone, "a task that is asked for is there", "{one:?}");
            let change = self.look(one.task, "an advance names it")?;
            let again = outcomes.iter().any(|outcome| self.recorded.contains(&outcome.token));
            let brought = self.counts_under_its_claim(&change, &outcomes, &one.recorded)?;
            self.rows_are_accounted_for(&change, &brought, call, one, again, &mut claimed)?;
            task_rows_are_accounted_for(&change, one, !brought.is_empty(), now)?;
            if call.wanted.contains(&one.task)
                && let Some(seen) = self.tasks.get_mut(&one.task)
            {
                seen.forgotten = false;
            }
            late_outcomes_are_kept(&change.after, &outcomes, &one.recorded)?;
            self.can_go_on(&change.after, now)?;
        }
        claimed.fits(call)
    }

    /// The fence: an outcome counts once, under the claim that is current when the call comes.
    fn counts_under_its_claim<'a>(
        &mut self,
        change: &Change,
        outcomes: &[&'a Outcome],
        told: &[Recorded],
    ) -> Check<Brought<'a>> {
        let tokens: Vec<Token> = told.iter().map(|recorded| recorded.token).collect();
        ensure!(
            outcomes.iter().map(|outcome| outcome.token).eq(tokens.iter().copied()),
            "every outcome is answered, in the order given",
            "{tokens:?} for {outcomes:?}"
        );
        let mut brought = Brought::new();
        for (outcome, told) in outcomes.iter().zip(told) {
            let step = change.before.position(outcome.step).map(|place| &change.before.steps[place]);
            let current = step.and_then(claim_of).map(|(token, ..)| token);
            let counts = current == Some(outcome.token) && !self.recorded.contains(&outcome.token);
            match (counts, &told.how) {
                (true, Recording::Recorded(_) | Recording::NotRecordable(..)) => {
                    self.recorded.insert(outcome.token);
                    brought.insert(outcome.step, *outcome);
                    self.is_what_a_handler_did(outcome, &told.how, step)?;
                }
                (false, Recording::AlreadyRecorded) if self.recorded.contains(&outcome.token) => {}
                (false, Recording::Stale) if !self.recorded.contains(&outcome.token) => {}
                (_, how) => {
                    let found = format!(
                        "{how:?} for {outcome:?}, the claim is {current:?}\n        {}",
                        shown(&change.before)
                    );
                    ensure!(false, "an outcome counts once, under the current claim of its step", "{found}");
                }
            }
        }
        Ok(brought)
    }

    /// What is recorded for a step is what a handler did under that very claim, and once.
    fn is_what_a_handler_did(
        &mut self,
        outcome: &Outcome,
        how: &Recording,
        step: Option<&StepRecord>,
    ) -> Check {
        let holder = step.and_then(claim_of).map(|(_, worker, _)| worker);
        let OutcomeKind::Completed(value) = &outcome.kind else { return Ok(()) };
        let id = value.get("run").and_then(Value::as_u64).map(RunId);
        let run = id.and_then(|id| self.ledger.run_mut(id));
        let Some(run) = run else {
            ensure!(false, "what is recorded is what a handler yielded", "{outcome:?}");
            return Ok(());
        };
        let ran_there = self.workers.get(&run.process).map(|(worker, _)| *worker);
        let is_right = (run.task, run.step, run.claim) == (outcome.task, outcome.step, outcome.token)
            && ran_there == holder
            && !run.is_recorded
            && match how {
                Recording::NotRecordable(..) => run.end == Some(End::YieldsWhatCannotBeStored),
                _ => run.end == Some(End::Yields),
            };
        ensure!(
            is_right,
            "what is recorded is what a handler yielded under that claim",
            "{outcome:?}, {run:?}"
        );
        run.is_recorded = true;
        Ok(())
    }

    fn rows_are_accounted_for(
        &mut self,
        change: &Change,
        brought: &Brought<'_>,
        call: &Advance,
        progress: &Progress,
        again: bool,
        claimed: &mut Claimed,
    ) -> Check {
        let mut fresh: Vec<Token> = vec![];
        for (place, after) in change.after.steps.iter().enumerate() {
            let before = change.before.steps.get(place);
            let mut new = &after.history[before.map_or(0, |before| before.history.len())..];
            if let Some(outcome) = brought.get(&after.id) {
                let Some((row, rest)) = new.split_first() else {
                    ensure!(false, "an outcome that is recorded writes a row", "{outcome:?}");
                    return Ok(());
                };
                is_the_row_of(outcome, progress, row, after, call.now)?;
                new = rest;
            }
            let spawned_by = after.binding.spawned_by.as_ref().map(|by| by.step);
            if before.is_none() {
                let by = spawned_by.and_then(|by| brought.get(&by));
                let Some(by) = by else {
                    ensure!(false, "a step is added only by an outcome that counts", "{}", after.name);
                    return Ok(());
                };
                stands_where_it_was_asked_for(&change.after, after, by)?;
            }
            match new {
                [] => {}
                [row] if row.to == StepState::Cancelled => {
                    let cancelled = |parent| {
                        change.after.position(parent).is_some_and(|place| {
                            change.after.steps[place].current.state == StepState::Cancelled
                        })
                    };
                    let is_below = after.parents.iter().any(|parent| cancelled(*parent));
                    ensure!(is_below, "only what hangs on a cancelled step is cancelled with it", "{row:?}");
                }
                [row] if (row.from, row.to) == (Some(StepState::Pending), StepState::InProgress) => {
                    fresh.push(Token(row.id.0));
                }
                [retried, row]
                    if (retried.from, retried.to) == (Some(StepState::Error), StepState::Pending)
                        && row.to == StepState::InProgress =>
                {
                    fresh.push(Token(row.id.0));
                }
                rows => {
                    ensure!(false, "an advance records, claims, or cancels below", "{}: {rows:?}", after.name)
                }
            }
        }
        self.claims_are_due(change, brought, call, progress, &fresh, again)?;
        claimed.add(&change.after, &fresh);
        Ok(())
    }
}

/// A step that was added waits for whom it was to wait for, and whoever was to wait for it does.
fn stands_where_it_was_asked_for(task: &TaskRecord, step: &StepRecord, by: &Outcome) -> Check {
    let named = |name: &StepName| task.steps.iter().find(|step| step.name == *name);
    let asked = by.spawned.iter().find(|spawned| spawned.name == step.name);
    let Some(asked) = asked else {
        ensure!(false, "a step is added only where it was asked for", "{}", step.name);
        return Ok(());
    };
    let after = asked.after.iter().filter_map(named).map(|parent| parent.id);
    for parent in after.chain([by.step]) {
        ensure!(step.parents.contains(&parent), "a spawned step waits for its parents", "{}", step.name);
    }
    for child in asked.before.iter().filter_map(named) {
        let waits = child.parents.contains(&step.id);
        ensure!(waits, "a join waits for what is spawned before it", "{} for {}", child.name, step.name);
    }
    Ok(())
}

/// A row that records an outcome says so.
fn is_the_row_of(
    outcome: &Outcome,
    progress: &Progress,
    row: &Transition<StepState>,
    step: &StepRecord,
    now: Timestamp,
) -> Check {
    let told = progress
        .recorded
        .iter()
        .find(|recorded| recorded.token == outcome.token)
        .map(|recorded| &recorded.how);
    let (to, id) = match (&outcome.kind, told) {
        (_, Some(Recording::NotRecordable(id, _))) => (StepState::Error, *id),
        (OutcomeKind::Completed(_), Some(Recording::Recorded(id))) => (StepState::Complete, *id),
        (OutcomeKind::Failed { .. }, Some(Recording::Recorded(id))) => (StepState::Error, *id),
        (OutcomeKind::HandBack | OutcomeKind::Snooze { .. }, Some(Recording::Recorded(id))) => {
            (StepState::Pending, *id)
        }
        other => {
            ensure!(false, "an outcome that counts is told to be recorded", "{other:?}");
            return Ok(());
        }
    };
    let claim = row.metadata.get("claim").and_then(Value::as_i64).map(Token);
    let is_right = (row.id, row.from, row.to, row.at, claim)
        == (id, Some(StepState::InProgress), to, now, Some(outcome.token));
    ensure!(is_right, "the row of an outcome names its claim and its state", "{row:?} for {outcome:?}");
    if let (StepState::Complete, OutcomeKind::Completed(value)) = (to, &outcome.kind) {
        ensure!(
            step.results == *value,
            "a complete step has the results that were brought",
            "{:?}",
            step.results
        );
    }
    Ok(())
}

/// What a handler did under a claim that no longer counts stands in the row that ended the claim.
fn late_outcomes_are_kept(task: &TaskRecord, outcomes: &[&Outcome], told: &[Recorded]) -> Check {
    for (outcome, told) in outcomes.iter().zip(told) {
        if told.how != Recording::Stale || outcome.kind == OutcomeKind::HandBack {
            continue;
        }
        let Some(place) = task.position(outcome.step) else { continue };
        let mut rows = task.steps[place].history.iter().skip_while(|row| row.id.0 != outcome.token.0).skip(1);
        let is_kept = rows.next().is_some_and(|row| row.metadata.get(LATE_OUTCOME).is_some());
        ensure!(is_kept, "the late outcome of a claim is kept in the row that ended it", "{outcome:?}");
    }
    Ok(())
}

/// A task begins with its first claim, and settles exactly when nothing is left to do.
fn task_rows_are_accounted_for(change: &Change, progress: &Progress, moved: bool, now: Timestamp) -> Check {
    let (before, after) = (&change.before, &change.after);
    let new = &after.history[before.history.len()..];
    let may_move = before.current.state.is_open() && !before.is_paused();
    let verdict =
        settlement(&Standing::of(after, now).tally).filter(|_| may_move).map(|verdict| verdict.state());
    let claims = after.steps.iter().enumerate().any(|(place, step)| {
        let known = before.steps.get(place).map_or(0, |step| step.history.len());
        step.history[known..].iter().any(|row| row.to == StepState::InProgress)
    });
    let begins = may_move
        && before.current.state == TaskState::Pending
        && (verdict == Some(TaskState::Complete) || (claims && verdict.is_none()));
    let expected: Vec<TaskState> =
        begins.then_some(TaskState::InProgress).into_iter().chain(verdict).collect();
    let found: Vec<TaskState> = new.iter().map(|row| row.to).collect();
    ensure!(
        expected == found,
        "a task begins with its first claim, and settles when nothing is left to do",
        "{found:?} instead of {expected:?} (outcomes: {moved}): {}",
        shown(after)
    );
    let started = new.iter().find(|row| row.to == TaskState::InProgress).map(|row| row.id);
    ensure!(progress.started == started, "the row that begins a task is told", "{progress:?}");
    let settled = (!after.current.state.is_open()).then_some(after.current.state);
    ensure!(
        progress.settled.map(|settled| settled.state) == settled,
        "a settled task is told to be",
        "{progress:?}"
    );
    let by = new.last().filter(|row| !row.to.is_open()).map(|row| row.id);
    ensure!(
        progress.settled.and_then(|settled| settled.by) == by,
        "the row that settles a task is told",
        "{progress:?}"
    );
    if let Some(due) = progress.next_wake {
        ensure!(
            after.wake.map(|(due, _)| due) == Some(due),
            "the wake that is told is the task's",
            "{progress:?}"
        );
    } else if let Some((due, generation)) = after.wake {
        ensure!(before.wake == Some((due, generation)), "a wake that is written is told", "{progress:?}");
    }
    Ok(())
}

/// A task of a worker's call, for messages.
impl Change {
    pub(super) fn task(&self) -> &TaskRecord {
        &self.after
    }
}
