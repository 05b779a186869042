//! What the hooks of a workflow hear.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{
    Act, Hooks, Intervened, Moved, MovedTo, StepCommand, StepState, TaskCommand, TaskId, TaskState,
};

use crate::world::{World, constant, fails, nap, on_every_backend};

on_every_backend! {
    every_move_is_told_once_and_in_the_order_of_the_task
    operators_acts_are_told
    each_process_tells_of_its_own_moves
    rescued_steps_are_told
    failing_and_panicking_hooks_change_nothing
    slow_hook_holds_up_no_other_task
    task_that_is_complete_at_once_is_told_to_be_settled
}

/// Notes what it is told.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>, Arc<Mutex<Vec<Moved>>>);

impl Notes {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    /// Waits until that many were noted.
    async fn at_least(&self, count: usize) -> Vec<String> {
        while self.all().len() < count {
            tokio::task::yield_now().await;
        }
        self.all()
    }
}

#[async_trait::async_trait]
impl Hooks for Notes {
    async fn moved(&self, moved: &Moved) -> Result<(), String> {
        let what = match &moved.to {
            MovedTo::Task(state) => format!("task {state}"),
            MovedTo::Step { name, state, .. } => format!("{} {state}", name.as_ref().unwrap()),
        };
        self.0.lock().unwrap().push(what);
        self.1.lock().unwrap().push(moved.clone());
        Ok(())
    }
    async fn settled(&self, _: TaskId, state: TaskState) -> Result<(), String> {
        self.0.lock().unwrap().push(format!("settled {state}"));
        Ok(())
    }
}

fn chain(first: impl tasker::IntoHandler, hooks: impl Hooks) -> Definition {
    let builder = Definition::builder("tests", "chain", "1.0.0").step("a", first);
    builder.step("b", constant(json!(1))).after(["a"]).hooks(hooks).build().unwrap()
}

async fn every_move_is_told_once_and_in_the_order_of_the_task(world: World) {
    let notes = Notes::default();
    let task = world.engine().start_definition(&chain(fails(1), notes.clone()), json!({})).await.unwrap();
    task.finished().await.unwrap();
    let told = notes.at_least(9).await;
    let expected = [
        "task in_progress",
        "a in_progress",
        "a error",
        "a in_progress",
        "a complete",
        "b in_progress",
        "b complete",
        "task complete",
        "settled complete",
    ];
    assert_eq!(told, expected);
    // Each names its row.
    let record = world.record(task.id()).await;
    for moved in notes.1.lock().unwrap().iter() {
        assert_eq!(moved.task, task.id());
        let at = match &moved.to {
            MovedTo::Task(state) => {
                record.history.iter().find(|row| row.id == moved.by && row.to == *state).unwrap().at
            }
            MovedTo::Step { step, state, .. } => {
                let step = record.steps.iter().find(|other| other.id == *step).unwrap();
                step.history.iter().find(|row| row.id == moved.by && row.to == *state).unwrap().at
            }
        };
        assert_eq!(at, moved.at);
    }
}

async fn operators_acts_are_told(world: World) {
    let notes = Notes::default();
    let definition = chain(handler_fn(|_: Call| async { Err(StepError::permanent("no")) }), notes.clone());
    let engine = world.engine();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    task.pause("ada", None).await.unwrap();
    task.resume("ada").await.unwrap();
    assert_eq!(notes.at_least(2).await, ["task pending", "task pending"]);
    let step = task.finished().await.unwrap().steps()[0].id;
    assert_eq!(
        notes.at_least(7).await[2..],
        ["task in_progress", "a in_progress", "a error", "task error", "settled error"]
    );
    // Another process, which has learned the workflow and not met the task.
    let other = world.engine();
    other.learn(&definition).await.unwrap();
    let act = Act::Step { step, command: StepCommand::Reset, expected: None };
    assert!(matches!(other.intervene(task.id(), act, "ada", None).await.unwrap(), Intervened::Moved { .. }));
    assert_eq!(notes.at_least(9).await[7..], ["a pending", "task pending"]);
    let cancel = Act::Task { command: TaskCommand::Cancel { force: false }, expected: None };
    other.intervene(task.id(), cancel, "ada", None).await.unwrap();
    assert_eq!(
        notes.at_least(13).await[9..],
        ["a cancelled", "b cancelled", "task cancelled", "settled cancelled"]
    );
    // One that knows nothing of it tells nobody, and does it all the same.
    let force = Act::Task { command: TaskCommand::Cancel { force: true }, expected: None };
    world.engine().intervene(task.id(), force, "ada", None).await.unwrap();
    assert_eq!(notes.all().len(), 13);
}

