//! A storage that fails, before or after it has done its work, and a queue that loses, doubles and delays: they cost
//! time, and change nothing else.

mod odd;
mod world;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use odd::Odd;
use serde_json::json;
use tasker::prelude::*;
use tasker::{DynClock, MemoryQueue, NoEvents, Request, Settings, StepState, TaskId, TaskState};
use world::watched::{Asked, Fate};
use world::{World, at, nap, on_every_backend};

on_every_backend! {
    lost_calls_and_lost_replies_lose_and_double_nothing
    waves_that_go_out_in_several_calls_lose_and_double_nothing
    two_workers_on_one_storage_share_the_tasks
    what_was_not_recorded_when_a_worker_stopped_is_not_handed_back
    an_outcome_that_is_refused_for_good_is_not_handed_back_and_comes_again
    a_worker_that_beats_keeps_its_step_however_long_it_takes
    the_steps_of_a_dead_process_are_taken_over_by_another
}

/// So many draws of chance a test makes. A wave on a database takes as long as a hundred in memory.
fn seeds(world: &World, in_memory: u64) -> std::ops::Range<u64> {
    0..if world.is_in_memory() { in_memory } else { in_memory / 10 }
}

/// An engine one in four of whose calls fails, half of those after the effect, with a queue that is as bad.
fn unreliable(world: &World, seed: u64) -> Engine {
    unreliable_with(world, seed, Settings { concurrency: 3, ..Settings::default() })
}

