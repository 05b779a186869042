//! The loop that moves tasks: one task of the runtime for each engine, alive while there is work or somebody waits.
//!
//! It gathers what finished while its last call was under way and sends that in the next one (a natural group commit,
//! without a timer), starts what it was given, and tells whoever waits.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::attempt::Attempt;
use crate::clock::CallClock;
use crate::engine::Shared;
use crate::handler::Spawning;
use crate::inbox::{Finished, Message, Watched};
use crate::known::KnownTask;
use crate::{
    Advance, Beat, Busy, Call, Claim, Clock, Due, DynClock, EngineError, EngineTypes, ErrorReport, Event,
    EventName, EventSink, Handled, HandlerRoom, Outcome, OutcomeKind, Progress, Recording, Rescue,
    RetryAdvice, Room, Settled, StepId, Storage, StorageError, TaskId, TaskState, Timestamp, Token,
    TransitionId, WORKER_SHUTDOWN, Wake, payload,
};

/// How many wakes are asked for at a time.
const DUE_PAGE: usize = 200;
/// How many steps are rescued, and how many tasks woken, at a time.
const CARE_PAGE: usize = 500;
/// The waits after a storage that is not available: the first, and the longest.
const STORAGE_RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));

pub(crate) struct RunLoop<T: EngineTypes> {
    shared: Arc<Shared<T>>,
    /// Held while the loop works, given up while it waits; `None` only in between.
    busy: Option<Busy>,
    /// What has ended and is not recorded.
    finished: Vec<Finished>,
    running: HashMap<Token, Running>,
    /// How many attempts of a task run here.
    running_of: HashMap<TaskId, usize>,
    waiting: HashMap<TaskId, Vec<Waiter>>,
    /// Tasks to be looked at in the next call.
    wanted: BTreeSet<TaskId>,
    /// Tasks to be looked at later.
    timers: BTreeSet<(Timestamp, TaskId)>,
    /// How many workers serve every task.
    serving: usize,
    /// When the storage is asked for due wakes; only while serving.
    ask_at: Option<Timestamp>,
    stopping: Vec<Stopping>,
    /// When it looks next for lost workers and forgotten tasks; only where others share the storage.
    care_at: Option<Timestamp>,
    /// When the next sign of life is due; `None` while there is nothing to keep alive.
    beat_at: Option<Timestamp>,
    /// Until then it beats even without claims: a reply may have been lost that told of some, and only a beat that does
    /// not name them hands them back.
    beat_until: Timestamp,
    attempts: u64,
}

struct Running {
    task: TaskId,
    step: StepId,
    attempt: u32,
    abort: AbortHandle,
}

/// Who waits for a task.
struct Waiter {
    id: u64,
    what: Awaited,
}

enum Awaited {
    Settled(oneshot::Sender<Result<Watched, EngineError>>),
    Pass { until: Timestamp, handled: oneshot::Sender<Result<Handled, EngineError>> },
}

/// A worker that stops, until what it ran has ended.
struct Stopping {
    tokens: HashSet<Token>,
    until: Timestamp,
    done: Option<oneshot::Sender<()>>,
}

/// What one call is about.
struct Batch {
    outcomes: Vec<Outcome>,
    wanted: Vec<TaskId>,
    room: Room,
}

impl<T: EngineTypes> RunLoop<T> {
    pub(crate) fn new(shared: Arc<Shared<T>>, busy: Busy) -> Self {
        Self {
            shared,
            busy: Some(busy),
            finished: vec![],
            running: HashMap::new(),
            running_of: HashMap::new(),
            waiting: HashMap::new(),
            wanted: BTreeSet::new(),
            timers: BTreeSet::new(),
            serving: 0,
            ask_at: None,
            stopping: vec![],
            care_at: None,
            beat_at: None,
            beat_until: Timestamp::EPOCH,
            attempts: 0,
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            self.read_messages();
            self.look_at_the_clock();
            if self.beat_at.is_some_and(|at| at <= self.shared.clock.now()) {
                self.beat().await;
            } else if self.care_at.is_some_and(|at| at <= self.shared.clock.now()) {
                self.take_care().await;
            } else if !self.finished.is_empty() || (!self.wanted.is_empty() && self.room() > 0) {
                self.advance().await;
            } else if self.ask_at.is_some_and(|at| at <= self.shared.clock.now()) && self.room() > 0 {
                self.ask_for_due().await;
            } else {
                self.rest();
                if self.has_nothing_to_wait_for() && self.shared.inbox.close() {
                    return;
                }
                self.wait().await;
            }
        }
    }