async fn each_process_tells_of_its_own_moves(world: World) {
    let (here, there) = (Notes::default(), Notes::default());
    let (first, second) = (world.engine(), world.engine());
    let task = first.start_definition(&chain(nap(100), here.clone()), json!({})).await.unwrap();
    first.handle(task.id(), Duration::from_secs(1)).await.unwrap();
    world.until(task.id(), |task| task.steps[0].current.state == StepState::Complete).await;
    assert_eq!(here.at_least(3).await, ["task in_progress", "a in_progress", "a complete"]);
    // The same workflow with other hooks: they are no part of what is stored.
    second.learn(&chain(nap(100), there.clone())).await.unwrap();
    second.task(task.id()).finished().await.unwrap();
    assert_eq!(there.at_least(4).await, ["b in_progress", "b complete", "task complete", "settled complete"]);
    assert_eq!(here.all().len(), 3);
}

async fn rescued_steps_are_told(world: World) {
    let notes = Notes::default();
    let engine = world.engine();
    let task = engine.start_definition(&chain(constant(json!(1)), notes.clone()), json!({})).await.unwrap();
    world.claimed_by_a_process_that_died(task.id()).await;
    world.clock.advance(Duration::from_secs(40));
    engine.tend().await.unwrap();
    assert_eq!(notes.at_least(1).await, ["a error"]);
}

struct Bad;

#[async_trait::async_trait]
impl Hooks for Bad {
    async fn moved(&self, moved: &Moved) -> Result<(), String> {
        if moved.at == tasker::Timestamp::EPOCH { Err("not that one".into()) } else { panic!("nor that one") }
    }
    async fn settled(&self, _: TaskId, _: TaskState) -> Result<(), String> {
        panic!("and not that")
    }
}

async fn failing_and_panicking_hooks_change_nothing(world: World) {
    let engine = world.engine();
    for _ in 0..2 {
        let task = engine.start_definition(&chain(fails(1), Bad), json!({})).await.unwrap();
        assert!(task.finished().await.unwrap().is_complete());
    }
}

/// Waits for a signal the first time.
struct Slow(Arc<tokio::sync::Notify>, Mutex<Option<TaskId>>, Notes);

#[async_trait::async_trait]
impl Hooks for Slow {
    async fn moved(&self, moved: &Moved) -> Result<(), String> {
        let first = {
            let mut first = self.1.lock().unwrap();
            let none = first.is_none();
            *first.get_or_insert(moved.task) == moved.task && none
        };
        if first {
            self.0.notified().await;
        }
        self.2.moved(moved).await
    }
}

async fn slow_hook_holds_up_no_other_task(world: World) {
    let (go, notes) = (Arc::new(tokio::sync::Notify::new()), Notes::default());
    let definition = chain(constant(json!(1)), Slow(Arc::clone(&go), Mutex::default(), notes.clone()));
    let engine = world.engine();
    let slow = engine.start_definition(&definition, json!({})).await.unwrap();
    assert!(slow.finished().await.unwrap().is_complete());
    assert_eq!(notes.all().len(), 0);
    let quick = engine.start_definition(&definition, json!({})).await.unwrap();
    assert!(quick.finished().await.unwrap().is_complete());
    notes.at_least(6).await;
    assert!(notes.1.lock().unwrap().iter().all(|moved| moved.task == quick.id()));
    go.notify_one();
    let told = notes.at_least(12).await;
    assert_eq!(told[6..], told[..6], "in order, although the first took long");
}

async fn task_that_is_complete_at_once_is_told_to_be_settled(world: World) {
    let notes = Notes::default();
    let empty = Definition::builder("tests", "empty", "1.0.0").hooks(notes.clone()).build().unwrap();
    world.engine().start_definition(&empty, json!({})).await.unwrap();
    assert_eq!(notes.at_least(1).await, ["settled complete"]);
}
