//! What goes to the storage: batches, repeated until they are answered.

use std::panic::resume_unwind;
use std::sync::Arc;

use super::{Awaited, Batch, FOR_OTHERS, RunLoop, STORAGE_RETRY};
use crate::engine::{Shared, Unserved};
use crate::inbox::Finished;
use crate::telling::Telling;
use crate::{
    Advance, Clock, EngineError, EngineTypes, HandlerRoom, Outcome, OutcomeKind, Progress, Room, Storage,
    StorageError, TaskId,
};

/// What the storage answered to one call.
type Answer = Result<Vec<Progress>, StorageError>;

impl<T: EngineTypes> RunLoop<T> {
    pub(super) async fn advance(&mut self) {
        let mut parked = vec![];
        if self.room() > 0 {
            parked = self.get_to_know_wanted().await;
        }
        let batch = self.next_batch();
        Telling::taken_up(&self.shared, &batch.wanted);
        self.send(batch).await;
        if !parked.is_empty() {
            // Nobody here has their handlers: the storage parks their wakes, by a delay that grows.
            let room = Room { handlers: HandlerRoom::Only(Default::default()), ..Room::of(1) };
            self.send(Batch { outcomes: vec![], wanted: parked, room }).await;
        }
        self.finish_stopping();
    }

    /// Loads the wanted tasks that are not known, and answers those that cannot be run here.
    pub(super) async fn get_to_know_wanted(&mut self) -> Vec<TaskId> {
        let unknown: Vec<_> = {
            let known = self.shared.known();
            self.wanted.iter().copied().filter(|task| !known.has(*task)).collect()
        };
        if unknown.is_empty() {
            return vec![];
        }
        let unserved = match self.shared.learn_tasks(&unknown).await {
            Ok(unserved) => unserved,
            Err(error) if error.is_transient() => {
                self.load_later(&unknown, &error);
                return vec![];
            }
            Err(_) => self.get_to_know_each(&unknown).await,
        };
        self.heard();
        for Unserved { task, .. } in &unserved {
            self.wanted.remove(task);
        }
        let (nobodys, others): (Vec<_>, Vec<_>) =
            unserved.into_iter().partition(|unserved| self.nobody_takes(unserved.task));
        // What the queue would hand out here again at once stays hidden for a while.
        let others = others.iter().filter(|other| other.is_noted).map(|other| other.task);
        self.give_back(others.collect());
        nobodys.into_iter().map(|nobodys| nobodys.task).collect()
    }

    /// The same one by one, so that a task that cannot be read stops nobody but those who wait for it. Rare.
    async fn get_to_know_each(&mut self, tasks: &[TaskId]) -> Vec<Unserved> {
        let mut unserved = vec![];
        for task in tasks {
            match self.shared.learn_tasks(std::slice::from_ref(task)).await {
                Ok(itself) => unserved.extend(itself),
                Err(error) if error.is_transient() => self.load_later(std::slice::from_ref(task), &error),
                Err(error) => {
                    let source: &dyn std::error::Error = &error;
                    tracing::error!(error = source, task = task.0, "a task cannot be read");
                    Telling::unclear(&self.shared, *task, &format!("{error}"));
                    self.fail_waiters(*task, &EngineError::from(error));
                    unserved.push(Unserved { task: *task, is_noted: false });
                }
            }
        }
        unserved
    }

    fn load_later(&mut self, tasks: &[TaskId], error: &StorageError) {
        tracing::warn!(error = error as &dyn std::error::Error, "the storage did not load tasks");
        let later = self.try_again_at();
        for task in tasks {
            self.wanted.remove(task);
            self.timers.insert((later, *task));
        }
    }

