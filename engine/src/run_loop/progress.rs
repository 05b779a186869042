//! What the storage answered.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Awaited, Batch, RunLoop};
use crate::hooks::Told;
use crate::ids::{IdMap, IdSet};
use crate::inbox::Watched;
use crate::known::KnownTask;
use crate::telling::Wave;
use crate::{
    Claim, Clock, EngineTypes, Handled, HandlerName, HandlerRoom, Moved, MovedTo, OutcomeKind, Progress,
    Recording, Settled, StepId, StepState, TaskId, TaskState, Timestamp, Token, TransitionId, Wake, payload,
};

impl<T: EngineTypes> RunLoop<T> {
    pub(super) async fn take_progress(&mut self, batch: &Batch, mut progress: Vec<Progress>) {
        progress.iter_mut().for_each(|task| self.forget_what_is_held(task));
        let outputs = outputs(batch, &progress);
        self.get_to_know_changed(batch, &progress).await;
        self.tell(batch, &progress);
        for task in progress {
            self.take_task_progress(batch, task, &outputs);
        }
        self.shared.tell_soon(std::mem::take(&mut self.left));
    }

    fn tell(&mut self, batch: &Batch, progress: &[Progress]) {
        let wave = Wave {
            outcomes: &batch.outcomes,
            wanted: &batch.wanted,
            parks: matches!(&batch.room.handlers, HandlerRoom::Only(rooms) if rooms.is_empty()),
        };
        let running_of = &self.running_of;
        self.telling.wave(&self.shared, &wave, progress, |task| running_of.contains_key(&task));
    }

    /// A repeated call is told again what this worker holds: some of that may run here, or have ended unrecorded, and was
    /// announced when it was told first.
    fn forget_what_is_held(&self, progress: &mut Progress) {
        if progress.recorded.iter().any(|recorded| recorded.how == Recording::AlreadyRecorded) {
            progress.claims.retain(|claim| !self.holds(claim.token));
        }
    }

    /// Loads again the tasks that got steps which are not known here.
    pub(super) async fn get_to_know_changed(&self, batch: &Batch, progress: &[Progress]) {
        let spawned =
            batch.outcomes.iter().filter(|outcome| !outcome.spawned.is_empty()).map(|outcome| outcome.task);
        let unknown = progress.iter().filter(|task| !task.claims.is_empty()).filter(|task| {
            let known = self.shared.known().get(task.task);
            let understood = |claim: &Claim| known.as_ref().is_some_and(|known| known.understands(claim));
            !task.claims.iter().all(understood)
        });
        let tasks: BTreeSet<_> = spawned.chain(unknown.map(|task| task.task)).collect();
        if tasks.is_empty() {
            return;
        }
        let tasks: Vec<_> = tasks.into_iter().collect();
        if let Err(error) = self.shared.learn_tasks(&tasks).await {
            // Their claims are handed back, and the tasks are loaded when they are wanted again.
            tracing::warn!(error = &error as &dyn std::error::Error, "the storage did not load tasks");
            tasks.iter().for_each(|task| self.shared.known().forget(*task));
        }
    }

    pub(super) fn take_task_progress(
        &mut self,
        batch: &Batch,
        progress: Progress,
        outputs: &IdMap<StepId, Arc<Value>>,
    ) {
        let task = progress.task;
        let claimed = !progress.claims.is_empty();
        self.elsewhere.retain(|(_, other)| *other != task);
        let known = self.shared.known().get(task);
        if let Some(known) = known.as_ref().filter(|known| known.definition.hooks().wants_moved()) {
            let moves = moves(batch, &progress, known, self.shared.clock.now());
            self.shared.tell_hooks(task, known.definition.hooks(), Told::Moved(moves));
        }
        for claim in progress.claims {
            self.start(task, known.as_ref(), claim, outputs);
        }
        if progress.gone {
            self.shared.known().forget(task);
            self.fail_waiters_or_answer_gone(task);
        } else if let Some(settled) = progress.settled {
            self.settled(task, settled, known);
        } else if let Some(due) = progress.next_wake {
            self.wakes_at(task, due, claimed, &progress.no_room);
        } else if !claimed && !self.running_of.contains_key(&task) && self.waiting.contains_key(&task) {
            self.nothing_to_do(batch, task);
        }
    }

