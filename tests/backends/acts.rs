//! What is asked of an engine and cannot be done: each a typed answer, and nothing half done.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker::payload::Limits;
use tasker::prelude::*;
use tasker::{
    Act, Clock as _, EventName, Handled, Intervened, MemoryEventLog, NotMoved, Refusal, Request, Settings,
    StepCommand, StepId, StepState, StorageError, TaskCommand, TaskId, TaskState,
};
use tokio::sync::Notify;

use crate::world::{World, constant, nap, on_every_backend};

on_every_backend! {
    unknown_task_is_told
    unknown_step_is_told
    moves_that_are_not_allowed_are_refused_and_write_nothing
    caller_that_saw_another_state_is_told_of_the_conflict
    step_that_did_not_fail_is_not_retried
    resolving_needs_a_reason
    blank_or_endless_actors_are_refused
    results_over_the_limit_fail_their_step_for_good
    results_given_by_hand_over_the_limit_are_refused
    stale_outcome_changes_nothing
    act_is_there_already_when_it_comes_again
    request_that_cannot_be_stored_leaves_nothing
}

fn one(step: impl tasker::IntoHandler) -> Definition {
    Definition::builder("tests", "acts", "1.0.0").step("x", step).build().unwrap()
}

fn on_task(command: TaskCommand) -> Act {
    Act::Task { command, expected: None }
}

fn on_step(step: StepId, command: StepCommand) -> Act {
    Act::Step { step, command, expected: None }
}

const fn refused(refusal: Refusal) -> Intervened {
    Intervened::Not(NotMoved::Refused(refusal))
}

async fn unknown_task_is_told(world: World) {
    let engine = world.engine();
    let nowhere = TaskId(404);
    let act = engine.intervene(nowhere, on_task(TaskCommand::Pause), "ada", None).await;
    assert!(matches!(act, Err(EngineError::UnknownTask(task)) if task == nowhere), "{act:?}");
    let act = engine.intervene(nowhere, on_step(StepId(1), StepCommand::Cancel), "ada", None).await;
    assert!(matches!(act, Err(EngineError::UnknownTask(_))), "{act:?}");
    assert!(matches!(engine.report(nowhere).await, Err(EngineError::UnknownTask(_))));
    assert!(matches!(engine.task(nowhere).finished().await, Err(EngineError::UnknownTask(_))));
    assert_eq!(engine.handle(nowhere, Duration::from_secs(1)).await.unwrap(), Handled::Gone);
}

async fn unknown_step_is_told(world: World) {
    let engine = world.engine();
    let (task, other) = (start(&engine).await, start(&engine).await);
    let foreign = world.record(other).await.steps[0].id;
    for step in [StepId(404), foreign] {
        let act = engine.intervene(task, on_step(step, StepCommand::Cancel), "ada", None).await.unwrap();
        assert_eq!(act, refused(Refusal::UnknownStep));
    }
}

async fn start(engine: &Engine) -> TaskId {
    engine.start_definition(&one(constant(json!(1))), json!({})).await.unwrap().id()
}

async fn moves_that_are_not_allowed_are_refused_and_write_nothing(world: World) {
    let engine = world.engine();
    let task = engine.task(start(&engine).await);
    let report = task.finished().await.unwrap();
    let step = report.steps()[0].id;
    let before = world.record(task.id()).await;
    for (act, refusal) in [
        (on_task(TaskCommand::Cancel { force: false }), Refusal::Finished),
        (on_task(TaskCommand::Retry), Refusal::Finished),
        (on_task(TaskCommand::Pause), Refusal::Finished),
        (on_task(TaskCommand::Resume), Refusal::Finished),
        (on_step(step, StepCommand::Cancel), Refusal::TaskFinished),
        (on_step(step, StepCommand::Retry), Refusal::TaskFinished),
        (on_step(step, StepCommand::Reset), Refusal::TaskFinished),
        (on_step(step, StepCommand::Skip), Refusal::TaskFinished),
    ] {
        let answer = engine.intervene(task.id(), act.clone(), "ada", Some("why")).await.unwrap();
        assert_eq!(answer, refused(refusal), "{act:?}");
    }
    assert_eq!(world.record(task.id()).await, before);
}

