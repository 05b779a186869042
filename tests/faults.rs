//! A storage that fails, before or after it has done its work, and a queue that loses, doubles and delays: they cost
//! time, and change nothing else. In memory alone; on PostgreSQL chaos does the same with real processes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::records::Records;
use tasker::{
    Advance, Beat, BoundTemplate, Creation, Detail, Due, EngineTypes, Intervened, Intervention, MemoryQueue,
    MemoryStorage, NewTask, NoEvents, Parts, Progress, Request, Rescue, Rescued, Settings, StepState,
    Storage, StorageError, Swept, TaskId, TaskRecord, TaskState, Timestamp, Token, WorkerId,
};

mod odd;

use odd::Odd;

/// Fails one call in `odds`, half of the times after the effect; and what it is told to.
struct Faulty {
    inner: MemoryStorage,
    random: Mutex<fastrand::Rng>,
    odds: u32,
    ails: Ails,
}

/// What ails a storage for a while.
#[derive(Clone, Default)]
struct Ails {
    /// No call takes effect.
    is_away: Arc<AtomicBool>,
    /// It takes no outcome, whatever it says.
    refuses: Arc<AtomicBool>,
}

enum Fault {
    None,
    Before,
    After,
}

fn gone() -> StorageError {
    StorageError::Unavailable("the connection was lost".into())
}

impl Faulty {
    fn fault(&self) -> Fault {
        if self.ails.is_away.load(Relaxed) {
            return Fault::Before;
        }
        let mut random = self.random.lock().unwrap();
        match random.u32(..self.odds) {
            0 if random.bool() => Fault::Before,
            0 => Fault::After,
            _ => Fault::None,
        }
    }

    async fn call<A: Send>(
        &self,
        answer: impl Future<Output = Result<A, StorageError>> + Send,
    ) -> Result<A, StorageError> {
        match self.fault() {
            Fault::None => answer.await,
            Fault::Before => Err(gone()),
            Fault::After => answer.await.and_then(|_| Err(gone())),
        }
    }
}

#[deny(clippy::missing_trait_methods)]
impl Storage for Faulty {
    async fn learn(&self, definitions: &[Arc<BoundTemplate>], now: Timestamp) -> Result<(), StorageError> {
        self.inner.learn(definitions, now).await
    }
    async fn create(&self, tasks: Vec<NewTask>, now: Timestamp) -> Result<Vec<Creation>, StorageError> {
        self.inner.create(tasks, now).await
    }
    async fn advance(&self, call: Advance) -> Result<Vec<Progress>, StorageError> {
        if self.ails.refuses.load(Relaxed) && !call.outcomes.is_empty() {
            return Err(StorageError::Refused("it takes no outcome".into()));
        }
        self.call(self.inner.advance(call)).await
    }
    async fn intervene(&self, act: Intervention) -> Result<Intervened, StorageError> {
        self.inner.intervene(act).await
    }
    async fn beat(&self, beat: Beat) -> Result<Vec<Token>, StorageError> {
        self.call(self.inner.beat(beat)).await
    }
    async fn rescue(&self, rescue: Rescue) -> Result<Vec<Rescued>, StorageError> {
        self.call(self.inner.rescue(rescue)).await
    }
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Due, StorageError> {
        self.call(self.inner.due(now, limit)).await
    }
    async fn sweep(
        &self,
        now: Timestamp,
        after: Option<TaskId>,
        limit: usize,
    ) -> Result<Swept, StorageError> {
        self.call(self.inner.sweep(now, after, limit)).await
    }
    async fn load(&self, tasks: &[TaskId], detail: Detail) -> Result<Vec<TaskRecord>, StorageError> {
        match detail {
            Detail::Graph => self.call(self.inner.load(tasks, detail)).await,
            // Reports are read by the test itself.
            Detail::Audit => self.inner.load(tasks, detail).await,
        }
    }
    fn records(&self) -> Option<&dyn Records> {
        self.inner.records()
    }
}