    /// The storage left a wake: for us, for others, or for both.
    fn wakes_at(&mut self, task: TaskId, due: Timestamp, claimed: bool, no_room: &[HandlerName]) {
        let now = self.shared.clock.now();
        let ours = self.is_wanted(task);
        if self.shared.tells_of_left_over(ours, due <= now) {
            self.left.push(Wake { due, task, generation: 0 });
        }
        if ours {
            if no_room.is_empty() || due > now || self.room() == 0 {
                self.timers.insert((due, task));
            } else {
                no_room.iter().for_each(|handler| self.rooms.wait(handler, task));
            }
            if !claimed && !self.running_of.contains_key(&task) {
                let answer = if due <= now { Handled::RunAgain } else { Handled::WakeAt(due) };
                self.answer_passes(task, answer, None);
            }
        }
    }

    /// A task that somebody waits for, and that nothing is known to move: asked once more in full, then left to others.
    pub(super) fn nothing_to_do(&mut self, batch: &Batch, task: TaskId) {
        if !batch.wanted.contains(&task) {
            self.wanted.insert(task);
            return;
        }
        self.answer_passes(task, Handled::Waiting, None);
        if let Some(interval) = self.shared.settings.poll.filter(|_| self.waiting.contains_key(&task)) {
            self.elsewhere.insert((self.shared.clock.now() + interval, task));
            self.care_from_now_on();
        }
    }

    pub(super) fn settled(&mut self, task: TaskId, settled: Settled, known: Option<Arc<KnownTask>>) {
        if !self.running_of.contains_key(&task) {
            self.shared.known().forget(task);
        }
        if !self.timers.is_empty() {
            self.timers.retain(|(_, other)| *other != task);
        }
        self.answer_passes(task, Handled::Settled(settled.state), None);
        for waiter in self.waiting.remove(&task).into_iter().flatten() {
            if let Awaited::Settled(answer) = waiter.what {
                // Whoever waited may have gone.
                let _ = answer.send(Ok(Watched { state: settled.state, busy: self.shared.clock.busy() }));
            }
        }
        if settled.by.is_some()
            && let Some(known) = known
        {
            self.shared.tell_hooks(task, known.definition.hooks(), Told::Settled(settled.state));
        }
    }
}

/// The moves of one task that one commit made: recorded, begun, claimed, settled.
fn moves(batch: &Batch, progress: &Progress, known: &KnownTask, at: Timestamp) -> Vec<Moved> {
    let task = progress.task;
    let of_task = |state, by| Moved { task, to: MovedTo::Task(state), by, at };
    let recorded = progress.recorded.iter().filter_map(|recorded| {
        let outcome = batch.outcomes.iter().find(|outcome| outcome.token == recorded.token)?;
        let (state, by) = match recorded.how {
            Recording::Recorded(by) => (state_of(&outcome.kind), by),
            Recording::NotRecordable(by, _) => (StepState::Error, by),
            Recording::AlreadyRecorded | Recording::Stale => return None,
        };
        Some(known.moved(task, outcome.step, state, by, at))
    });
    let claimed = progress.claims.iter();
    let claimed = claimed
        .map(|claim| known.moved(task, claim.step, StepState::InProgress, TransitionId(claim.token.0), at));
    let begun = progress.started.map(|by| of_task(TaskState::InProgress, by));
    let settled = progress.settled.and_then(|settled| Some(of_task(settled.state, settled.by?)));
    recorded.chain(begun).chain(claimed).chain(settled).collect()
}

const fn state_of(kind: &OutcomeKind) -> StepState {
    match kind {
        OutcomeKind::Completed(_) => StepState::Complete,
        OutcomeKind::Failed { .. } => StepState::Error,
        OutcomeKind::HandBack | OutcomeKind::Snooze { .. } => StepState::Pending,
    }
}

/// What this very call recorded: the storage does not send it back to the children's claims.
fn outputs(batch: &Batch, progress: &[Progress]) -> IdMap<StepId, Arc<Value>> {
    let recorded = progress.iter().flat_map(|task| &task.recorded);
    // Rare, while all others are many.
    let void: IdSet<Token> = recorded
        .filter(|recorded| matches!(recorded.how, Recording::Stale | Recording::NotRecordable(..)))
        .map(|recorded| recorded.token)
        .collect();
    let mut outputs = IdMap::default();
    outputs.reserve(batch.outcomes.len());
    for outcome in batch.outcomes.iter().filter(|outcome| !void.contains(&outcome.token)) {
        if let OutcomeKind::Completed(value) = &outcome.kind {
            outputs.insert(outcome.step, payload::normalised(value));
        }
    }
    outputs
}