fn unreliable_with(world: &World, seed: u64, settings: Settings) -> Engine {
    let mut random = fastrand::Rng::with_seed(seed.wrapping_mul(31).wrapping_add(1));
    let storage = world.watched(move |asked| match random.u32(..8) {
        // What a test does by itself is answered.
        _ if matches!(asked.operation, "learn" | "create" | "intervene") => Fate::Made,
        0 => Fate::Away,
        1 => Fate::Lost,
        _ => Fate::Made,
    });
    let clock: Arc<dyn DynClock> = Arc::new(world.clock.clone());
    let queue = Odd::new(MemoryQueue::new(clock), seed.wrapping_mul(31).wrapping_add(2));
    let settings = Settings { seed, poll: Some(Duration::from_secs(5)), ..settings };
    world.engine_through_both(&storage, Arc::new(queue), NoEvents, settings)
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

/// Starts so many tasks at once, waits for each, and checks it.
async fn all_run(engine: &Engine, tasks: usize, ledger: &Ledger) {
    let requests = (0..tasks).map(|_| Request::new(json!({}))).collect();
    let tasks = engine.request_many(&workflow(ledger), requests).await.unwrap();
    let runs: Vec<_> =
        tasks.into_iter().map(|task| tokio::spawn(async move { task.unwrap().finished().await })).collect();
    for run in runs {
        check(&run.await.unwrap().unwrap(), ledger);
    }
}

async fn lost_calls_and_lost_replies_lose_and_double_nothing(world: World) {
    for seed in seeds(&world, 60) {
        let ledger = Ledger::default();
        let engine = unreliable(&world, seed);
        all_run(&engine, 4, &ledger).await;
    }
}

async fn waves_that_go_out_in_several_calls_lose_and_double_nothing(world: World) {
    for seed in seeds(&world, 20) {
        let ledger = Ledger::default();
        let settings = Settings { concurrency: 60, calls_at_once: Some(3), ..Settings::default() };
        let engine = unreliable_with(&world, seed, settings);
        all_run(&engine, 50, &ledger).await;
    }
}

async fn two_workers_on_one_storage_share_the_tasks(world: World) {
    for seed in seeds(&world, 40) {
        let ledger = Ledger::default();
        let definition = workflow(&ledger);
        let engines = [unreliable(&world, seed), unreliable(&world, seed + 1000)];
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
        while !all_complete(&world, &ids).await {
            tokio::task::yield_now().await;
            world.sleep_until(world.now() + Duration::from_secs(1)).await;
        }
        workers.iter().for_each(tokio::task::JoinHandle::abort);
        for id in ids {
            check(&engines[0].report(id).await.unwrap(), &ledger);
        }
    }
}

async fn all_complete(world: &World, ids: &[TaskId]) -> bool {
    for id in ids {
        if world.record(*id).await.current.state != TaskState::Complete {
            return false;
        }
    }
    true
}

/// A workflow of one step, which counts how often it ran; and as it ends, that ails the storage.
fn ailing_step(ran: &Arc<AtomicU32>, ails: &Arc<AtomicBool>) -> Definition {
    let (ran, ails) = (Arc::clone(ran), Arc::clone(ails));
    let step = handler_fn(move |call: Call| {
        let (ran, ails) = (Arc::clone(&ran), Arc::clone(&ails));
        async move {
            call.sleep(Duration::from_secs(2)).await;
            ran.fetch_add(1, Relaxed);
            ails.store(true, Relaxed);
            Ok(json!(call.attempt()))
        }
    });
    Definition::builder("tests", "ailing", "1.0.0").step("work", step).build().unwrap()
}

/// An engine on a storage that others share, and what becomes of its calls while that ails it.
fn ailing(world: &World, ails: &Arc<AtomicBool>, fate: impl Fn(Asked) -> Fate + Send + 'static) -> Engine {
    let ails = Arc::clone(ails);
    let storage = world.watched(move |asked| if ails.load(Relaxed) { fate(asked) } else { Fate::Made });
    let settings = Settings { poll: Some(Duration::from_secs(5)), ..Settings::default() };
    world.engine_through(&storage, NoEvents, settings)
}

async fn what_was_not_recorded_when_a_worker_stopped_is_not_handed_back(world: World) {
    let (is_away, ran) = (Arc::default(), Arc::default());
    let engine = ailing(&world, &is_away, |_| Fate::Away);
    let task = engine.start_definition(&ailing_step(&ran, &is_away), json!({})).await.unwrap();
    let worker = engine.worker().grace(Duration::from_secs(1));
    worker.run_until(world.sleep_until(at(10))).await;

    is_away.store(false, Relaxed);
    world.sleep_until(at(60)).await;
    let report = engine.report(task.id()).await.unwrap();
    let step = &report.steps()[0];
    assert_eq!((report.state(), step.attempts), (TaskState::Complete, 1), "{:?}", step.history);
    assert_eq!(ran.load(Relaxed), 1);
}

async fn an_outcome_that_is_refused_for_good_is_not_handed_back_and_comes_again(world: World) {
    let (refuses, ran) = (Arc::default(), Arc::default());
    let engine = ailing(&world, &refuses, |asked| if asked.brings { Fate::Refused } else { Fate::Made });
    let task = engine.start_definition(&ailing_step(&ran, &refuses), json!({})).await.unwrap();
    // What goes on meanwhile makes the worker beat.
    let other = engine.start_definition(&long_step(40), json!({})).await.unwrap();
    let a_minute = async {
        world.sleep_until(at(30)).await;
        assert_eq!((engine.report(task.id()).await.unwrap().steps()[0].attempts, ran.load(Relaxed)), (1, 1));
        refuses.store(false, Relaxed);
        world.sleep_until(at(60)).await;
    };
    engine.worker().run_until(a_minute).await;
    let report = engine.report(task.id()).await.unwrap();
    let step = &report.steps()[0];
    assert_eq!((report.state(), step.attempts), (TaskState::Error, 1), "{:?}", step.history);
    assert_eq!(step.history.last().unwrap().metadata["error_class"], tasker::NOT_RECORDABLE);
    assert_eq!(ran.load(Relaxed), 1);
    assert_eq!(engine.report(other.id()).await.unwrap().state(), TaskState::Complete);
}

fn long_step(seconds: u64) -> Definition {
    Definition::builder("tests", "long", "1.0.0").step("work", nap(seconds)).build().unwrap()
}

async fn a_worker_that_beats_keeps_its_step_however_long_it_takes(world: World) {
    let (first, second) = (world.engine(), world.engine());
    let task = first.start_definition(&long_step(600), json!({})).await.unwrap();
    second.learn(&long_step(600)).await.unwrap();
    let other = second.task(task.id());
    let (here, there) = tokio::join!(biased; task.finished(), other.finished());
    for report in [here.unwrap(), there.unwrap()] {
        assert_eq!((report.state(), report.output_of::<u32>("work").unwrap()), (TaskState::Complete, 1));
    }
}

async fn the_steps_of_a_dead_process_are_taken_over_by_another(world: World) {
    let engine = world.engine();
    let task = engine.start_definition(&long_step(10), json!({})).await.unwrap();
    world.claimed_by_a_process_that_died(task.id()).await;
    let report = task.finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Complete);
    assert_eq!(report.output_of::<u32>("work").unwrap(), 2, "the attempt of the dead process counts");
    let lost = report.steps()[0].history.iter().find(|row| row.to == StepState::Error).unwrap();
    assert_eq!(lost.metadata["error_class"], tasker::WORKER_LOST);
}