    fn read_messages(&mut self) {
        for message in self.shared.inbox.take() {
            match message {
                Message::Finished(finished) => self.ended(finished),
                Message::Watch { task, id, settled } => self.await_task(task, id, Awaited::Settled(settled)),
                Message::Pass { task, id, until, handled } => {
                    self.await_task(task, id, Awaited::Pass { until, handled });
                }
                Message::Forget { task, id } => self.forget(task, id),
                Message::Look(task) => {
                    self.wanted.insert(task);
                }
                Message::Hints(wakes) => self.take_hints(&wakes),
                Message::Serve => {
                    self.serving += 1;
                    self.ask_at = Some(self.shared.clock.now());
                    self.care_from_now_on();
                }
                Message::Stop { grace, done } => self.stop(grace, done),
            }
        }
    }

    /// An attempt that was cut off before has been answered for already.
    fn ended(&mut self, finished: Finished) {
        if self.remove_running(finished.outcome.token).is_some() {
            self.finished.push(finished);
        }
    }

    fn remove_running(&mut self, token: Token) -> Option<Running> {
        let running = self.running.remove(&token)?;
        if let Some(count) = self.running_of.get_mut(&running.task) {
            *count -= 1;
            if *count == 0 {
                self.running_of.remove(&running.task);
            }
        }
        Some(running)
    }

    fn await_task(&mut self, task: TaskId, id: u64, what: Awaited) {
        self.waiting.entry(task).or_default().push(Waiter { id, what });
        self.wanted.insert(task);
        self.care_from_now_on();
    }

    /// Where others share the storage, whoever wants tasks to go on also looks after what others left behind.
    fn care_from_now_on(&mut self) {
        if self.care_at.is_none() && self.shared.settings.poll.is_some() {
            self.care_at = Some(self.shared.clock.now() + self.shared.settings.worker_lost_after);
        }
    }

    fn forget(&mut self, task: TaskId, id: u64) {
        if let Some(waiters) = self.waiting.get_mut(&task) {
            waiters.retain(|waiter| waiter.id != id);
            if waiters.is_empty() {
                self.waiting.remove(&task);
            }
        }
        if !self.is_wanted(task) {
            self.wanted.remove(&task);
            self.timers.retain(|(_, other)| *other != task);
        }
    }

    /// Whether anybody here wants the task to go on.
    fn is_wanted(&self, task: TaskId) -> bool {
        self.serving > 0 || self.waiting.contains_key(&task)
    }

    fn take_hints(&mut self, wakes: &[Wake]) {
        let now = self.shared.clock.now();
        for wake in wakes.iter().filter(|wake| self.is_wanted(wake.task)).collect::<Vec<_>>() {
            if wake.due <= now {
                self.wanted.insert(wake.task);
            } else {
                self.timers.insert((wake.due, wake.task));
            }
        }
    }

    fn stop(&mut self, grace: Duration, done: oneshot::Sender<()>) {
        self.serving = self.serving.saturating_sub(1);
        let mut tokens = HashSet::new();
        if self.serving == 0 {
            self.ask_at = None;
            let own = self.running.iter().filter(|(_, running)| !self.waiting.contains_key(&running.task));
            tokens.extend(own.map(|(token, _)| *token));
            let waiting = &self.waiting;
            self.wanted.retain(|task| waiting.contains_key(task));
            self.timers.retain(|(_, task)| waiting.contains_key(task));
            tokens.extend(self.finished.iter().map(|finished| finished.outcome.token));
        }
        let until = self.shared.clock.now() + grace;
        self.stopping.push(Stopping { tokens, until, done: Some(done) });
        self.finish_stopping();
    }

    fn finish_stopping(&mut self) {
        for stopping in &mut self.stopping {
            if stopping.tokens.is_empty()
                && let Some(done) = stopping.done.take()
            {
                // Whoever asked may not wait for the answer.
                let _ = done.send(());
            }
        }
        self.stopping.retain(|stopping| stopping.done.is_some());
    }