struct Unreliable;
impl EngineTypes for Unreliable {
    type Storage = Faulty;
    type Queue = Odd<MemoryQueue>;
    type Clock = SimulatedClock;
    type Events = NoEvents;
}

fn engine(seed: u64, storage: &MemoryStorage, clock: &SimulatedClock) -> Engine<Unreliable> {
    ailing(seed, storage, clock, 4, &Ails::default())
}

fn ailing(
    seed: u64,
    storage: &MemoryStorage,
    clock: &SimulatedClock,
    odds: u32,
    ails: &Ails,
) -> Engine<Unreliable> {
    let random = Mutex::new(fastrand::Rng::with_seed(seed.wrapping_mul(31).wrapping_add(1)));
    let parts = Parts {
        storage: Faulty { inner: storage.clone(), random, odds, ails: ails.clone() },
        queue: Odd::new(MemoryQueue::new(Arc::new(clock.clone())), seed.wrapping_mul(31).wrapping_add(2)),
        clock: clock.clone(),
        events: NoEvents,
    };
    let settings = Settings {
        worker: WorkerId::numbered(u128::from(seed)),
        seed,
        concurrency: 3,
        poll: Some(Duration::from_secs(5)),
        ..Settings::default()
    };
    Engine::new(parts, settings).unwrap()
}

/// How often each step of each task ran to its end.
type Ledger = Arc<Mutex<HashMap<(TaskId, String), u32>>>;

fn workflow(ledger: &Ledger) -> Definition {
    let mut builder = Definition::builder("tests", "unreliable", "1.0.0");
    for (name, parents, failures) in [
        ("a", vec![], 1),
        ("b", vec!["a"], 0),
        ("c", vec!["a"], 2),
        ("d", vec!["b", "c"], 0),
        ("e", vec!["d"], 0),
    ] {
        let ledger = Arc::clone(ledger);
        let step = handler_fn(move |call: Call| {
            let ledger = Arc::clone(&ledger);
            async move {
                call.sleep(Duration::from_millis(30)).await;
                if call.attempt() <= failures {
                    return Err("not yet".into());
                }
                *ledger.lock().unwrap().entry((call.task(), call.name().to_string())).or_default() += 1;
                Ok(json!(call.parents().len()))
            }
        });
        builder = builder.step(name, step).after(parents);
    }
    builder.build().unwrap()
}

fn check(report: &Report, ledger: &Ledger) {
    assert_eq!(report.state(), TaskState::Complete);
    for step in report.steps() {
        let ran = ledger.lock().unwrap().get(&(report.record().id, step.name.to_string())).copied();
        assert_eq!(ran, Some(1), "step {} ran to its end {ran:?} times", step.name);
        let count =
            |to, from| step.history.iter().filter(|row| row.to == to && row.from == Some(from)).count();
        let claims = count(StepState::InProgress, StepState::Pending);
        let handed_back = count(StepState::Pending, StepState::InProgress);
        assert_eq!(
            u32::try_from(claims - handed_back),
            Ok(step.attempts),
            "every claim that stood is an attempt"
        );
        let keys: Vec<i32> = step.history.iter().map(|row| row.sort_key).collect();
        assert!(keys.iter().zip(1..).all(|(key, place)| *key == place * 10), "{keys:?}");
    }
}

#[tokio::test]
async fn lost_calls_and_lost_replies_lose_and_double_nothing() {
    for seed in 0..60 {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let ledger = Ledger::default();
        let storage = MemoryStorage::new();
        let engine = engine(seed, &storage, &clock);
        let definition = workflow(&ledger);
        let requests = (0..4).map(|_| Request::new(json!({}))).collect();
        let tasks = engine.request_many(&definition, requests).await.unwrap();
        let runs: Vec<_> = tasks
            .into_iter()
            .map(|task| tokio::spawn(async move { task.unwrap().finished().await }))
            .collect();
        for run in runs {
            check(&run.await.unwrap().unwrap(), &ledger);
        }
    }
}

