//! Workers that share a storage: what they do when others die, when the storage goes away, and when they are to stop.
//! In memory alone, whose calls can be watched, made to fail, and made to take simulated time.

mod shares;
mod watched;
#[path = "../world/mod.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{
    Clock as _, Detail, DynClock, DynStorage, Erased, EventSink, MemoryQueue, MemoryStorage, NoEvents, Parts,
    Request, Settings, StepState, TaskState, Timestamp, WorkerId,
};
use tokio::sync::oneshot;
use watched::{Fate, Watched};

fn clock() -> SimulatedClock {
    SimulatedClock::new(Timestamp::EPOCH)
}

const fn at(seconds: u64) -> Timestamp {
    Timestamp::from_micros(seconds.cast_signed() * 1_000_000)
}

/// An engine on a storage that others share.
fn engine(worker: u128, storage: Arc<dyn DynStorage>, clock: &SimulatedClock) -> Engine {
    let settings = Settings {
        worker: WorkerId::numbered(worker),
        poll: Some(Duration::from_secs(2)),
        ..Settings::default()
    };
    engine_with(settings, storage, clock)
}

fn engine_with(settings: Settings, storage: Arc<dyn DynStorage>, clock: &SimulatedClock) -> Engine {
    let parts: Parts<Erased> = Parts {
        storage,
        queue: Arc::new(MemoryQueue::new(Arc::new(clock.clone()))),
        clock: Arc::new(clock.clone()) as Arc<dyn DynClock>,
        events: Arc::new(NoEvents) as Arc<dyn EventSink>,
    };
    Engine::new(parts, settings).unwrap()
}

/// Steps that sleep so long and yield their attempt.
fn naps(name: &str, steps: usize, seconds: u64) -> Definition {
    let nap = || {
        handler_fn(move |call: Call| async move {
            call.sleep(Duration::from_secs(seconds)).await;
            Ok(json!(call.attempt()))
        })
    };
    let builder = Definition::builder("tests", name, "1.0.0");
    (0..steps).fold(builder, |builder, step| builder.step(format!("s{step}"), nap())).build().unwrap()
}

/// Ready at that moment.
fn moment(clock: &SimulatedClock, until: Timestamp) -> impl Future<Output = ()> + Send + 'static {
    let sleep = clock.sleep_until(until);
    async move { drop(sleep.await) }
}

#[tokio::test]
async fn an_outcome_that_is_on_its_way_when_the_worker_stops_is_recorded_within_the_grace() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let is_away = Arc::new(AtomicBool::new(true));
    let watched = Watched::new(&storage, {
        let is_away = Arc::clone(&is_away);
        move |operation, brings| match (operation, brings) {
            ("advance", true) if is_away.load(Ordering::Relaxed) => Fate::Refused,
            _ => Fate::Made,
        }
    });
    let engine = engine(1, Arc::clone(&watched) as _, &clock);
    let task = engine.start_definition(&naps("one", 1, 1), json!({})).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = engine.worker().grace(Duration::from_secs(3_600));
    let worker = tokio::spawn(worker.run_until(async move { stopped.await.unwrap_or(()) }));
    let tried = |times: usize| {
        let watched = &watched;
        async move {
            while watched.calls("advance") < times {
                tokio::task::yield_now().await;
            }
        }
    };
    tried(3).await;
    stop.send(()).unwrap();
    tried(20).await;
    assert!(!worker.is_finished(), "it goes on trying");
    is_away.store(false, Ordering::Relaxed);
    worker.await.unwrap();
    assert_eq!(task.report().await.unwrap().steps()[0].current.state, StepState::Complete);
}

#[tokio::test]
async fn a_storage_that_never_answers_does_not_keep_a_worker_from_stopping() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let watched = Watched::new(&storage, |operation, brings| match (operation, brings) {
        ("advance", true) => Fate::Unanswered,
        _ => Fate::Made,
    });
    let engine = engine(1, Arc::clone(&watched) as _, &clock);
    engine.start_definition(&naps("one", 1, 1), json!({})).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = engine.worker().grace(Duration::from_secs(10));
    let worker = tokio::spawn(worker.run_until(async move { stopped.await.unwrap_or(()) }));
    watched.hangs.notified().await;
    stop.send(()).unwrap();
    // The run loop waits for the storage, and so holds the time still.
    while !worker.is_finished() {
        clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    worker.await.unwrap();
}

#[tokio::test]
async fn workers_that_could_not_beat_while_the_storage_was_away_are_not_taken_for_lost() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let shared = || -> Arc<dyn DynStorage> {
        let clock = clock.clone();
        Watched::new(&storage, move |_, _| {
            let is_away = clock.now() >= at(20) && clock.now() < at(58);
            if is_away { Fate::Refused } else { Fate::Made }
        })
    };
    // Its beats fall behind the rounds of the other one: that looks around before this one can beat again.
    let settings = |worker: u128| Settings {
        worker: WorkerId::numbered(worker),
        poll: Some(Duration::from_secs(2)),
        heartbeat_interval: Duration::from_secs(7),
        ..Settings::default()
    };
    let [first, second] = [1, 2].map(|worker| engine_with(settings(worker), shared(), &clock));
    let definition = naps("long", 1, 300);
    // The time stands until both are at work.
    let hold = clock.busy();
    let task = first.start_definition(&definition, json!({})).await.unwrap();
    let id = task.id();
    let running = tokio::spawn(async move { task.finished().await });
    while tasker::Storage::load(&storage, &[id], Detail::Graph).await.unwrap()[0].steps[0].attempts == 0 {
        tokio::task::yield_now().await;
    }
    second.learn(&definition).await.unwrap();
    let looking = tokio::spawn(second.worker().run_until(moment(&clock, at(400))));
    tokio::task::yield_now().await;
    drop(hold);
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.output_of::<u32>("s0").unwrap(), 1, "its first attempt went on to its end");
    looking.await.unwrap();
}