    /// Whether a task that cannot be run here is taken to be nobody's, and parked. On a storage that others share they
    /// are given the time to look first, also by those who wait for the task to settle; a pass is answered at once.
    fn nobody_takes(&mut self, task: TaskId) -> bool {
        let waiters = self.waiting.get(&task).into_iter().flatten();
        let is_pass = waiters.into_iter().any(|waiter| matches!(waiter.what, Awaited::Pass { .. }));
        let Some(poll) = self.shared.settings.poll.filter(|_| !is_pass) else { return true };
        let now = self.shared.clock.now();
        let until = *self.for_others.entry(task).or_insert(now + poll + FOR_OTHERS);
        if until <= now {
            self.for_others.remove(&task);
        } else {
            self.timers.insert((until, task));
        }
        until <= now
    }

    /// As much as one call may hold. Outcomes of tasks that nobody wants any more claim nothing, so they go apart.
    pub(super) fn next_batch(&mut self) -> Batch {
        let settings = &self.shared.settings;
        let serving = self.serving > 0;
        let wanted_here = |outcome: &Outcome| serving || self.waiting.contains_key(&outcome.task);
        let claims = self.finished.first().is_none_or(|finished| wanted_here(&finished.outcome));
        let mut bytes = 0;
        let mut outcomes = vec![];
        let mut left = vec![];
        for finished in std::mem::take(&mut self.finished) {
            bytes += finished.bytes;
            let fits = outcomes.len() < settings.batch_outcomes
                && (outcomes.is_empty() || bytes <= settings.batch_bytes);
            if fits && wanted_here(&finished.outcome) == claims {
                self.telling.keep(finished.outcome.token, finished.published);
                outcomes.push(finished.outcome);
            } else {
                left.push(finished);
            }
        }
        self.finished = left;
        let per_task = settings.max_concurrent_steps_limit;
        let room = if claims { self.room() } else { 0 };
        let places = self.places_for_wanted(room, outcomes.len());
        let wanted = self.take_wanted(places);
        Batch { outcomes, wanted, room: Room { total: room, per_task, handlers: self.rooms.left() } }
    }

    fn take_wanted(&mut self, places: usize) -> Vec<TaskId> {
        let known = self.shared.known();
        self.wanted.take(places, |task| known.namespace(task))
    }

    /// How many wanted tasks are looked at, so that there is a place for each: of the places that have just become free,
    /// half are left to the tasks whose steps had them. So tasks that go on and tasks that wait have their share.
    fn places_for_wanted(&mut self, room: usize, ended: usize) -> usize {
        let ended = ended.min(room);
        if ended % 2 == 1 {
            self.larger_half = !self.larger_half;
        }
        room - ended + (ended + usize::from(self.larger_half)) / 2
    }

    /// One wave, in one call or in a few at the same time, each repeated until the storage answers. What the storage
    /// refuses for good is cut in halves, so that one odd outcome does not stop the others.
    pub(super) async fn send(&mut self, batch: Batch) {
        if batch.outcomes.is_empty() && batch.wanted.is_empty() {
            return;
        }
        self.sending = batch.outcomes.iter().map(|outcome| outcome.token).collect();
        self.telling.begins(self.shared.clock.now());
        let batches = batch.dealt(self.shared.settings.calls_at_once.unwrap_or(1));
        let answers = ask_at_once(&self.shared, &batches).await;
        let mut answered: Vec<_> = batches.into_iter().zip(answers).collect();
        // What was claimed begins before anything is asked again.
        answered.sort_by_key(|(_, answer)| answer.is_err());
        for (batch, answer) in answered {
            let mut smaller = self.take_answer(batch, answer).await;
            while let Some(batch) = smaller.pop() {
                let answer = ask(&self.shared, &batch).await;
                smaller.extend(self.take_answer(batch, answer).await);
            }
        }
        // Whoever stops does not wait for what was refused.
        for token in std::mem::take(&mut self.sending) {
            for stopping in &mut self.stopping {
                stopping.tokens.remove(&token);
            }
        }
    }

