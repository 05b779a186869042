//! Who gets the places of a worker, when there are not enough for all.
//!
//! The bounds leave room for processes that hear of one another in real time while the time of the steps is simulated.

use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{Clock as _, NoEvents, Request, Settings, StepState, TaskId, TaskState, Timestamp};

use crate::world::watched::Fate;
use crate::world::{World, at, nap, on_every_backend};
use crate::{moment, naps};

on_every_backend! {
    small_tasks_do_not_wait_until_a_huge_one_is_done
    small_tasks_do_not_wait_until_long_chains_are_done
    a_single_place_goes_round
    namespaces_share_the_places
    a_handler_runs_no_more_steps_at_a_time_than_it_has_room_for
    what_has_no_room_here_is_taken_by_another_worker
}

fn with_places(places: usize) -> Settings {
    Settings { concurrency: places, poll: Some(Duration::from_secs(2)), ..Settings::default() }
}

/// When a task was settled.
async fn settled_at(engine: &Engine, task: TaskId) -> Timestamp {
    let report = engine.report(task).await.unwrap();
    assert_eq!(report.state(), TaskState::Complete, "task {task}");
    report.record().history.last().unwrap().at
}

async fn start(engine: &Engine, definition: &Definition, tasks: usize) -> Vec<TaskId> {
    let requests = (0..tasks).map(|_| Request::new(json!({}))).collect();
    let tasks = engine.request_many(definition, requests).await.unwrap();
    tasks.into_iter().map(|task| task.unwrap().id()).collect()
}

/// Steps that wait for one another and sleep a second each.
pub(crate) fn chain(length: usize) -> Definition {
    let first = Definition::builder("tests", "chain", "1.0.0").step("s0", nap(1));
    let link = |builder: tasker::DefinitionBuilder, step: usize| {
        builder.step(format!("s{step}"), nap(1)).after([format!("s{}", step - 1)])
    };
    (1..length).fold(first, link).build().unwrap()
}

async fn small_tasks_do_not_wait_until_a_huge_one_is_done(world: World) {
    let engine = world.engine_with(with_places(4));
    let huge = start(&engine, &naps("huge", 400, 1), 1).await[0];
    let small = start(&engine, &naps("small", 1, 1), 20).await;
    engine.worker().run_until(moment(&world.clock, at(300))).await;
    let all = settled_at(&engine, huge).await;
    assert_eq!(all, at(105), "no place was ever empty: 420 steps of a second on four places");
    for task in small {
        let at_last = settled_at(&engine, task).await;
        assert!(at_last <= at(20), "task {task} waited until {at_last}");
    }
}

async fn small_tasks_do_not_wait_until_long_chains_are_done(world: World) {
    let engine = world.engine_with(with_places(4));
    let long = start(&engine, &chain(100), 4).await;
    let small = start(&engine, &naps("small", 1, 1), 20).await;
    engine.worker().run_until(moment(&world.clock, at(300))).await;
    for task in small {
        let at_last = settled_at(&engine, task).await;
        assert!(at_last <= at(20), "task {task} waited until {at_last}");
    }
    for task in long {
        assert!(settled_at(&engine, task).await <= at(110), "they have their share, too");
    }
}

async fn a_single_place_goes_round(world: World) {
    let engine = world.engine_with(with_places(1));
    let long = start(&engine, &chain(50), 1).await[0];
    let small = start(&engine, &naps("small", 1, 1), 5).await;
    engine.worker().run_until(moment(&world.clock, at(100))).await;
    for task in small {
        assert!(settled_at(&engine, task).await <= at(20), "task {task}");
    }
    assert_eq!(settled_at(&engine, long).await, at(55));
}

async fn namespaces_share_the_places(world: World) {
    let engine = world.engine_with(with_places(4));
    let in_namespace =
        |name: &str| Definition::builder(name, "nap", "1.0.0").step("s", nap(1)).build().unwrap();
    let crowd = start(&engine, &in_namespace("crowd"), 200).await;
    let few = start(&engine, &in_namespace("few"), 8).await;
    engine.worker().run_until(moment(&world.clock, at(300))).await;
    for task in few {
        let at_last = settled_at(&engine, task).await;
        assert!(at_last <= at(10), "task {task} waited until {at_last}");
    }
    for task in crowd {
        assert!(settled_at(&engine, task).await <= at(60), "task {task}");
    }
}

/// A step of its own handler, and one that any number may run of.
fn mixed(limited: usize, others: usize) -> Definition {
    let named = |name: &'static str| {
        let nap = handler_fn(|call: Call| async move {
            call.sleep(Duration::from_secs(1)).await;
            Ok(json!(null))
        });
        nap.named(name)
    };
    let builder = Definition::builder("tests", "mixed", "1.0.0");
    let builder =
        (0..limited).fold(builder, |builder, step| builder.step(format!("mail_{step}"), named("mail")));
    let builder =
        (0..others).fold(builder, |builder, step| builder.step(format!("other_{step}"), named("other")));
    builder.build().unwrap()
}

async fn a_handler_runs_no_more_steps_at_a_time_than_it_has_room_for(world: World) {
    let watched = world.watched(|_| Fate::Made);
    let settings = Settings { handler_rooms: [("mail".into(), 2)].into(), ..with_places(64) };
    let engine = world.engine_through(&watched, NoEvents, settings);
    let tasks = start(&engine, &mixed(2, 2), 15).await;
    engine.worker().run_until(moment(&world.clock, at(60))).await;
    let mut mails: Vec<Timestamp> = vec![];
    for task in tasks {
        let report = engine.report(task).await.unwrap();
        assert_eq!(report.state(), TaskState::Complete);
        for step in report.steps() {
            let begun = step.history.iter().find(|row| row.to == StepState::InProgress).unwrap().at;
            if step.name.as_str().starts_with("mail") {
                mails.push(begun);
            } else {
                assert_eq!(begun, at(0), "others do not wait for them");
            }
        }
    }
    mails.sort();
    let expected: Vec<_> = (0..15).flat_map(|second| [at(second); 2]).collect();
    assert_eq!(mails, expected, "two at a time, and always two");
    // Each of the thirty mails ends in one call, and brings one task that has waited to be looked at.
    assert!(watched.calls("advance") < 60, "nothing spins: {} calls", watched.calls("advance"));
}

async fn what_has_no_room_here_is_taken_by_another_worker(world: World) {
    let limited = Settings { handler_rooms: [("mail".into(), 1)].into(), ..with_places(64) };
    let hold = world.clock.busy();
    let first = world.engine_with(limited);
    let second = world.engine_with(with_places(64));
    let definition = mixed(5, 0);
    let tasks = start(&first, &definition, 4).await;
    second.learn(&definition).await.unwrap();
    let until = world.now() + Duration::from_secs(30);
    let one = tokio::spawn(first.worker().run_until(moment(&world.clock, until)));
    let two = tokio::spawn(second.worker().run_until(moment(&world.clock, until)));
    tokio::task::yield_now().await;
    drop(hold);
    one.await.unwrap();
    two.await.unwrap();
    for task in tasks {
        assert!(
            settled_at(&first, task).await <= at(12),
            "twenty mails by one worker alone take as many seconds"
        );
    }
}