#[test]
fn a_worker_that_only_looks_on_rescues_after_an_outage_too() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let definition = naps("lost", 1, 10);
    let id = claim_and_die(&definition, &storage, &clock);
    let watched = Watched::new(&storage, {
        let clock = clock.clone();
        move |_, _| {
            let is_away = clock.now() >= at(20) && clock.now() < at(100);
            if is_away { Fate::Refused } else { Fate::Made }
        }
    });
    // It hears of the storage by nothing but its rounds of care.
    let settings = Settings { poll: Some(Duration::from_secs(36_000)), ..Settings::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let report = runtime.block_on(async {
        let second = engine_with(settings, watched, &clock);
        second.learn(&definition).await.unwrap();
        second.worker().run_until(moment(&clock, at(400))).await;
        second.report(id).await.unwrap()
    });
    assert_eq!(report.state(), TaskState::Complete);
}

#[tokio::test]
async fn a_sweep_that_takes_long_leaves_time_for_work() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let watched = Watched::new(&storage, {
        let clock = clock.clone();
        move |operation, _| {
            if operation == "sweep" {
                clock.advance(Duration::from_secs(100));
            }
            Fate::Made
        }
    });
    let engine = engine(1, Arc::clone(&watched) as _, &clock);
    let task = engine.start_definition(&shares::chain(60), json!({})).await.unwrap();
    engine.worker().run_until(moment(&clock, at(1_000))).await;
    assert_eq!(task.report().await.unwrap().state(), TaskState::Complete);
    assert!((2..8).contains(&watched.calls("sweep")), "{} sweeps", watched.calls("sweep"));
}

/// Leaves steps in progress, as a process does that dies.
fn claim_and_die(definition: &Definition, storage: &MemoryStorage, clock: &SimulatedClock) -> tasker::TaskId {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(async {
        let engine = engine_with(
            Settings { concurrency: 10_000, poll: Some(Duration::from_secs(2)), ..Settings::default() },
            Arc::new(storage.clone()),
            clock,
        );
        let task = engine.start_definition(definition, json!({})).await.unwrap();
        let killed = moment(clock, at(3));
        tokio::select! {
            biased;
            _ = task.finished() => panic!("it takes longer"),
            () = killed => {}
        }
        task.id()
    })
}

#[test]
fn one_round_rescues_all_that_a_dead_worker_held() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let definition = naps("wide", 1_200, 10);
    let id = claim_and_die(&definition, &storage, &clock);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let report = runtime.block_on(async {
        let second = engine(2, Arc::new(storage.clone()), &clock);
        second.learn(&definition).await.unwrap();
        second.task(id).finished().await.unwrap()
    });
    assert_eq!(report.state(), TaskState::Complete);
    let lost = report.steps().iter().flat_map(|step| &step.history).filter(|row| row.to == StepState::Error);
    let lost: Vec<_> = lost.map(|row| row.at).collect();
    assert_eq!(lost.len(), 1_200);
    assert!(lost.iter().all(|at| *at == lost[0]), "all at one moment");
}

#[tokio::test]
async fn an_idle_worker_asks_the_storage_less_than_once_a_second() {
    let (clock, storage) = (clock(), MemoryStorage::new());
    let watched = Watched::new(&storage, |_, _| Fate::Made);
    let engine = engine(1, Arc::clone(&watched) as _, &clock);
    // There was something to do, and it is done.
    let requests = (0..20).map(|_| Request::new(json!({}))).collect();
    engine.request_many(&naps("short", 3, 1), requests).await.unwrap();
    let seconds = 3_600;
    engine.worker().run_until(moment(&clock, at(seconds))).await;
    let (due, rescue, sweep) = (watched.calls("due"), watched.calls("rescue"), watched.calls("sweep"));
    // On PostgreSQL a rescue that finds nothing is three statements: it begins, looks, and ends.
    let statements = due + 3 * rescue + sweep;
    let while_busy = 100;
    assert!(
        statements < usize::try_from(seconds).unwrap() * 4 / 5 + while_busy,
        "{due} due, {rescue} rescue, {sweep} sweep"
    );
    assert!(due > 0 && rescue > 0 && sweep > 0, "it does look: {due} due, {rescue} rescue, {sweep} sweep");
    let others: usize = ["advance", "beat", "load"].map(|operation| watched.calls(operation)).iter().sum();
    assert!(others < while_busy, "nothing else in an idle hour: {others}");
}