#[tokio::test]
async fn two_workers_on_one_storage_share_the_tasks() {
    for seed in 0..40 {
        let clock = SimulatedClock::new(Timestamp::EPOCH);
        let ledger = Ledger::default();
        let storage = MemoryStorage::new();
        let definition = workflow(&ledger);
        let engines = [engine(seed, &storage, &clock), engine(seed + 1000, &storage, &clock)];
        let mut ids = vec![];
        for engine in &engines {
            engine.learn(&definition).await.unwrap();
            let requests = (0..3).map(|_| Request::new(json!({}))).collect();
            let tasks = engine.request_many(&definition, requests).await.unwrap();
            ids.extend(tasks.into_iter().map(|task| task.unwrap().id()));
        }
        let workers: Vec<_> = engines
            .iter()
            .map(|engine| tokio::spawn(engine.worker().run_until(std::future::pending())))
            .collect();
        while !all_complete(&storage, &ids).await {
            tokio::task::yield_now().await;
            drop(
                tasker::Clock::sleep_until(&clock, tasker::Clock::now(&clock) + Duration::from_secs(1)).await,
            );
        }
        workers.iter().for_each(tokio::task::JoinHandle::abort);
        for id in ids {
            check(&engines[0].report(id).await.unwrap(), &ledger);
        }
    }
}

async fn all_complete(storage: &MemoryStorage, ids: &[TaskId]) -> bool {
    let records = storage.load(ids, Detail::Graph).await.unwrap();
    records.iter().all(|record| record.current.state == TaskState::Complete)
}

/// A workflow of one step, which counts how often it ran; and as it ends, that ails the storage.
fn ailing_step(ran: &Arc<AtomicU32>, ail: &Arc<AtomicBool>) -> Definition {
    let (ran, ail) = (Arc::clone(ran), Arc::clone(ail));
    let step = handler_fn(move |call: Call| {
        let (ran, ail) = (Arc::clone(&ran), Arc::clone(&ail));
        async move {
            call.sleep(Duration::from_secs(2)).await;
            ran.fetch_add(1, Relaxed);
            ail.store(true, Relaxed);
            Ok(json!(call.attempt()))
        }
    });
    Definition::builder("tests", "ailing", "1.0.0").step("work", step).build().unwrap()
}

async fn until(clock: &SimulatedClock, seconds: u64) {
    drop(tasker::Clock::sleep_until(clock, Timestamp::EPOCH + Duration::from_secs(seconds)).await);
}

#[tokio::test]
async fn what_was_not_recorded_when_a_worker_stopped_is_not_handed_back() {
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let (storage, ails, ran) = (MemoryStorage::new(), Ails::default(), Arc::default());
    let engine = ailing(1, &storage, &clock, u32::MAX, &ails);
    let task = engine.start_definition(&ailing_step(&ran, &ails.is_away), json!({})).await.unwrap();
    let worker = engine.worker().grace(Duration::from_secs(1));
    worker.run_until(until(&clock, 10)).await;

    ails.is_away.store(false, Relaxed);
    until(&clock, 60).await;
    let report = engine.report(task.id()).await.unwrap();
    let step = &report.steps()[0];
    assert_eq!((report.state(), step.attempts), (TaskState::Complete, 1), "{:?}", step.history);
    assert_eq!(ran.load(Relaxed), 1);
}

