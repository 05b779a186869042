//! What the simulator found, each as the smallest scene in which it happens. The queue is in memory, as the simulator has it.

mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{Clock as _, MemoryEventLog, NoEvents, Settings};
use tokio::sync::oneshot;
use world::watched::{Asked, Fate};
use world::{World, at, nap, on_every_backend};

on_every_backend! {
    claim_that_is_told_again_is_announced_once
    claims_that_are_told_again_keep_to_the_room
    claim_that_an_unanswered_beat_handed_back_is_run
    claim_that_was_handed_back_is_run_by_a_worker_that_does_not_poll
    task_that_was_resumed_without_a_reply_goes_on
}

/// An engine that loses those replies.
fn losing(world: &World, loses: impl FnMut(Asked) -> bool + Send + 'static, settings: Settings) -> Engine {
    world.engine_through(&world.watched(lost(loses)), NoEvents, settings)
}

fn lost(mut loses: impl FnMut(Asked) -> bool + Send + 'static) -> impl FnMut(Asked) -> Fate + Send + 'static {
    move |asked| if loses(asked) { Fate::Lost } else { Fate::Made }
}

fn the_first_with_outcomes() -> impl FnMut(Asked) -> bool + Send + 'static {
    let mut was_lost = false;
    move |asked| asked.brings && !std::mem::replace(&mut was_lost, true)
}

/// The first reply to a wave, which tells of a claim, and the replies to so many beats.
fn the_first_claim_and_beats(mut beats: usize) -> impl FnMut(Asked) -> bool + Send + 'static {
    let mut waves = 1;
    move |asked| {
        let left = match asked.operation {
            "advance" => &mut waves,
            "beat" => &mut beats,
            _ => return false,
        };
        let is_lost = *left > 0;
        *left = left.saturating_sub(1);
        is_lost
    }
}

/// What comes within an hour of simulated time.
async fn within_an_hour<T>(engine: &Engine, awaited: impl Future<Output = T>) -> T {
    let hour = engine.clock().now() + Duration::from_secs(3600);
    let too_late = engine.clock().sleep_until(hour);
    tokio::select! {
        biased;
        output = awaited => output,
        _ = too_late => panic!("nobody came back for it"),
    }
}

/// A repeated wave is told of all that the worker holds; it had told of some of that before.
async fn claim_that_is_told_again_is_announced_once(world: World) {
    let events = MemoryEventLog::new();
    let watched = world.watched(lost(the_first_with_outcomes()));
    let engine = world.engine_through(&watched, events.clone(), Settings::default());
    let builder = Definition::builder("tests", "two", "1.0.0").step("short", nap(1)).step("long", nap(9));
    let task = engine.start_definition(&builder.build().unwrap(), json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    let mut announced = BTreeMap::new();
    for event in events.all().moves() {
        *announced.entry((event.name.as_str(), event.step, event.transition)).or_insert(0) += 1;
    }
    assert!(announced.values().all(|times| *times == 1), "{announced:#?}");
}

/// A repeated wave is told of the claims whose reply was lost, and claims as much again for the tasks that it wants.
async fn claims_that_are_told_again_keep_to_the_room(world: World) {
    let engine =
        losing(&world, the_first_with_outcomes(), Settings { concurrency: 1, ..Settings::default() });
    let running = Arc::new(AtomicUsize::new(0));
    let alone = |running: &Arc<AtomicUsize>| {
        let running = Arc::clone(running);
        handler_fn(move |call: Call| {
            let running = Arc::clone(&running);
            async move {
                assert_eq!(running.fetch_add(1, Ordering::Relaxed), 0, "there is room for one");
                call.sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::Relaxed);
                Ok(json!(call.attempt()))
            }
        })
    };
    let builder = Definition::builder("tests", "chain", "1.0.0").step("a", alone(&running));
    let chain = builder.step("b", alone(&running)).after(["a"]).build().unwrap();
    let single = Definition::builder("tests", "single", "1.0.0").step("c", alone(&running)).build().unwrap();
    let chain = engine.start_definition(&chain, json!({})).await.unwrap();
    let single = engine.start_definition(&single, json!({})).await.unwrap();
    let (chain, single) = tokio::join!(biased; chain.finished(), single.finished());
    for report in [chain.unwrap(), single.unwrap()] {
        assert!(report.is_complete());
        assert!(
            report.steps().iter().all(|step| step.attempts == 1),
            "nothing failed: {:#?}",
            report.steps()
        );
    }
}

/// A beat hands back a claim whose reply was lost, also when the reply to the beat is lost; what is handed back can run.
async fn claim_that_an_unanswered_beat_handed_back_is_run(world: World) {
    // The second beat is the first that may hand back.
    let engine = losing(&world, the_first_claim_and_beats(2), Settings::default());
    let definition = Definition::builder("tests", "one", "1.0.0").step("a", nap(1)).build().unwrap();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    let report = within_an_hour(&engine, task.finished()).await.unwrap();
    assert_eq!((report.is_complete(), report.steps()[0].attempts), (true, 1));
}

/// A worker for whose tasks nobody waits comes back for what its beat handed back, too.
async fn claim_that_was_handed_back_is_run_by_a_worker_that_does_not_poll(world: World) {
    for beats in [0, 2] {
        let engine = losing(&world, the_first_claim_and_beats(beats), Settings::default());
        let (done, is_done) = oneshot::channel::<()>();
        let done = Mutex::new(Some(done));
        let tells = handler_fn(move |call: Call| {
            drop(done.lock().unwrap().take());
            async move { Ok(json!(call.attempt())) }
        });
        let definition = Definition::builder("tests", "one", "1.0.0").step("a", tells).build().unwrap();
        engine.start_definition(&definition, json!({})).await.unwrap();
        let worker = engine.worker().run_until(std::future::pending());
        let works = async {
            tokio::select! {
                biased;
                _ = is_done => {}
                () = worker => {}
            }
        };
        within_an_hour(&engine, works).await;
    }
}

/// An operator's act whose reply was lost was made all the same, and whoever waits for the task goes on with it.
async fn task_that_was_resumed_without_a_reply_goes_on(world: World) {
    let mut acts = 0;
    let the_second_act = move |asked: Asked| {
        acts += u32::from(asked.operation == "intervene");
        asked.operation == "intervene" && acts == 2
    };
    let engine = losing(&world, the_second_act, Settings::default());
    let definition = Definition::builder("tests", "one", "1.0.0").step("a", nap(1)).build().unwrap();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    task.pause("ada", None).await.unwrap();
    let later = async {
        // Only then, for until then whoever waits has looked and found it paused.
        let _busy = engine.clock().sleep_until(at(1)).await;
        assert!(task.resume("ada").await.is_err(), "the reply is lost");
    };
    let both = async { tokio::join!(biased; task.finished(), later).0 };
    assert!(within_an_hour(&engine, both).await.unwrap().is_complete());
}