async fn caller_that_saw_another_state_is_told_of_the_conflict(world: World) {
    let engine = world.engine();
    let task = start(&engine).await;
    let before = world.record(task).await;
    let command = TaskCommand::Cancel { force: false };
    let act = Act::Task { command, expected: Some(TaskState::InProgress) };
    let conflict = engine.intervene(task, act, "ada", None).await.unwrap();
    assert_eq!(conflict, Intervened::Not(NotMoved::TaskConflict { actual: TaskState::Pending }));
    let act = Act::Step {
        step: before.steps[0].id,
        command: StepCommand::Cancel,
        expected: Some(StepState::Error),
    };
    let conflict = engine.intervene(task, act, "ada", None).await.unwrap();
    assert_eq!(conflict, Intervened::Not(NotMoved::StepConflict { actual: StepState::Pending }));
    assert_eq!(world.record(task).await, before);
}

async fn step_that_did_not_fail_is_not_retried(world: World) {
    let engine = world.engine();
    let task = start(&engine).await;
    let step = world.record(task).await.steps[0].id;
    for command in [StepCommand::Retry, StepCommand::Reset] {
        let answer = engine.intervene(task, on_step(step, command), "ada", None).await.unwrap();
        assert_eq!(answer, refused(Refusal::NotFailed));
    }
    let answer = engine.intervene(task, on_task(TaskCommand::Retry), "ada", None).await.unwrap();
    assert_eq!(answer, refused(Refusal::NotFailed));
    let running = engine.start_definition(&one(nap(100)), json!({})).await.unwrap();
    engine.handle(running.id(), Duration::from_secs(1)).await.unwrap();
    let _still = world.clock.busy();
    let step = world.record(running.id()).await.steps[0].id;
    let answer =
        engine.intervene(running.id(), on_step(step, StepCommand::Retry), "ada", None).await.unwrap();
    assert_eq!(answer, refused(Refusal::InProgress));
}

async fn resolving_needs_a_reason(world: World) {
    let engine = world.engine();
    let failing = one(handler_fn(|_: Call| async { Err(StepError::permanent("no")) }));
    let task = engine.start_definition(&failing, json!({})).await.unwrap();
    let step = task.finished().await.unwrap().steps()[0].id;
    let before = world.record(task.id()).await;
    for reason in [None, Some(""), Some(" \t")] {
        for act in [on_task(TaskCommand::Resolve), on_step(step, StepCommand::Resolve { results: None })] {
            let answer = engine.intervene(task.id(), act, "ada", reason).await.unwrap();
            assert_eq!(answer, refused(Refusal::ReasonRequired));
        }
    }
    assert_eq!(world.record(task.id()).await, before);
    let act = on_task(TaskCommand::Resolve);
    let answer = engine.intervene(task.id(), act, "ada", Some("paid by phone")).await.unwrap();
    assert!(matches!(answer, Intervened::Moved { task: TaskState::ResolvedManually, .. }));
}

async fn blank_or_endless_actors_are_refused(world: World) {
    let engine = world.engine();
    let task = start(&engine).await;
    let before = world.record(task).await;
    let act = || on_task(TaskCommand::Pause);
    let blank = engine.intervene(task, act(), " ", None).await;
    assert!(storage_error(&blank, |error| matches!(error, StorageError::Blank("actor"))), "{blank:?}");
    let endless = engine.intervene(task, act(), &"a".repeat(129), None).await;
    let too_long = |error: &StorageError| {
        matches!(error, StorageError::TooLong { field: "actor", max: 128, length: 129 })
    };
    assert!(storage_error(&endless, too_long), "{endless:?}");
    assert_eq!(world.record(task).await, before);
}

fn storage_error<T>(answer: &Result<T, EngineError>, holds: impl Fn(&StorageError) -> bool) -> bool {
    matches!(answer, Err(EngineError::Storage(error)) if holds(error))
}

/// One more than may be stored.
fn too_large() -> String {
    "x".repeat(Limits::default().bytes)
}

