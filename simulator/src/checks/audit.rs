//! The audit trail: it only grows, and keeps the rules that the conformance suite holds every record to.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;
use tasker_engine::{PhaseMark, StepRecord, StepState, TaskRecord, Transition};
use tasker_storage::conformance::check;

use super::{Check, Violation, ensure};
use crate::panics;

/// What holds of a task at any time.
pub(super) fn keeps_the_rules(task: &TaskRecord) -> Check {
    if catch_unwind(AssertUnwindSafe(|| check::record(task))).is_err() {
        return Err(Violation::new("a record keeps the rules of every record", panics::take()));
    }
    for step in &task.steps {
        let attempts = attempts_by_the_rows(step)?;
        ensure!(
            step.attempts == attempts,
            "the attempts of a step are the claims that stand",
            "{} of task {} has {} attempts, by its rows {attempts}",
            step.name,
            task.id,
            step.attempts
        );
    }
    Ok(())
}

/// Rows that were written stay as they were, and the graph only grows.
pub(super) fn goes_on(before: &TaskRecord, after: &TaskRecord) -> Check {
    only_grows(&before.history, &after.history)?;
    ensure!(before.steps.len() <= after.steps.len(), "no step is ever removed", "of task {}", after.id);
    for (before, after) in before.steps.iter().zip(&after.steps) {
        only_grows(&before.history, &after.history)?;
        let stays =
            before.id == after.id && before.parents.iter().all(|parent| after.parents.contains(parent));
        ensure!(
            stays,
            "steps and edges are never removed",
            "{}: {:?}, {:?}",
            after.name,
            before.parents,
            after.parents
        );
        if before.current.state.is_satisfied() {
            ensure!(before.results == after.results, "results of a satisfied step stay", "of {}", after.name);
            ensure!(before.current.state == after.current.state, "a satisfied step stays", "{}", after.name);
        }
    }
    Ok(())
}

fn only_grows<S: PartialEq + Copy + std::fmt::Debug>(
    before: &[Transition<S>],
    after: &[Transition<S>],
) -> Check {
    let mut pairs = before.iter().zip(after);
    // What a row says may be added to: the late outcome of a fenced attempt is noted there.
    let same = |(a, b): (&Transition<S>, &Transition<S>)| {
        (a.id, a.from, a.to, a.sort_key, a.at) == (b.id, b.from, b.to, b.sort_key, b.at)
    };
    let grows = before.len() <= after.len() && pairs.all(same);
    ensure!(grows, "rows of the audit trail stay as they are", "{before:?}\nbecame {after:?}");
    Ok(())
}

/// Each claim counts, but for those that were handed back or slept; a reset begins anew.
fn attempts_by_the_rows(step: &StepRecord) -> Check<u32> {
    let mut attempts: u32 = 0;
    for row in &step.history {
        match (row.from, row.to) {
            (_, StepState::InProgress) => {
                attempts += 1;
                let told = row.metadata.get("attempt_number").and_then(Value::as_u64);
                ensure!(
                    told == Some(attempts.into()),
                    "a claim tells which attempt it is",
                    "{row:?}, the {attempts}th"
                );
            }
            (Some(StepState::InProgress), StepState::Pending) => attempts -= 1,
            (_, StepState::Pending) if PhaseMark::of(&row.metadata) == Some(PhaseMark::Reset) => attempts = 0,
            _ => {}
        }
    }
    Ok(attempts)
}
