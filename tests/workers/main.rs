//! Workers that share a storage: what they do when others die, when the storage goes away, and when they are to stop.

mod shares;
#[path = "../world/mod.rs"]
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{Clock as _, NoEvents, Request, Settings, StepState, TaskState, Timestamp};
use tokio::sync::oneshot;
use world::watched::{Asked, Fate, Watched};
use world::{World, at, on_every_backend};

on_every_backend! {
    an_outcome_that_is_on_its_way_when_the_worker_stops_is_recorded_within_the_grace
    a_storage_that_never_answers_does_not_keep_a_worker_from_stopping
    workers_that_could_not_beat_while_the_storage_was_away_are_not_taken_for_lost
    a_worker_that_only_looks_on_rescues_after_an_outage_too
    a_sweep_that_takes_long_leaves_time_for_work
    one_round_rescues_all_that_a_dead_worker_held
    an_idle_worker_asks_the_storage_less_than_once_a_second
}

/// An engine on a storage that others share, and that is watched.
fn engine(world: &World, storage: &Arc<Watched>) -> Engine {
    let settings = Settings { poll: Some(Duration::from_secs(2)), ..Settings::default() };
    world.engine_through(storage, NoEvents, settings)
}

/// Steps that sleep so long and yield their attempt.
fn naps(name: &str, steps: usize, seconds: u64) -> Definition {
    let builder = Definition::builder("tests", name, "1.0.0");
    (0..steps)
        .fold(builder, |builder, step| builder.step(format!("s{step}"), world::nap(seconds)))
        .build()
        .unwrap()
}

/// Ready at that moment.
fn moment(clock: &SimulatedClock, until: Timestamp) -> impl Future<Output = ()> + Send + 'static {
    let sleep = clock.sleep_until(until);
    async move { drop(sleep.await) }
}

async fn an_outcome_that_is_on_its_way_when_the_worker_stops_is_recorded_within_the_grace(world: World) {
    let is_away = Arc::new(AtomicBool::new(true));
    let watched = world.watched({
        let is_away = Arc::clone(&is_away);
        move |asked: Asked| match (asked.operation, asked.brings) {
            ("advance", true) if is_away.load(Ordering::Relaxed) => Fate::Away,
            _ => Fate::Made,
        }
    });
    let engine = engine(&world, &watched);
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

async fn a_storage_that_never_answers_does_not_keep_a_worker_from_stopping(world: World) {
    let watched = world.watched(|asked: Asked| match (asked.operation, asked.brings) {
        ("advance", true) => Fate::Unanswered,
        _ => Fate::Made,
    });
    let engine = engine(&world, &watched);
    engine.start_definition(&naps("one", 1, 1), json!({})).await.unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let worker = engine.worker().grace(Duration::from_secs(10));
    let worker = tokio::spawn(worker.run_until(async move { stopped.await.unwrap_or(()) }));
    watched.hangs.notified().await;
    stop.send(()).unwrap();
    // The run loop waits for the storage, and so holds the time still.
    while !worker.is_finished() {
        world.clock.advance(Duration::from_secs(1));
        tokio::task::yield_now().await;
    }
    worker.await.unwrap();
}

async fn workers_that_could_not_beat_while_the_storage_was_away_are_not_taken_for_lost(world: World) {
    let clock = world.clock.clone();
    let shared = || {
        let clock = clock.clone();
        world.watched(move |_| {
            let is_away = clock.now() >= at(20) && clock.now() < at(58);
            if is_away { Fate::Away } else { Fate::Made }
        })
    };
    // Its beats fall behind the rounds of the other one: that looks around before this one can beat again.
    let settings = || Settings {
        poll: Some(Duration::from_secs(2)),
        heartbeat_interval: Duration::from_secs(7),
        ..Settings::default()
    };
    let [first, second] = [(); 2].map(|()| world.engine_through(&shared(), NoEvents, settings()));
    let definition = naps("long", 1, 300);
    // The time stands until both are at work.
    let hold = world.clock.busy();
    let task = first.start_definition(&definition, json!({})).await.unwrap();
    let id = task.id();
    let running = tokio::spawn(async move { task.finished().await });
    world.until(id, |task| task.steps[0].attempts > 0).await;
    second.learn(&definition).await.unwrap();
    let looking = tokio::spawn(second.worker().run_until(moment(&world.clock, at(400))));
    tokio::task::yield_now().await;
    drop(hold);
    let report = running.await.unwrap().unwrap();
    assert_eq!(report.output_of::<u32>("s0").unwrap(), 1, "its first attempt went on to its end");
    looking.await.unwrap();
}

async fn a_worker_that_only_looks_on_rescues_after_an_outage_too(world: World) {
    let watched = world.watched({
        let clock = world.clock.clone();
        move |_| {
            let is_away = clock.now() >= at(20) && clock.now() < at(100);
            if is_away { Fate::Away } else { Fate::Made }
        }
    });
    let definition = naps("lost", 1, 10);
    // It hears of the storage by nothing but its rounds of care.
    let settings = Settings { poll: Some(Duration::from_secs(36_000)), ..Settings::default() };
    let engine = world.engine_through(&watched, NoEvents, settings);
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    world.claimed_by_a_process_that_died(task.id()).await;
    engine.worker().run_until(moment(&world.clock, at(400))).await;
    assert_eq!(task.report().await.unwrap().state(), TaskState::Complete);
}

async fn a_sweep_that_takes_long_leaves_time_for_work(world: World) {
    let watched = world.watched({
        let clock = world.clock.clone();
        move |asked| {
            if asked.operation == "sweep" {
                clock.advance(Duration::from_secs(100));
            }
            Fate::Made
        }
    });
    let engine = engine(&world, &watched);
    let task = engine.start_definition(&shares::chain(60), json!({})).await.unwrap();
    engine.worker().run_until(moment(&world.clock, at(1_000))).await;
    assert_eq!(task.report().await.unwrap().state(), TaskState::Complete);
    assert!((2..8).contains(&watched.calls("sweep")), "{} sweeps", watched.calls("sweep"));
}

async fn one_round_rescues_all_that_a_dead_worker_held(world: World) {
    let engine = world.engine();
    let task = engine.start_definition(&naps("wide", 1_200, 10), json!({})).await.unwrap();
    world.claimed_by_a_process_that_died(task.id()).await;
    let report = task.finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Complete);
    let lost = report.steps().iter().flat_map(|step| &step.history).filter(|row| row.to == StepState::Error);
    let lost: Vec<_> = lost.map(|row| row.at).collect();
    assert_eq!(lost.len(), 1_200);
    assert!(lost.iter().all(|at| *at == lost[0]), "all at one moment");
}

async fn an_idle_worker_asks_the_storage_less_than_once_a_second(world: World) {
    let watched = world.watched(|_| Fate::Made);
    let engine = engine(&world, &watched);
    // There was something to do, and it is done.
    let requests = (0..20).map(|_| Request::new(json!({}))).collect();
    engine.request_many(&naps("short", 3, 1), requests).await.unwrap();
    let seconds = 3_600;
    engine.worker().run_until(moment(&world.clock, at(seconds))).await;
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
