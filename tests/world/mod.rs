//! A storage that engines share, a clock that jumps, and handlers in a line. A whole workflow has to come to the same on
//! every backend, so the bodies of its tests are functions of a [`World`], and `on_every_backend!` stamps a test of each.
#![allow(dead_code, reason = "each test program uses what it needs")]

pub(crate) mod watched;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{
    Advance, Beat, BoundTemplate, Clock, Creation, Detail, Due, DynClock, DynQueue, DynStorage, Erased,
    EventSink, HandedBack, Intervened, Intervention, MemoryQueue, MemoryStorage, NewTask, NoEvents, Parts,
    Progress, Rescue, Rescued, Settings, StorageError, Swept, TaskId, TaskRecord, Timestamp, WorkerId,
};
use watched::{Asked, Fate, Watched};

/// Where tests of all backends begin.
pub(crate) struct World {
    pub(crate) clock: SimulatedClock,
    pub(crate) storage: Arc<Counting>,
    queue: MakeQueue,
    next_worker: AtomicU32,
    in_memory: bool,
    /// Outlives the engines.
    _keep: Box<dyn std::any::Any + Send + Sync>,
}

type MakeQueue = Box<dyn Fn() -> Arc<dyn DynQueue> + Send + Sync>;

impl World {
    pub(crate) async fn memory() -> Self {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        // The queue of one process, which all engines are part of.
        let queue = MemoryQueue::new(Arc::new(clock.clone()));
        let queue = move || Arc::new(queue.clone()) as Arc<dyn DynQueue>;
        Self::new(clock, Arc::new(MemoryStorage::new()), Box::new(queue), true, Box::new(()))
    }

    #[cfg(feature = "postgres")]
    pub(crate) async fn postgres() -> Self {
        use tasker::postgres::{PostgresQueue, PostgresStorage};
        let database = database().await;
        let storage = PostgresStorage::connect(&database.url()).await.expect("the server answers");
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let queue = {
            let (storage, clock) = (storage.clone(), clock.clone());
            move || Arc::new(PostgresQueue::new(&storage, Arc::new(clock.clone()), POLL)) as Arc<dyn DynQueue>
        };
        Self::new(clock, Arc::new(storage), Box::new(queue), false, Box::new(database))
    }

    fn new(
        clock: SimulatedClock,
        storage: Arc<dyn DynStorage>,
        queue: MakeQueue,
        in_memory: bool,
        keep: Box<dyn std::any::Any + Send + Sync>,
    ) -> Self {
        let storage = Arc::new(Counting {
            inner: storage,
            calls: AtomicUsize::new(0),
            gate: Default::default(),
            faults: std::sync::Mutex::new((0, fastrand::Rng::new())),
        });
        Self { clock, storage, queue, next_worker: AtomicU32::new(1), in_memory, _keep: keep }
    }

    /// An engine like another process's: it shares the storage, and nothing else but the queue.
    pub(crate) fn engine(&self) -> Engine {
        self.engine_on(self.queue(), NoEvents, Settings::default())
    }

    pub(crate) fn engine_with(&self, settings: Settings) -> Engine {
        self.engine_on(self.queue(), NoEvents, settings)
    }

    /// The queue that belongs to the storage.
    pub(crate) fn queue(&self) -> Arc<dyn DynQueue> {
        (self.queue)()
    }

    pub(crate) fn engine_on(
        &self,
        queue: Arc<dyn DynQueue>,
        events: impl EventSink,
        settings: Settings,
    ) -> Engine {
        let parts: Parts<Erased> = Parts {
            storage: Arc::clone(&self.storage) as Arc<dyn DynStorage>,
            queue,
            clock: Arc::new(self.clock.clone()) as Arc<dyn DynClock>,
            events: Arc::new(events),
        };
        let settings = Settings { poll: settings.poll.or(Some(POLL)), ..settings };
        self.engine_of(parts, settings)
    }

