//! How a task may stand between two events: somebody has to come back for whatever can move.

use std::time::Duration;

use tasker_engine::decide::{Readiness, Tally, readiness, settlement};
use tasker_engine::{PARKED_MOST, StepState, TaskRecord, Timestamp};

use super::{Check, Checker, Limits, ensure};
use crate::clock::FURTHEST_AHEAD;

/// The steps of a task, judged one by one.
#[derive(Debug, Default)]
pub(super) struct Standing {
    pub(super) tally: Tally,
    pub(super) ready: usize,
    /// When the first of those may run that only wait for a moment.
    pub(super) next: Option<Timestamp>,
}

impl Standing {
    pub(super) fn of(task: &TaskRecord, now: Timestamp) -> Self {
        let mut standing = Self::default();
        let has_children = |step| task.steps.iter().any(|other| other.parents.contains(&step));
        for step in &task.steps {
            let is_leaf = !has_children(step.id);
            standing.tally.total += 1;
            standing.tally.leaves += usize::from(is_leaf);
            match readiness(&step.facts(), task.parents_satisfied(step), now) {
                Readiness::Settled if step.current.state == StepState::Cancelled => {
                    standing.tally.cancelled += 1;
                    standing.tally.cancelled_leaves += usize::from(is_leaf);
                }
                Readiness::Settled => standing.tally.satisfied += 1,
                Readiness::Running => standing.tally.running += 1,
                Readiness::Blocked(_) => standing.tally.blocked += 1,
                Readiness::WaitingForParents => {}
                Readiness::WaitingUntil(moment) => {
                    standing.tally.movable += 1;
                    standing.next = Some(standing.next.map_or(moment, |next| next.min(moment)));
                }
                Readiness::Ready => {
                    standing.tally.movable += 1;
                    standing.ready += 1;
                }
            }
        }
        standing
    }
}

/// How many steps of a task may run at a time.
pub(super) fn limit_of(task: &TaskRecord, limits: Limits) -> Option<usize> {
    let own = (!task.template.concurrent).then_some(1);
    own.into_iter().chain(limits.per_task).min()
}

impl Checker {
    /// After every event, of every task that it touched.
    pub(super) fn can_go_on(&self, task: &TaskRecord, now: Timestamp) -> Check {
        if !task.current.state.is_open() || task.is_paused() {
            return Ok(());
        }
        // Whoever looked at it may be ahead.
        let now = now + FURTHEST_AHEAD;
        let standing = Standing::of(task, now);
        let due = task.wake.map(|(due, _)| due);
        if self.tasks.get(&task.id).is_some_and(|seen| seen.forgotten) {
            return Ok(());
        }
        let no_later = |moment: Timestamp| due.is_some_and(|due| due <= moment);
        if let Some(verdict) = settlement(&standing.tally) {
            ensure!(
                no_later(now),
                "a task with nothing left to do is settled, or woken for it",
                "{verdict:?}: {}",
                shown(task)
            );
            return Ok(());
        }
        let moves = standing.tally.running + standing.tally.movable > 0;
        ensure!(moves, "an open task has a step that can move", "{}", shown(task));
        let is_at_limit = limit_of(task, self.limits).is_some_and(|limit| standing.tally.running >= limit);
        if standing.ready > 0 && !is_at_limit {
            let parked = if self.limits.has_strangers { PARKED_MOST } else { Duration::ZERO };
            ensure!(no_later(now + parked), "a step that is ready has a wake that is due", "{}", shown(task));
        }
        if let Some(next) = standing.next {
            let parked = if self.limits.has_strangers { PARKED_MOST } else { Duration::ZERO };
            ensure!(
                no_later(next + parked),
                "a step that waits has a wake for when it may run",
                "for {next}: {}",
                shown(task)
            );
        }
        Ok(())
    }
}

/// A task in a line, for people.
pub(super) fn shown(task: &TaskRecord) -> String {
    let paused = if task.is_paused() { " (paused)" } else { "" };
    let wake = task.wake.map_or("none".to_owned(), |(due, _)| due.to_string());
    let steps = task.steps.iter().map(|step| {
        let wait = step.facts().not_before.map(|moment| format!(" not before {moment}")).unwrap_or_default();
        format!(
            "{} {} after {:?}: {}, {} of {} attempts{}{wait}",
            step.id,
            step.name,
            step.parents,
            step.current.state,
            step.attempts,
            step.retry_limit,
            if step.retryable { "" } else { ", not retryable" }
        )
    });
    let steps: Vec<_> = steps.collect();
    format!(
        "task {} {}{paused}, wake {wake}\n        {}",
        task.id,
        task.current.state,
        steps.join("\n        ")
    )
}
