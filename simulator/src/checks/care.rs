//! Signs of life and what is done for others: beats, rescues, due wakes, and the sweep.

use std::collections::{BTreeMap, BTreeSet};

use tasker_engine::{
    Beat, Due, HandedBack, Rescue, Rescued, StepState, Swept, TaskId, TaskRecord, Timestamp, Token,
    WORKER_LOST, Wake,
};

use super::{Change, Check, Checker, claim_of, ensure};

impl Checker {
    pub(super) fn beaten(&mut self, beat: &Beat, handed_back: &[HandedBack], now: Timestamp) -> Check {
        let last = self.beats.entry(beat.worker).or_insert(beat.now);
        *last = beat.now.max(*last);
        let unheld = |token: Token, worker, at| {
            worker == beat.worker && at < beat.hand_back_before && !beat.held.contains(&token)
        };
        let expected = self.claims_where(unheld);
        let found: BTreeSet<Token> = handed_back.iter().map(|claim| claim.token).collect();
        ensure!(
            expected.keys().copied().eq(found.iter().copied()),
            "a beat hands back the old claims that it does not name, and no others",
            "{found:?} instead of {expected:?}"
        );
        for task in expected.values().copied().collect::<BTreeSet<_>>() {
            let change = self.look(task, "a beat hands back a claim of it")?;
            self.only_these_ended(&change, &found, StepState::Pending)?;
            self.can_go_on(&change.after, now)?;
        }
        Ok(())
    }

    pub(super) fn rescued(&mut self, rescue: Rescue, rescued: &[Rescued], now: Timestamp) -> Check {
        let beats = &self.beats;
        let is_lost = |_, worker, at| {
            at < rescue.lost_before && beats.get(&worker).is_none_or(|last| *last < rescue.lost_before)
        };
        let lost = self.claims_where(is_lost);
        let found: BTreeSet<Token> = rescued.iter().map(|one| one.token).collect();
        ensure!(
            found.iter().all(|token| lost.contains_key(token)) && found.len() == lost.len().min(rescue.limit),
            "the claims of lost workers are rescued, and no others",
            "{found:?} of {lost:?}"
        );
        for task in rescued.iter().map(|one| one.task).collect::<BTreeSet<_>>() {
            let change = self.look(task, "a step of it is rescued")?;
            self.only_these_ended(&change, &found, StepState::Error)?;
            self.can_go_on(&change.after, now)?;
        }
        Ok(())
    }

    /// Each claim of those ended with one row, which names no claim: nothing was recorded under it.
    fn only_these_ended(&self, change: &Change, ended: &BTreeSet<Token>, to: StepState) -> Check {
        let (before, after) = (&change.before, &change.after);
        ensure!(before.history.len() == after.history.len(), "whoever takes care moves no task", "{after:?}");
        ensure!(before.steps.len() == after.steps.len(), "whoever takes care adds no step", "{after:?}");
        for (before, after) in before.steps.iter().zip(&after.steps) {
            let new = &after.history[before.history.len()..];
            let was_ended = claim_of(before).is_some_and(|(token, ..)| ended.contains(&token));
            let is_right = match new {
                [] => !was_ended,
                [row] => {
                    let class = row.metadata.get("error_class").and_then(serde_json::Value::as_str);
                    was_ended
                        && row.to == to
                        && row.metadata.get("claim").is_none()
                        && (class == Some(WORKER_LOST)) == (to == StepState::Error)
                }
                _ => false,
            };
            ensure!(
                is_right,
                "whoever takes care ends the claims that it tells of",
                "{}: {new:?}",
                after.name
            );
        }
        Ok(())
    }

    fn claims_where(
        &self,
        wanted: impl Fn(Token, tasker_engine::WorkerId, Timestamp) -> bool,
    ) -> BTreeMap<Token, TaskId> {
        let steps = self.tasks().flat_map(|task| task.steps.iter().map(|step| (task.id, step)));
        let claims = steps.filter_map(|(task, step)| Some((task, claim_of(step)?)));
        claims
            .filter(|(_, (token, worker, at))| wanted(*token, *worker, *at))
            .map(|(task, (token, ..))| (token, task))
            .collect()
    }

    pub(super) fn due(&self, now: Timestamp, limit: usize, told: &Due) -> Check {
        let wakes = self.tasks().filter_map(|task| {
            let (due, generation) = task.wake?;
            Some(Wake { due, task: task.id, generation })
        });
        let mut wakes: Vec<Wake> = wakes.collect();
        wakes.sort();
        let due = wakes.iter().take(limit).filter(|wake| wake.due <= now).count();
        let next = wakes.get(due).map(|wake| wake.due);
        let is_right = told.wakes == wakes[..due] && told.next == next;
        ensure!(is_right, "all wakes that are due are told, earliest first", "{told:?} of {wakes:?}");
        Ok(())
    }

    pub(super) fn swept(
        &mut self,
        at: Timestamp,
        after: Option<TaskId>,
        limit: usize,
        swept: Swept,
        now: Timestamp,
    ) -> Check {
        let above = |task: &&TaskRecord| after.is_none_or(|after| task.id > after);
        let forgotten = self.tasks().map(|task| &**task).filter(above).filter(|task| is_forgotten(task));
        let forgotten: Vec<TaskId> = forgotten.map(|task| task.id).take(limit).collect();
        ensure!(
            swept.woken == forgotten.len(),
            "the sweep wakes what was forgotten",
            "{swept:?}, but {forgotten:?}"
        );
        for task in forgotten {
            let change = self.look(task, "the sweep wakes it")?;
            ensure!(
                change.after.wake.is_some_and(|(due, _)| due == at),
                "the sweep gives a wake due now",
                "{task}"
            );
            if let Some(seen) = self.tasks.get_mut(&task) {
                seen.forgotten = false;
            }
            self.can_go_on(&change.after, now)?;
        }
        Ok(())
    }
}

/// It can move, and neither a wake nor a running step will bring anybody to look.
fn is_forgotten(task: &TaskRecord) -> bool {
    let runs = task.steps.iter().any(|step| step.current.state == StepState::InProgress);
    task.current.state.is_open() && !task.is_paused() && task.wake.is_none() && !runs
}
