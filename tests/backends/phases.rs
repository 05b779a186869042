//! The richer words, on tasks that were brought to every one of them.

use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{Act, Clock as _, Fixed, Request, StepCommand, StepPhase, TaskId, TaskPhase};

use crate::world::{World, constant, fails, nap, on_every_backend};

on_every_backend! {
    task_goes_through_its_phases
    step_goes_through_its_phases
    report_as_json_says_what_everything_is_doing
}

const SHORT: Duration = Duration::from_secs(1);

fn never() -> impl tasker::IntoHandler {
    handler_fn(|_: Call| async { Err(StepError::permanent("no")) })
}

async fn phase(engine: &Engine, task: TaskId) -> TaskPhase {
    engine.report(task).await.unwrap().phase()
}

async fn step_phase(engine: &Engine, task: TaskId, step: &str) -> StepPhase {
    let report = engine.report(task).await.unwrap();
    report.step_phase(report.step(step).unwrap())
}

async fn task_goes_through_its_phases(world: World) {
    let engine = world.engine();
    let start = async |builder: tasker::DefinitionBuilder| {
        engine.start_definition(&builder.build().unwrap(), json!({})).await.unwrap()
    };
    let builder = |name: &str| Definition::builder("tests", name, "1.0.0");

    let task = start(builder("plain").step("a", constant(json!(1)))).await;
    assert_eq!(phase(&engine, task.id()).await, TaskPhase::Launched);
    task.pause("ada", None).await.unwrap();
    assert_eq!(phase(&engine, task.id()).await, TaskPhase::Paused);
    task.resume("ada").await.unwrap();
    assert_eq!(phase(&engine, task.id()).await, TaskPhase::Running, "its first step is ready");
    task.finished().await.unwrap();
    assert_eq!(phase(&engine, task.id()).await, TaskPhase::Completed);

    let task = start(builder("retried").step("a", fails(1)).retry_policy(Fixed { seconds: 60.0 })).await;
    engine.handle(task.id(), SHORT).await.unwrap();
    assert_eq!(phase(&engine, task.id()).await, TaskPhase::WaitingForRetry);
    task.cancel("ada", None).await.unwrap();
    assert_eq!(phase(&engine, task.id()).await, TaskPhase::Cancelled);

    let running = start(builder("running").step("bad", never()).step("long", nap(100_000))).await;
    engine.handle(running.id(), SHORT).await.unwrap();
    let still = world.clock.busy();
    assert_eq!(
        phase(&engine, running.id()).await,
        TaskPhase::Running,
        "a blocked branch does not hide a live one"
    );
    drop(still);
    running.cancel("ada", None).await.unwrap();

    let task = start(builder("failed").step("a", never())).await;
    task.finished().await.unwrap();
    assert_eq!(phase(&engine, task.id()).await, TaskPhase::Failed);
    let resolve = Act::Task { command: tasker::TaskCommand::Resolve, expected: None };
    engine.intervene(task.id(), resolve, "ada", Some("by phone")).await.unwrap();
    assert_eq!(phase(&engine, task.id()).await, TaskPhase::ResolvedManually);
}

async fn step_goes_through_its_phases(world: World) {
    let engine = world.engine();
    let builder =
        Definition::builder("tests", "steps", "1.0.0").step("first", constant(json!(1))).skippable();
    let builder = builder.step("flaky", fails(1)).retry_policy(Fixed { seconds: 60.0 });
    let builder =
        builder.step("bad", never()).step("long", nap(100_000)).step("last", nap(1)).after(["long", "flaky"]);
    let definition = builder.build().unwrap();
    let request = Request { bypass_steps: vec!["first".into()], ..Request::new(json!({})) };
    let task = engine.request(&definition, request).await.unwrap();
    let of = async |step| step_phase(&engine, task.id(), step).await;
    assert_eq!(
        (of("first").await, of("flaky").await, of("last").await),
        (StepPhase::Skipped, StepPhase::Ready, StepPhase::Pending)
    );
    engine.handle(task.id(), SHORT).await.unwrap();
    let still = world.clock.busy();
    assert_eq!((of("flaky").await, of("bad").await), (StepPhase::WaitingForRetry, StepPhase::Failed));
    assert_eq!(of("long").await, StepPhase::Running);
    let step = async |name: &str| world.record(task.id()).await.step(name).unwrap().id;
    let act = |step, command| Act::Step { step, command, expected: None };
    let complete = StepCommand::Complete { results: std::sync::Arc::new(json!(1)) };
    engine.intervene(task.id(), act(step("flaky").await, complete), "ada", None).await.unwrap();
    let resolve = StepCommand::Resolve { results: None };
    engine.intervene(task.id(), act(step("bad").await, resolve), "ada", Some("by phone")).await.unwrap();
    engine.intervene(task.id(), act(step("long").await, StepCommand::Cancel), "ada", None).await.unwrap();
    assert_eq!((of("flaky").await, of("bad").await), (StepPhase::Completed, StepPhase::ResolvedManually));
    assert_eq!((of("long").await, of("last").await), (StepPhase::Cancelled, StepPhase::Cancelled));
    drop(still);
}

async fn report_as_json_says_what_everything_is_doing(world: World) {
    let engine = world.engine();
    let builder = Definition::builder("tests", "json", "1.0.0")
        .step("a", fails(1))
        .retry_policy(Fixed { seconds: 60.0 });
    let definition = builder.step("b", constant(json!(1))).after(["a"]).build().unwrap();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    engine.handle(task.id(), SHORT).await.unwrap();
    let report = serde_json::to_value(task.report().await.unwrap()).unwrap();
    assert_eq!(
        (&report["phase"], &report["current"]["state"]),
        (&json!("waiting_for_retry"), &json!("in_progress"))
    );
    let steps = report["steps"].as_array().unwrap();
    let phases: Vec<_> = steps.iter().map(|step| (step["name"].clone(), step["phase"].clone())).collect();
    assert_eq!(phases, [(json!("a"), json!("waiting_for_retry")), (json!("b"), json!("pending"))]);
}