    /// An engine that reaches the storage only through that one, with a queue of its own; it polls as the settings say.
    pub(crate) fn engine_through(
        &self,
        storage: &Arc<Watched>,
        events: impl EventSink,
        settings: Settings,
    ) -> Engine {
        let queue = MemoryQueue::new(Arc::new(self.clock.clone()));
        self.engine_through_both(storage, Arc::new(queue), events, settings)
    }

    /// The same with that queue.
    pub(crate) fn engine_through_both(
        &self,
        storage: &Arc<Watched>,
        queue: Arc<dyn DynQueue>,
        events: impl EventSink,
        settings: Settings,
    ) -> Engine {
        let clock: Arc<dyn DynClock> = Arc::new(self.clock.clone());
        let storage = Arc::clone(storage) as Arc<dyn DynStorage>;
        self.engine_of(Parts { storage, queue, clock, events: Arc::new(events) }, settings)
    }

    fn engine_of(&self, parts: Parts<Erased>, settings: Settings) -> Engine {
        let number = self.next_worker.fetch_add(1, Ordering::Relaxed);
        let worker = WorkerId::numbered(u128::from(number));
        Engine::new(parts, Settings { worker, ..settings }).expect("settings that an engine can run with")
    }

    /// A way to the storage on which a test says what becomes of each call.
    pub(crate) fn watched(&self, decide: impl FnMut(Asked) -> Fate + Send + 'static) -> Arc<Watched> {
        Watched::new(Arc::clone(&self.storage) as Arc<dyn DynStorage>, decide)
    }

    /// As [`engine`](Self::engine), by the clock of the machine.
    pub(crate) fn engine_in_real_time(&self) -> Engine {
        let clock: Arc<dyn DynClock> = Arc::new(tasker::SystemClock::default());
        let parts: Parts<Erased> = Parts {
            storage: Arc::clone(&self.storage) as Arc<dyn DynStorage>,
            queue: Arc::new(MemoryQueue::new(Arc::clone(&clock))),
            clock,
            events: Arc::new(NoEvents),
        };
        Engine::new(parts, Settings::default()).expect("the default settings")
    }

    /// Has whatever is ready claimed, at this moment, by a process that is never heard of again.
    pub(crate) async fn claimed_by_a_process_that_died(&self, task: TaskId) {
        let call = Advance {
            worker: WorkerId::numbered(1_000_000),
            now: self.now(),
            outcomes: vec![],
            wanted: vec![task],
            room: tasker::Room::of(10_000),
        };
        let progress = DynStorage::advance(&*self.storage, call).await.expect("advance");
        assert!(!progress[0].claims.is_empty(), "something was ready");
    }

    /// Whether a call costs next to nothing.
    pub(crate) fn is_in_memory(&self) -> bool {
        self.in_memory
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Lets the time go on until then, as far as nobody works before.
    pub(crate) async fn sleep_until(&self, moment: Timestamp) {
        drop(self.clock.sleep_until(moment).await);
    }

    /// What the task is, without driving it.
    pub(crate) async fn record(&self, task: TaskId) -> TaskRecord {
        DynStorage::load(&*self.storage, &[task], Detail::Audit).await.expect("load").remove(0)
    }

    /// Waits until a task stands so. Nothing is driven by that, and no time passes.
    pub(crate) async fn until(&self, task: TaskId, holds: impl Fn(&TaskRecord) -> bool) -> TaskRecord {
        loop {
            let record = self.record(task).await;
            if holds(&record) {
                return record;
            }
            tokio::task::yield_now().await;
        }
    }
}

/// How often engines look for what nobody told them.
pub(crate) const POLL: Duration = Duration::from_secs(2);

/// That many seconds after the beginning.
pub(crate) fn at(seconds: u64) -> Timestamp {
    Timestamp::EPOCH + Duration::from_secs(seconds)
}

/// A database of its own, with the schema.
#[cfg(feature = "postgres")]
pub(crate) async fn database() -> tasker::postgres::cluster::TestDatabase {
    tasker::postgres::cluster::TestDatabase::migrated().await.expect("a database for the test")
}

/// Stamps each test for every backend; `name @ 2` runs on so many threads.
macro_rules! on_every_backend {
    ($($test:ident $(@ $threads:tt)?)*) => {
        mod memory {
            $(#[tokio::test $((flavor = "multi_thread", worker_threads = $threads))?]
            async fn $test() {
                super::$test($crate::world::World::memory().await).await;
            })*
        }
        #[cfg(feature = "postgres")]
        mod postgres {
            $(#[tokio::test $((flavor = "multi_thread", worker_threads = $threads))?]
            async fn $test() {
                super::$test($crate::world::World::postgres().await).await;
            })*
        }
    };
}
pub(crate) use on_every_backend;

/// A storage, and how often it was called to move or look.
pub(crate) struct Counting {
    inner: Arc<dyn DynStorage>,
    calls: AtomicUsize,
    /// Calls wait while somebody holds it.
    gate: tokio::sync::RwLock<()>,
    /// Of so many calls one fails, by this chance; never with 0.
    faults: std::sync::Mutex<(u32, fastrand::Rng)>,
}

impl Counting {
    /// Lets no call through until what it answers is dropped.
    pub(crate) async fn hang(&self) -> tokio::sync::RwLockWriteGuard<'_, ()> {
        self.gate.write().await
    }