    /// Timers that are due, passes whose budget is over, stops whose grace is over.
    fn look_at_the_clock(&mut self) {
        if self.timers.is_empty() && self.waiting.is_empty() && self.stopping.is_empty() {
            return;
        }
        let now = self.shared.clock.now();
        while let Some((due, task)) = self.timers.first().copied().filter(|(due, _)| *due <= now) {
            self.timers.remove(&(due, task));
            self.wanted.insert(task);
        }
        self.end_passes(now);
        self.cut_off(now);
    }

    fn end_passes(&mut self, now: Timestamp) {
        let over = |waiter: &Waiter| matches!(&waiter.what, Awaited::Pass { until, .. } if *until <= now);
        let tasks: Vec<_> = self
            .waiting
            .iter()
            .filter(|(_, waiters)| waiters.iter().any(over))
            .map(|(task, _)| *task)
            .collect();
        for task in tasks {
            self.answer_passes(task, Handled::RunAgain, Some(now));
        }
    }

    /// Answers the passes over a task whose budget ends by then.
    fn answer_passes(&mut self, task: TaskId, answer: Handled, ending_by: Option<Timestamp>) {
        let Some(waiters) = self.waiting.remove(&task) else { return };
        let mut left = vec![];
        for waiter in waiters {
            match waiter.what {
                Awaited::Pass { until, handled } if ending_by.is_none_or(|end| until <= end) => {
                    // Whoever asked may have gone.
                    let _ = handled.send(Ok(answer));
                }
                what => left.push(Waiter { id: waiter.id, what }),
            }
        }
        if !left.is_empty() {
            self.waiting.insert(task, left);
        }
    }

    fn cut_off(&mut self, now: Timestamp) {
        let late: Vec<Token> = self
            .stopping
            .iter()
            .filter(|stopping| stopping.until <= now)
            .flat_map(|stopping| stopping.tokens.iter().copied())
            .collect();
        for token in late {
            let Some(running) = self.remove_running(token) else { continue };
            running.abort.abort();
            let message = "the worker stopped before the step had ended".to_owned();
            let error = ErrorReport { class: WORKER_SHUTDOWN.into(), message, code: None };
            let Running { task, step, attempt, .. } = running;
            let kind = OutcomeKind::Failed { error, retry: RetryAdvice::Default };
            let outcome =
                Outcome { task, step, token, attempt, duration: Duration::ZERO, kind, spawned: vec![] };
            self.finished.push(Finished { outcome, bytes: 0 });
        }
    }

    fn room(&self) -> usize {
        self.shared.settings.concurrency.saturating_sub(self.running.len())
    }

    fn has_nothing_to_wait_for(&self) -> bool {
        self.beat_at.is_none()
            && self.serving == 0
            && self.running.is_empty()
            && self.waiting.is_empty()
            && self.stopping.is_empty()
    }

    /// Until a message comes or the next moment of interest.
    async fn wait(&mut self) {
        let clock = Arc::clone(&self.shared.clock);
        let passes = self.waiting.values().flatten().filter_map(|waiter| match waiter.what {
            Awaited::Pass { until, .. } => Some(until),
            Awaited::Settled(_) => None,
        });
        let stops = self.stopping.iter().map(|stopping| stopping.until);
        let has_room = self.room() > 0;
        let timer =
            self.timers.first().map(|(due, _)| *due).into_iter().chain(self.ask_at).filter(|_| has_room);
        let next = timer.chain(passes).chain(stops).chain(self.beat_at).chain(self.care_at).min();
        let busy = self.busy.take().unwrap_or_else(|| clock.busy());
        // The clock knows its sleeper before the guard is given up.
        let sleep = next.map(|moment| clock.sleep_until(moment));
        let park = self.shared.inbox.park(busy);
        let busy = match sleep {
            None => park.await,
            Some(sleep) => tokio::select! {
                biased;
                busy = park => busy,
                busy = sleep => busy,
            },
        };
        self.busy = Some(busy);
    }