    /// Goes on from what the storage answered to a call, which is repeated as long as it is away. Answers what is to be
    /// sent in its place if it was refused.
    ///
    /// It is repeated also when nobody waits any more: whoever dropped an outcome and went on to beat would hand back a
    /// claim whose handler had run.
    async fn take_answer(&mut self, batch: Batch, mut answer: Answer) -> Vec<Batch> {
        while let Err(error) = &answer
            && error.is_transient()
        {
            self.wait_for_the_storage(error).await;
            self.let_go(batch.outcomes.len());
            answer = ask(&self.shared, &batch).await;
        }
        match answer {
            Ok(progress) => {
                self.heard();
                self.take_progress(&batch, progress).await;
                self.acknowledge(&batch.wanted);
                vec![]
            }
            Err(error) => self.smaller(batch, error),
        }
    }

    async fn wait_for_the_storage(&mut self, error: &StorageError) {
        tracing::warn!(error = error as &dyn std::error::Error, "the storage is not available; trying again");
        let interval = self.shared.settings.heartbeat_interval;
        self.beat_until = self.shared.clock.now() + 3 * interval;
        self.beat_at = self.beat_at.or(Some(self.shared.clock.now() + interval));
        let until = self.try_again_at();
        let sleep = self.shared.clock.sleep_until(until);
        drop(self.busy.take());
        self.busy = Some(sleep.await);
        self.read_messages();
    }

    pub(super) fn smaller(&mut self, mut batch: Batch, error: StorageError) -> Vec<Batch> {
        if batch.outcomes.len() + batch.wanted.len() > 1 {
            let outcomes = batch.outcomes.split_off(batch.outcomes.len() / 2);
            let wanted = batch.wanted.split_off(batch.wanted.len() / 2);
            // One outcome and one task would be cut into themselves and nothing.
            let (first, second) = if batch.outcomes.is_empty() && batch.wanted.is_empty() {
                (
                    Batch { outcomes, wanted: vec![], room: batch.room.clone() },
                    Batch { outcomes: vec![], wanted, room: batch.room },
                )
            } else {
                let room = batch.room.clone();
                (batch, Batch { outcomes, wanted, room })
            };
            return vec![second, first];
        }
        if let Some(outcome) = batch.outcomes.first_mut() {
            let tried = matches!(&outcome.kind, OutcomeKind::Failed { error, .. } if error.class == crate::NOT_RECORDABLE);
            if !tried {
                outcome.fail_as_not_recordable(&error.to_string());
                return vec![batch];
            }
        }
        let task = batch.outcomes.first().map(|outcome| outcome.task).or(batch.wanted.first().copied());
        tracing::error!(error = &error as &dyn std::error::Error, ?task, "the storage refused for good");
        if let Some(task) = task {
            self.fail_waiters(task, &EngineError::from(error));
        }
        // It is sent again now and then: its handler ran, so its claim is not given back.
        let again_at = self.shared.clock.now() + STORAGE_RETRY.1;
        let refused = batch
            .outcomes
            .into_iter()
            .map(|outcome| (again_at, Finished { outcome, bytes: 0, published: vec![] }));
        self.refused.extend(refused);
        vec![]
    }
}

async fn ask<T: EngineTypes>(shared: &Arc<Shared<T>>, batch: &Batch) -> Answer {
    let call = Advance {
        worker: shared.settings.worker,
        now: shared.clock.now(),
        outcomes: batch.outcomes.clone(),
        wanted: batch.wanted.clone(),
        room: batch.room.clone(),
    };
    shared.storage.advance(call).await
}

/// Makes all calls at the same time: the last here, the others in tasks of the runtime.
async fn ask_at_once<T: EngineTypes>(shared: &Arc<Shared<T>>, batches: &[Batch]) -> Vec<Answer> {
    let Some((last, others)) = batches.split_last() else { return vec![] };
    let beside = |batch: &Batch| {
        let (shared, batch) = (Arc::clone(shared), batch.clone());
        tokio::spawn(async move { ask(&shared, &batch).await })
    };
    let others: Vec<_> = others.iter().map(beside).collect();
    let last = ask(shared, last).await;
    let mut answers = Vec::with_capacity(batches.len());
    for other in others {
        // Nobody aborts it.
        answers.push(other.await.unwrap_or_else(|error| resume_unwind(error.into_panic())));
    }
    answers.push(last);
    answers
}