    /// From now on one call in so many fails, half of the times after its effect; with 0 none.
    pub(crate) fn fail_one_in(&self, odds: u32, seed: u64) {
        *self.faults.lock().unwrap() = (odds, fastrand::Rng::with_seed(seed));
    }

    /// Whether a call fails, and if so, whether before its effect.
    fn fault(&self) -> Option<bool> {
        let (odds, random) = &mut *self.faults.lock().unwrap();
        (*odds > 0 && random.u32(..*odds) == 0).then(|| random.bool())
    }

    /// Calls so far, but for those with which tests look themselves.
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }
}

macro_rules! counted {
    ($($method:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl DynStorage for Counting {
            $(async fn $method(&self, $($argument: $type),*) -> Result<$answer, StorageError> {
                drop(self.gate.read().await);
                self.calls.fetch_add(1, Ordering::SeqCst);
                let fault = self.fault();
                if fault == Some(true) {
                    return Err(StorageError::Unavailable("the connection was lost".into()));
                }
                let answer = DynStorage::$method(&*self.inner, $($argument),*).await;
                if fault.is_some() {
                    return Err(StorageError::Unavailable("the connection was lost".into()));
                }
                answer
            })*
            async fn load(&self, tasks: &[TaskId], detail: Detail) -> Result<Vec<TaskRecord>, StorageError> {
                if detail == Detail::Graph {
                    self.calls.fetch_add(1, Ordering::SeqCst);
                }
                DynStorage::load(&*self.inner, tasks, detail).await
            }
            fn records(&self) -> Option<&dyn tasker::records::Records> {
                self.inner.records()
            }
        }
    };
}

counted! {
    learn(definitions: &[Arc<BoundTemplate>], now: Timestamp) -> ();
    create(tasks: Vec<NewTask>, now: Timestamp) -> Vec<Creation>;
    advance(call: Advance) -> Vec<Progress>;
    intervene(act: Intervention) -> Intervened;
    beat(beat: Beat) -> Vec<HandedBack>;
    rescue(rescue: Rescue) -> Vec<Rescued>;
    due(now: Timestamp, limit: usize) -> Due;
    sweep(now: Timestamp, after: Option<TaskId>, limit: usize) -> Swept;
}

/// Yields a value.
pub(crate) fn constant(value: Value) -> impl tasker::IntoHandler {
    handler_fn(move |_: Call| {
        let value = value.clone();
        async move { Ok(value) }
    })
}

/// Sleeps that many seconds.
pub(crate) fn nap(seconds: u64) -> impl tasker::IntoHandler {
    handler_fn(move |call: Call| async move {
        call.sleep(Duration::from_secs(seconds)).await;
        Ok(json!(call.attempt()))
    })
}

/// Fails that many times, then yields its attempt.
pub(crate) fn fails(times: u32) -> impl tasker::IntoHandler {
    handler_fn(move |call: Call| async move {
        if call.attempt() <= times { Err("not yet".into()) } else { Ok(json!(call.attempt())) }
    })
}