    /// Whoever holds nothing need not tell that he lives.
    fn rest(&mut self) {
        if self.serving == 0 && self.waiting.is_empty() {
            self.care_at = None;
        }
        if self.running.is_empty() && self.beat_at.is_some() && self.shared.clock.now() >= self.beat_until {
            self.beat_at = None;
        }
    }

    /// Tells that this worker lives, and what it holds.
    async fn beat(&mut self) {
        let now = self.shared.clock.now();
        let interval = self.shared.settings.heartbeat_interval;
        let held =
            self.running.keys().copied().chain(self.finished.iter().map(|finished| finished.outcome.token));
        let beat = Beat {
            worker: self.shared.settings.worker,
            label: self.shared.settings.label.clone(),
            held: held.collect(),
            hand_back_before: now - interval,
            now,
        };
        match self.shared.storage.beat(beat).await {
            Ok(handed_back) if !handed_back.is_empty() => {
                tracing::info!(claims = handed_back.len(), "handed back claims whose reply was lost");
                self.wanted.extend(self.waiting.keys());
                self.ask_at = self.ask_at.map(|_| now);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the storage did not take a sign of life"
                );
                self.beat_until = self.beat_until.max(now + 3 * interval);
            }
        }
        let goes_on = !self.running.is_empty() || now < self.beat_until;
        self.beat_at = goes_on.then(|| now + interval);
    }

    /// Takes steps from workers that stopped beating, and wakes tasks that can move and have no wake.
    async fn take_care(&mut self) {
        let now = self.shared.clock.now();
        let lost_after = self.shared.settings.worker_lost_after;
        self.care_at = Some(now + lost_after / 2);
        match self.care(now, now - lost_after).await {
            Ok(true) => {
                self.wanted.extend(self.waiting.keys());
                self.ask_at = self.ask_at.map(|_| now);
            }
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the storage was not looked after");
            }
        }
    }

    /// Answers whether anything was found.
    async fn care(&self, now: Timestamp, lost_before: Timestamp) -> Result<bool, StorageError> {
        let storage = &self.shared.storage;
        let rescued = storage.rescue(Rescue { lost_before, limit: CARE_PAGE, now }).await?;
        if !rescued.is_empty() {
            tracing::warn!(steps = rescued.len(), "took steps from workers that stopped beating");
        }
        let mut woken = 0;
        let mut after = None;
        loop {
            let swept = storage.sweep(now, after, CARE_PAGE).await?;
            woken += swept.woken;
            after = swept.next;
            if after.is_none() {
                return Ok(woken + rescued.len() > 0);
            }
        }
    }

    /// Asks the storage for what other processes, or an earlier life of this one, left to do.
    async fn ask_for_due(&mut self) {
        let now = self.shared.clock.now();
        match self.shared.storage.due(now, DUE_PAGE).await {
            Ok(Due { wakes, next }) => {
                let full = wakes.len() == DUE_PAGE;
                self.wanted.extend(wakes.into_iter().map(|wake| wake.task));
                let poll = self.shared.settings.poll.map(|interval| now + interval);
                self.ask_at = if full { Some(now) } else { next.into_iter().chain(poll).min() };
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the storage did not tell what is due"
                );
                self.ask_at = Some(now + STORAGE_RETRY.1);
            }
        }
    }

    async fn advance(&mut self) {
        let mut parked = vec![];
        if self.room() > 0 {
            parked = self.get_to_know_wanted().await;
        }
        let batch = self.next_batch();
        self.send(batch).await;
        if !parked.is_empty() {
            // Nobody here has their handlers: the storage parks their wakes, by a delay that grows.
            let room = Room { handlers: HandlerRoom::Only(Default::default()), ..Room::of(1) };
            self.send(Batch { outcomes: vec![], wanted: parked, room }).await;
        }
        self.finish_stopping();
    }

    /// Loads the wanted tasks that are not known, and answers those that cannot be run here.
    async fn get_to_know_wanted(&mut self) -> Vec<TaskId> {
        let unknown: Vec<_> = {
            let known = self.shared.known();
            self.wanted.iter().copied().filter(|task| !known.has(*task)).collect()
        };
        if unknown.is_empty() {
            return vec![];
        }
        match self.shared.learn_tasks(&unknown).await {
            Ok(unserved) => {
                for task in &unserved {
                    self.wanted.remove(task);
                }
                unserved
            }
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "the storage did not load tasks");
                let later = self.shared.clock.now() + STORAGE_RETRY.1;
                for task in unknown {
                    self.wanted.remove(&task);
                    self.timers.insert((later, task));
                }
                vec![]
            }
        }
    }

    /// As much as one call may hold. Outcomes of tasks that nobody wants any more claim nothing, so they go apart.
    fn next_batch(&mut self) -> Batch {
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
                outcomes.push(finished.outcome);
            } else {
                left.push(finished);
            }
        }
        self.finished = left;
        let room = if claims { self.room() } else { 0 };
        let wanted = if room > 0 { std::mem::take(&mut self.wanted).into_iter().collect() } else { vec![] };
        let per_task = settings.max_concurrent_steps_limit;
        Batch { outcomes, wanted, room: Room { total: room, per_task, handlers: HandlerRoom::Every } }
    }

    /// One call, repeated until the storage answers. What the storage refuses for good is cut in halves, so that one
    /// odd outcome does not stop the others.
    async fn send(&mut self, batch: Batch) {
        let mut batches = vec![batch];
        while let Some(batch) = batches.pop() {
            if batch.outcomes.is_empty() && batch.wanted.is_empty() {
                continue;
            }
            match self.call(&batch).await {
                Ok(progress) => self.take_progress(&batch, progress).await,
                Err(error) if error.is_transient() => {
                    tracing::error!(
                        outcomes = batch.outcomes.len(),
                        "stopped before the storage came back; another worker will be given these steps"
                    );
                    self.stopping.iter_mut().for_each(|stopping| stopping.tokens.clear());
                }
                Err(error) => batches.extend(self.smaller(batch, error)),
            }
        }
    }

    async fn call(&mut self, batch: &Batch) -> Result<Vec<Progress>, StorageError> {
        let mut pause = STORAGE_RETRY.0;
        loop {
            let call = Advance {
                worker: self.shared.settings.worker,
                now: self.shared.clock.now(),
                outcomes: batch.outcomes.clone(),
                wanted: batch.wanted.clone(),
                room: batch.room.clone(),
            };
            match self.shared.storage.advance(call).await {
                Err(error) if error.is_transient() => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the storage is not available; trying again"
                    );
                    let interval = self.shared.settings.heartbeat_interval;
                    self.beat_until = self.shared.clock.now() + 3 * interval;
                    self.beat_at = self.beat_at.or(Some(self.shared.clock.now() + interval));
                    let sleep = self.shared.clock.sleep_until(self.shared.clock.now() + pause);
                    drop(self.busy.take());
                    self.busy = Some(sleep.await);
                    pause = (pause * 2).min(STORAGE_RETRY.1);
                    self.read_messages();
                    if self.gives_up() {
                        return Err(error);
                    }
                }
                answer => return answer,
            }
        }
    }

    /// Whether nobody is left who would wait for the storage: all workers stop, and their grace is over.
    fn gives_up(&self) -> bool {
        let now = self.shared.clock.now();
        let over = |stopping: &Stopping| stopping.until <= now;
        self.serving == 0
            && self.waiting.is_empty()
            && !self.stopping.is_empty()
            && self.stopping.iter().all(over)
    }

    fn smaller(&mut self, mut batch: Batch, error: StorageError) -> Vec<Batch> {
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
        vec![]
    }

    fn fail_waiters(&mut self, task: TaskId, error: &EngineError) {
        for waiter in self.waiting.remove(&task).into_iter().flatten() {
            // Whoever waited may have gone.
            let _ = match waiter.what {
                Awaited::Settled(settled) => settled.send(Err(error.clone())).map_err(drop),
                Awaited::Pass { handled, .. } => handled.send(Err(error.clone())).map_err(drop),
            };
        }
    }

    async fn take_progress(&mut self, batch: &Batch, progress: Vec<Progress>) {
        if self.shared.events.is_listening() {
            self.shared.events.publish(&events(batch, &progress, self.shared.clock.now()));
        }
        let outputs = outputs(batch, &progress);
        self.get_to_know_changed(batch, &progress).await;
        for stopping in &mut self.stopping {
            for outcome in &batch.outcomes {
                stopping.tokens.remove(&outcome.token);
            }
        }
        for task in progress {
            self.take_task_progress(batch, task, &outputs);
        }
    }

    /// Loads again the tasks that got steps which are not known here.
    async fn get_to_know_changed(&self, batch: &Batch, progress: &[Progress]) {
        let spawned =
            batch.outcomes.iter().filter(|outcome| !outcome.spawned.is_empty()).map(|outcome| outcome.task);
        let unknown = progress.iter().filter(|task| {
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

    fn take_task_progress(
        &mut self,
        batch: &Batch,
        progress: Progress,
        outputs: &HashMap<StepId, Arc<Value>>,
    ) {
        let task = progress.task;
        let claimed = !progress.claims.is_empty();
        let known = self.shared.known().get(task);
        // A repeated call is told again what this worker holds: some of that may run here, or have ended unrecorded.
        let repeated = progress.recorded.iter().any(|recorded| recorded.how == Recording::AlreadyRecorded);
        for claim in progress.claims {
            if !(repeated && self.holds(claim.token)) {
                self.start(task, known.as_ref(), claim, outputs);
            }
        }
        if progress.gone {
            self.shared.known().forget(task);
            self.fail_waiters_or_answer_gone(task);
        } else if let Some(settled) = progress.settled {
            self.settled(task, settled, known);
        } else if let Some(due) = progress.next_wake.filter(|_| self.is_wanted(task)) {
            self.timers.insert((due, task));
            if !claimed && !self.running_of.contains_key(&task) {
                let answer =
                    if due <= self.shared.clock.now() { Handled::RunAgain } else { Handled::WakeAt(due) };
                self.answer_passes(task, answer, None);
            }
        } else if !claimed && !self.running_of.contains_key(&task) && self.waiting.contains_key(&task) {
            self.nothing_to_do(batch, task);
        }
    }

    /// A task that somebody waits for, and that nothing is known to move: asked once more in full, then left to others.
    fn nothing_to_do(&mut self, batch: &Batch, task: TaskId) {
        if !batch.wanted.contains(&task) {
            self.wanted.insert(task);
            return;
        }
        self.answer_passes(task, Handled::Waiting, None);
        if let Some(interval) = self.shared.settings.poll.filter(|_| self.waiting.contains_key(&task)) {
            self.timers.insert((self.shared.clock.now() + interval, task));
        }
    }

    fn fail_waiters_or_answer_gone(&mut self, task: TaskId) {
        self.answer_passes(task, Handled::Gone, None);
        self.fail_waiters(task, &EngineError::UnknownTask(task));
    }

    fn settled(&mut self, task: TaskId, settled: Settled, known: Option<Arc<KnownTask>>) {
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
            self.call_hook(task, settled.state, &known);
        }
    }

    fn call_hook(&self, task: TaskId, state: TaskState, known: &KnownTask) {
        let hooks = Arc::clone(known.definition.hooks());
        if !hooks.wants_settled() {
            return;
        }
        let busy = self.shared.clock.busy();
        tokio::spawn(async move {
            if let Err(error) = hooks.settled(task, state).await {
                tracing::error!(task = task.0, error, "the hook of a settled task failed; its state stands");
            }
            drop(busy);
        });
    }

    fn start(
        &mut self,
        task: TaskId,
        known: Option<&Arc<KnownTask>>,
        claim: Claim,
        outputs: &HashMap<StepId, Arc<Value>>,
    ) {
        let parents = known.and_then(|known| known.parents(claim.step, &claim.parents, outputs));
        let runnable = known.and_then(|known| known.runnable(claim.step));
        let (Some(known), Some(runnable), Some(parents)) = (known, runnable, parents) else {
            self.hand_back(task, &claim);
            return;
        };
        let shared = Arc::clone(&self.shared);
        let clock = Arc::clone(&shared.clock) as Arc<dyn DynClock>;
        let clock = Arc::new(CallClock::new(clock, shared.clock.busy()));
        let spawned = Spawning::default();
        let call = Call {
            task,
            step: claim.step,
            name: runnable.name.clone(),
            attempt: claim.attempt,
            context: Arc::clone(runnable.context),
            config: Arc::clone(&runnable.bound.config),
            parents,
            inputs: Arc::clone(&runnable.bound.inputs),
            resources: shared.resources(),
            spawned: Arc::clone(&spawned),
            clock: Arc::clone(&clock),
        };
        self.attempts += 1;
        let attempt = Attempt {
            task,
            bound: Arc::clone(runnable.bound),
            definition: known.definition.clone(),
            spawned,
            clock: Arc::clone(&clock),
            seed: shared.settings.seed.wrapping_add(self.attempts),
            max_backoff: shared.settings.max_backoff,
            claim,
        };
        let Claim { token, step, attempt: number, .. } = attempt.claim;
        let handle = tokio::spawn(async move {
            let finished = attempt.run(call).await;
            shared.post(Message::Finished(finished));
            // Only now may a simulated clock go on: the loop has been told.
            drop(clock);
        });
        self.running.insert(token, Running { task, step, attempt: number, abort: handle.abort_handle() });
        *self.running_of.entry(task).or_default() += 1;
        if self.beat_at.is_none() {
            self.beat_at = Some(self.shared.clock.now() + self.shared.settings.heartbeat_interval);
        }
    }

    fn holds(&self, token: Token) -> bool {
        self.running.contains_key(&token)
            || self.finished.iter().any(|finished| finished.outcome.token == token)
    }

    fn hand_back(&mut self, task: TaskId, claim: &Claim) {
        let Claim { token, step, attempt, .. } = *claim;
        self.shared.known().forget(task);
        let outcome = Outcome {
            task,
            step,
            token,
            attempt,
            duration: Duration::ZERO,
            kind: OutcomeKind::HandBack,
            spawned: vec![],
        };
        self.finished.push(Finished { outcome, bytes: 0 });
    }
}

/// What this very call recorded: the storage does not send it back to the children's claims.
fn outputs(batch: &Batch, progress: &[Progress]) -> HashMap<StepId, Arc<Value>> {
    let counts: HashSet<Token> = progress
        .iter()
        .flat_map(|task| &task.recorded)
        .filter(|recorded| matches!(recorded.how, Recording::Recorded(_) | Recording::AlreadyRecorded))
        .map(|recorded| recorded.token)
        .collect();
    let outputs = batch.outcomes.iter().filter(|outcome| counts.contains(&outcome.token));
    outputs
        .filter_map(|outcome| match &outcome.kind {
            OutcomeKind::Completed(value) => Some((outcome.step, payload::normalised(value))),
            _ => None,
        })
        .collect()
}

/// The facts of one commit, in the order of each task: recorded, claimed, settled.
fn events(batch: &Batch, progress: &[Progress], at: Timestamp) -> Vec<Event> {
    let by_token: HashMap<Token, &Outcome> =
        batch.outcomes.iter().map(|outcome| (outcome.token, outcome)).collect();
    let mut events = vec![];
    for task in progress {
        let mut tell =
            |name, step, transition| events.push(Event { name, task: task.task, step, transition, at });
        for recorded in &task.recorded {
            let Some(outcome) = by_token.get(&recorded.token) else { continue };
            let step = Some(outcome.step);
            match &recorded.how {
                Recording::Recorded(row) => tell(name_of(&outcome.kind), step, Some(*row)),
                Recording::NotRecordable(row, _) => tell(EventName::StepFailed, step, Some(*row)),
                Recording::Stale => tell(EventName::StepOutcomeStale, step, None),
                Recording::AlreadyRecorded => {}
            }
        }
        if let Some(row) = task.started {
            tell(EventName::TaskStartRequested, None, Some(row));
        }
        for claim in &task.claims {
            tell(EventName::StepExecutionRequested, Some(claim.step), Some(TransitionId(claim.token.0)));
        }
        if let Some(Settled { state, by: Some(row) }) = task.settled {
            tell(EventName::of_task(state), None, Some(row));
        }
    }
    events
}

const fn name_of(kind: &OutcomeKind) -> EventName {
    match kind {
        OutcomeKind::Completed(_) => EventName::StepCompleted,
        OutcomeKind::Failed { .. } => EventName::StepFailed,
        OutcomeKind::HandBack | OutcomeKind::Snooze { .. } => EventName::StepInitializeRequested,
    }
}