#[tokio::test]
async fn an_outcome_that_is_refused_for_good_is_not_handed_back_and_comes_again() {
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let (storage, ails, ran) = (MemoryStorage::new(), Ails::default(), Arc::default());
    let engine = ailing(1, &storage, &clock, u32::MAX, &ails);
    let task = engine.start_definition(&ailing_step(&ran, &ails.refuses), json!({})).await.unwrap();
    // What goes on meanwhile makes the worker beat.
    let other = engine.start_definition(&long_step(40), json!({})).await.unwrap();
    let a_minute = async {
        until(&clock, 30).await;
        assert_eq!((engine.report(task.id()).await.unwrap().steps()[0].attempts, ran.load(Relaxed)), (1, 1));
        ails.refuses.store(false, Relaxed);
        until(&clock, 60).await;
    };
    engine.worker().run_until(a_minute).await;
    let report = engine.report(task.id()).await.unwrap();
    let step = &report.steps()[0];
    assert_eq!((report.state(), step.attempts), (TaskState::Error, 1), "{:?}", step.history);
    assert_eq!(step.history.last().unwrap().metadata["error_class"], tasker::NOT_RECORDABLE);
    assert_eq!(ran.load(Relaxed), 1);
    assert_eq!(engine.report(other.id()).await.unwrap().state(), TaskState::Complete);
}

/// An engine on a storage that others share, all of whose parts are reliable.
fn sharing(worker: u128, storage: &MemoryStorage, clock: &SimulatedClock) -> Engine {
    let parts = Parts {
        storage: Arc::new(storage.clone()) as Arc<dyn tasker::DynStorage>,
        queue: Arc::new(MemoryQueue::new(Arc::new(clock.clone()))) as Arc<dyn tasker::DynQueue>,
        clock: Arc::new(clock.clone()) as Arc<dyn tasker::DynClock>,
        events: Arc::new(NoEvents) as Arc<dyn tasker::EventSink>,
    };
    let poll = Some(Duration::from_secs(2));
    Engine::new(parts, Settings { worker: WorkerId::numbered(worker), poll, ..Settings::default() }).unwrap()
}

fn long_step(seconds: u64) -> Definition {
    let step = handler_fn(move |call: Call| async move {
        call.sleep(Duration::from_secs(seconds)).await;
        Ok(json!(call.attempt()))
    });
    Definition::builder("tests", "long", "1.0.0").step("work", step).build().unwrap()
}

#[tokio::test]
async fn a_worker_that_beats_keeps_its_step_however_long_it_takes() {
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let storage = MemoryStorage::new();
    let (first, second) = (sharing(1, &storage, &clock), sharing(2, &storage, &clock));
    let task = first.start_definition(&long_step(600), json!({})).await.unwrap();
    second.learn(&long_step(600)).await.unwrap();
    let other = second.task(task.id());
    let (here, there) = tokio::join!(biased; task.finished(), other.finished());
    for report in [here.unwrap(), there.unwrap()] {
        assert_eq!((report.state(), report.output_of::<u32>("work").unwrap()), (TaskState::Complete, 1));
    }
}

/// A process that dies takes its runtime with it: handlers stop where they are, and nobody answers for their claims.
#[test]
fn the_steps_of_a_dead_process_are_taken_over_by_another() {
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let storage = MemoryStorage::new();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();

    let first = runtime();
    let id = first.block_on(async {
        let task = sharing(1, &storage, &clock).start_definition(&long_step(10), json!({})).await.unwrap();
        let killed = tasker::Clock::sleep_until(&clock, Timestamp::EPOCH + Duration::from_secs(3));
        tokio::select! {
            biased;
            _ = task.finished() => panic!("it takes ten seconds"),
            woken = killed => drop(woken),
        }
        task.id()
    });
    drop(first);

    let report = runtime().block_on(async {
        let second = sharing(2, &storage, &clock);
        second.learn(&long_step(10)).await.unwrap();
        second.task(id).finished().await.unwrap()
    });
    assert_eq!(report.state(), TaskState::Complete);
    assert_eq!(report.output_of::<u32>("work").unwrap(), 2, "the attempt of the dead process counts");
    let lost = report.steps()[0].history.iter().find(|row| row.to == StepState::Error).unwrap();
    assert_eq!(lost.metadata["error_class"], tasker::WORKER_LOST);
}