async fn results_over_the_limit_fail_their_step_for_good(world: World) {
    let builder = Definition::builder("tests", "large", "1.0.0").step("large", constant(json!(too_large())));
    let definition = builder.step("fine", constant(json!("ab"))).build().unwrap();
    let report =
        world.engine().start_definition(&definition, json!({})).await.unwrap().finished().await.unwrap();
    assert_eq!((report.state(), report.step("large").unwrap().attempts), (TaskState::Error, 1));
    let row = &report.step("large").unwrap().current.metadata;
    assert_eq!((&row["error_class"], &row["permanent"]), (&json!(tasker::NOT_RECORDABLE), &json!(true)));
    assert_eq!(report.output_of::<String>("fine").unwrap(), "ab");
}

async fn results_given_by_hand_over_the_limit_are_refused(world: World) {
    let engine = world.engine();
    let task = start(&engine).await;
    let before = world.record(task).await;
    let act = on_step(before.steps[0].id, StepCommand::Complete { results: Arc::new(json!(too_large())) });
    let answer = engine.intervene(task, act, "ada", None).await;
    assert!(
        storage_error(&answer, |error| matches!(error, StorageError::Payload { field: "results", .. })),
        "{answer:?}"
    );
    assert_eq!(world.record(task).await, before);
}

async fn stale_outcome_changes_nothing(world: World) {
    let log = MemoryEventLog::new();
    let engine = world.engine_on(world.queue(), log.clone(), Settings::default());
    let (started, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell, wait) = (Arc::clone(&started), Arc::clone(&release));
    let step = handler_fn(move |_: Call| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            Ok(json!("too late"))
        }
    });
    let task = engine.start_definition(&one(step), json!({})).await.unwrap();
    let running = tokio::spawn({
        let (engine, id) = (engine.clone(), task.id());
        async move { engine.drive(id).await }
    });
    started.notified().await;
    let step = world.record(task.id()).await.steps[0].id;
    let done =
        engine.intervene(task.id(), on_step(step, StepCommand::Cancel), "ada", Some("changed my mind")).await;
    assert!(matches!(done.unwrap(), Intervened::Moved { .. }));
    assert_eq!(running.await.unwrap().unwrap(), TaskState::Cancelled);
    let before = world.record(task.id()).await;
    release.notify_one();
    while log.of(task.id()).count(EventName::StepOutcomeStale) == 0 {
        tokio::task::yield_now().await;
    }
    let after = world.record(task.id()).await;
    let stands = |record: &tasker::TaskRecord| {
        let step = &record.steps[0];
        (record.current.state, step.current.state, step.attempts, step.results.clone(), step.history.len())
    };
    assert_eq!(stands(&after), stands(&before));
}

async fn act_is_there_already_when_it_comes_again(world: World) {
    let engine = world.engine();
    let task = engine.task(start(&engine).await);
    for _ in 0..2 {
        assert!(matches!(task.pause("ada", None).await.unwrap(), Intervened::Moved { .. }));
        assert_eq!(task.pause("ada", None).await.unwrap(), Intervened::Not(NotMoved::AlreadyThere));
        assert!(matches!(task.resume("ada").await.unwrap(), Intervened::Moved { .. }));
        assert_eq!(task.resume("ada").await.unwrap(), Intervened::Not(NotMoved::AlreadyThere));
    }
    assert!(matches!(task.cancel("ada", None).await.unwrap(), Intervened::Moved { .. }));
    assert_eq!(task.cancel("ada", None).await.unwrap(), Intervened::Not(NotMoved::AlreadyThere));
}

async fn request_that_cannot_be_stored_leaves_nothing(world: World) {
    let engine = world.engine();
    let definition = one(constant(json!(1)));
    let first = start(&engine).await;
    let too_long = Request { reason: "r".repeat(129), ..Request::new(json!({})) };
    let refused = engine.request(&definition, too_long).await;
    assert!(
        storage_error(&refused, |error| matches!(error, StorageError::TooLong { field: "reason", .. })),
        "{refused:?}"
    );
    let odd = engine.request(&definition, Request::new(json!({ "text": "a\0b" }))).await;
    assert!(
        storage_error(&odd, |error| matches!(error, StorageError::Payload { field: "context", .. })),
        "{odd:?}"
    );
    let next = start(&engine).await;
    let between = engine.report(TaskId(first.0 + 1)).await;
    assert!(next.0 == first.0 + 1 || between.is_err(), "no task was made in between");
}
