//! The loop that moves tasks: one task of the runtime for each engine, alive while there is work or somebody waits.
//!
//! It gathers what finished while its last call was under way and sends that in the next one (a natural group commit,
//! without a timer), starts what it was given, and tells whoever waits.

mod batch;
mod care;
mod messages;
mod newcomers;
mod progress;
mod rooms;
mod send;
mod start;
mod stop;
mod waiters;
mod wanted;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use crate::engine::Shared;
use crate::ids::{IdMap, IdSet};
use crate::inbox::{Finished, Passed, Watched};
use crate::telling::Telling;
use crate::{Busy, Clock, EngineError, EngineTypes, HandlerName, StepId, TaskId, Timestamp, Token, Wake};
use batch::Batch;
use rooms::Rooms;
use wanted::Wanted;

/// How many wakes are asked for at a time.
const DUE_PAGE: usize = 200;
/// How many steps are rescued, and how many tasks woken, at a time.
const CARE_PAGE: usize = 500;
/// In one of so many rounds of care it looks for tasks that were forgotten: no wake is lost but by a fault.
const SWEEP_EVERY: u32 = 4;
/// For so long a task that cannot be run here is left to others, beyond the time in which all of them look.
const FOR_OTHERS: Duration = Duration::from_secs(1);
/// A full worker asks its queue for newcomers that often, unless there were as many as it could take the last time.
const NEWCOMERS_EVERY: Duration = Duration::from_millis(20);
/// The waits after a storage that is not available: the first, and the longest. Each is twice as long as the one before,
/// until it answers.
const STORAGE_RETRY: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(5));

pub(crate) struct RunLoop<T: EngineTypes> {
    shared: Arc<Shared<T>>,
    /// Held while the loop works, given up while it waits; `None` only in between.
    busy: Option<Busy>,
    /// What has ended and is not recorded.
    finished: Vec<Finished>,
    running: IdMap<Token, Running>,
    /// How many attempts of a task run here.
    running_of: IdMap<TaskId, usize>,
    waiting: IdMap<TaskId, Vec<Waiter>>,
    /// Tasks to be looked at, as soon as there is room.
    wanted: Wanted,
    rooms: Rooms,
    /// Whether of an odd number of places the larger half goes to wanted tasks: every other time.
    larger_half: bool,
    /// Hints received, until their tasks were looked at.
    received: IdMap<TaskId, Wake>,
    /// Tasks to be looked at later, because they may move then.
    timers: BTreeSet<(Timestamp, TaskId)>,
    /// Tasks that somebody here waits for and that run elsewhere: looked at now and then.
    elsewhere: BTreeSet<(Timestamp, TaskId)>,
    /// Due tasks that nobody here has handlers for, left to others until then.
    for_others: IdMap<TaskId, Timestamp>,
    /// Wakes of which others are to be told.
    left: Vec<Wake>,
    /// How many workers serve every task.
    serving: usize,
    /// Before then the queue is not asked for newcomers again.
    newcomers_at: Timestamp,
    /// When the storage is asked for due wakes; only while serving.
    ask_at: Option<Timestamp>,
    stopping: Vec<Stopping>,
    /// When it looks next for lost workers and forgotten tasks; only where others share the storage.
    care_at: Option<Timestamp>,
    /// How often it did.
    rounds: u32,
    /// When the storage answered last.
    heard_at: Timestamp,
    /// From then on it judges the silence of others: after an outage they are to have had the time to beat.
    judges_from: Timestamp,
    /// How long to wait when it does not.
    pause: Duration,
    /// When the next sign of life is due; `None` while there is nothing to keep alive.
    beat_at: Option<Timestamp>,
    /// Until then it beats even without claims: a reply may have been lost that told of some, and only a beat that does
    /// not name them hands them back.
    beat_until: Timestamp,
    /// Outcomes that the storage refused for good, and when each is sent again.
    refused: Vec<(Timestamp, Finished)>,
    /// A sign of life got no answer, and may have handed back claims all the same.
    beat_unanswered: bool,
    /// The outcomes of the call that is under way, and of what it was cut into.
    sending: Vec<Token>,
    attempts: u64,
    telling: Telling,
}

struct Running {
    task: TaskId,
    step: StepId,
    handler: HandlerName,
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
    Pass { until: Timestamp, handled: oneshot::Sender<Result<Passed, EngineError>> },
}

/// A worker that stops, until what it ran has ended.
struct Stopping {
    tokens: IdSet<Token>,
    until: Timestamp,
    /// With a guard, so that whoever is told has come to know of it before time goes on.
    done: Option<oneshot::Sender<Busy>>,
}

impl<T: EngineTypes> RunLoop<T> {
    pub(crate) fn new(shared: Arc<Shared<T>>, busy: Busy) -> Self {
        let rooms = Rooms::new(&shared.settings.handler_rooms);
        Self {
            shared,
            busy: Some(busy),
            finished: vec![],
            running: IdMap::default(),
            running_of: IdMap::default(),
            waiting: IdMap::default(),
            wanted: Wanted::default(),
            rooms,
            larger_half: false,
            received: IdMap::default(),
            timers: BTreeSet::new(),
            elsewhere: BTreeSet::new(),
            for_others: IdMap::default(),
            left: vec![],
            serving: 0,
            newcomers_at: Timestamp::EPOCH,
            ask_at: None,
            stopping: vec![],
            care_at: None,
            rounds: 0,
            heard_at: Timestamp::EPOCH,
            judges_from: Timestamp::EPOCH,
            pause: STORAGE_RETRY.0,
            beat_at: None,
            beat_until: Timestamp::EPOCH,
            refused: vec![],
            beat_unanswered: false,
            sending: vec![],
            attempts: 0,
            telling: Telling::default(),
        }
    }

    pub(crate) async fn run(mut self) {
        loop {
            self.read_messages();
            if !self.finished.is_empty() {
                self.gather().await;
                self.ask_for_newcomers().await;
            }
            self.look_at_the_clock();
            self.wanted.extend(self.rooms.next());
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

    /// Lets handlers that are ready to end do so first, if there are any: their outcomes go out in the same call.
    async fn gather(&mut self) {
        if self.running.len() > self.finished.len() {
            tokio::task::yield_now().await;
            self.read_messages();
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
            && self.refused.is_empty()
    }

    /// Until a message comes or the next moment of interest.
    async fn wait(&mut self) {
        let clock = Arc::clone(&self.shared.clock);
        let passes = self.waiting.values().flatten().filter_map(|waiter| match waiter.what {
            Awaited::Pass { until, .. } => Some(until),
            Awaited::Settled(_) => None,
        });
        let stops = self.stopping.iter().map(|stopping| stopping.until);
        let room = self.room();
        self.shared.tell_demand(if self.serving > 0 { room } else { 0 });
        let looks = [self.timers.first(), self.elsewhere.first()].into_iter().flatten().map(|(due, _)| *due);
        let timer = looks.chain(self.ask_at).filter(|_| room > 0);
        let refused = self.refused.iter().map(|(again_at, _)| *again_at);
        let next =
            timer.chain(passes).chain(stops).chain(refused).chain(self.beat_at).chain(self.care_at).min();
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

    /// Whether anybody here wants the task to go on.
    fn is_wanted(&self, task: TaskId) -> bool {
        self.serving > 0 || self.waiting.contains_key(&task)
    }
}
