//! Queues cost time, and nothing else: whole workflows by workers that hear of their tasks by odd queues, late queues, or
//! none.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{
    Delivery, DynQueue, Enqueue, Interest, NoEvents, Queue, QueueError, Request, Settings, StepState, TaskId,
    TaskState, Wake,
};

use crate::odd::Odd;
use crate::world::{World, at, constant, nap, on_every_backend};

on_every_backend! {
    worker_hears_of_new_tasks
    worker_finds_what_was_left_before_it_began
    odd_queues_change_nothing_but_time
    queue_that_fails_changes_nothing_but_time
    queue_that_tells_nothing_changes_nothing_but_time
    task_that_nobody_can_run_is_parked_and_not_spun_on
    task_is_left_to_the_worker_that_has_its_handlers
    steps_that_find_no_room_here_are_taken_elsewhere
    worker_takes_no_more_from_the_queue_than_it_has_room_for
}

/// How often each step of each task ran to its end.
type Ledger = Arc<Mutex<BTreeMap<(TaskId, String), u32>>>;

fn workflow(ledger: &Ledger) -> Definition {
    let mut builder = Definition::builder("tests", "workflow", "1.0.0");
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

/// Workers on engines of their own, which begin with the call and end when it is dropped.
struct Workers(Vec<tokio::task::JoinHandle<()>>);

impl Workers {
    fn on<'a>(engines: impl IntoIterator<Item = &'a Engine>) -> Self {
        let run = |engine: &Engine| tokio::spawn(engine.worker().run_until(std::future::pending()));
        Self(engines.into_iter().map(run).collect())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

async fn start(engine: &Engine, definition: &Definition, count: usize) -> Vec<TaskId> {
    let requests = (0..count).map(|_| Request::new(json!({}))).collect();
    let tasks = engine.request_many(definition, requests).await.unwrap();
    tasks.into_iter().map(|task| task.unwrap().id()).collect()
}

async fn all_complete(world: &World, tasks: &[TaskId]) {
    for task in tasks {
        world.until(*task, |record| record.current.state == TaskState::Complete).await;
    }
}

async fn each_ran_once(world: &World, tasks: &[TaskId], ledger: &Ledger) {
    for task in tasks {
        let record = world.record(*task).await;
        for step in &record.steps {
            let ran = ledger.lock().unwrap().get(&(*task, step.name.to_string())).copied();
            assert_eq!(ran, Some(1), "step {} ran to its end {ran:?} times", step.name);
            let claims = step.history.iter().filter(|row| row.to == StepState::InProgress).count();
            let back = step
                .history
                .iter()
                .filter(|row| row.from == Some(StepState::InProgress) && row.to == StepState::Pending);
            assert_eq!(u32::try_from(claims - back.count()), Ok(step.attempts));
        }
    }
}

async fn worker_hears_of_new_tasks(world: World) {
    let engine = world.engine();
    let _worker = Workers::on([&engine]);
    for _ in 0..5 {
        let tasks = start(&engine, &workflow(&Ledger::default()), 3).await;
        all_complete(&world, &tasks).await;
    }
}

async fn worker_finds_what_was_left_before_it_began(world: World) {
    let ledger = Ledger::default();
    let (maker, engine) = (world.engine_on(Arc::new(Silent), NoEvents, Settings::default()), world.engine());
    // More than a page of wakes.
    let tasks = start(&maker, &workflow(&ledger), 250).await;
    engine.learn(&workflow(&ledger)).await.unwrap();
    let _worker = Workers::on([&engine]);
    all_complete(&world, &tasks).await;
    each_ran_once(&world, &tasks, &ledger).await;
}

async fn odd_queues_change_nothing_but_time(world: World) {
    for seed in 0..8 {
        let ledger = Ledger::default();
        let definition = workflow(&ledger);
        let odd = |number: u64| {
            let queue = Arc::new(Odd::new(world.queue(), seed * 10 + number)) as Arc<dyn DynQueue>;
            world.engine_on(queue, NoEvents, Settings { concurrency: 3, ..Settings::default() })
        };
        let engines = [odd(1), odd(2)];
        for engine in &engines {
            engine.learn(&definition).await.unwrap();
        }
        let _workers = Workers::on(&engines);
        let mut tasks = start(&engines[0], &definition, 4).await;
        tasks.extend(start(&engines[1], &definition, 4).await);
        all_complete(&world, &tasks).await;
        each_ran_once(&world, &tasks, &ledger).await;
    }
}

/// Never tells of anything.
struct Silent;

impl Enqueue for Silent {
    async fn enqueue(&self, _: &[Wake]) -> Result<(), QueueError> {
        Ok(())
    }
}

impl Queue for Silent {
    async fn receive(&self, _: Interest) -> Result<Delivery, QueueError> {
        std::future::pending().await
    }
    async fn try_receive(&self, _: Interest) -> Result<Delivery, QueueError> {
        Ok(Delivery::default())
    }
    async fn ack(&self, _: &[Wake]) -> Result<(), QueueError> {
        Ok(())
    }
}

/// Is never there.
struct Broken;

impl Enqueue for Broken {
    async fn enqueue(&self, _: &[Wake]) -> Result<(), QueueError> {
        Err(QueueError("not there".into()))
    }
}

impl Queue for Broken {
    async fn receive(&self, _: Interest) -> Result<Delivery, QueueError> {
        Err(QueueError("not there".into()))
    }
    async fn try_receive(&self, _: Interest) -> Result<Delivery, QueueError> {
        Err(QueueError("not there".into()))
    }
    async fn ack(&self, _: &[Wake]) -> Result<(), QueueError> {
        Err(QueueError("not there".into()))
    }
}

async fn queue_that_fails_changes_nothing_but_time(world: World) {
    completes_on(&world, Arc::new(Broken)).await;
}

async fn queue_that_tells_nothing_changes_nothing_but_time(world: World) {
    completes_on(&world, Arc::new(Silent)).await;
}

async fn completes_on(world: &World, queue: Arc<dyn DynQueue>) {
    let ledger = Ledger::default();
    let engine = world.engine_on(queue, NoEvents, Settings::default());
    let _worker = Workers::on([&engine]);
    let tasks = start(&engine, &workflow(&ledger), 3).await;
    all_complete(world, &tasks).await;
    each_ran_once(world, &tasks, &ledger).await;
}

async fn task_that_nobody_can_run_is_parked_and_not_spun_on(world: World) {
    let (maker, stranger) = (world.engine(), world.engine());
    let unknown = start(
        &maker,
        &Definition::builder("tests", "unknown", "1.0.0").step("x", constant(json!(1))).build().unwrap(),
        3,
    )
    .await;
    let idle = {
        let _worker = Workers::on([&stranger]);
        world.sleep_until(at(60)).await;
        let before = world.storage.calls();
        world.sleep_until(at(60 + 3600)).await;
        world.storage.calls() - before
    };
    // Looking after others takes two calls every quarter of a minute, and asking what is due one every two seconds.
    let looks = idle.saturating_sub(3600 / 15 * 2 + 3600 / 2);
    assert!(looks <= 3 * 2 * 70, "{looks} calls in an hour of nothing but waiting");
    for task in unknown {
        let report = maker.report(task).await.unwrap();
        assert_eq!(
            (report.state(), report.steps()[0].attempts),
            (TaskState::Pending, 0),
            "it waits, it did not fail"
        );
    }
}

async fn task_is_left_to_the_worker_that_has_its_handlers(world: World) {
    let (maker, stranger, able) = (world.engine(), world.engine(), world.engine());
    let definition =
        Definition::builder("tests", "able", "1.0.0").step("x", constant(json!(1))).build().unwrap();
    able.learn(&definition).await.unwrap();
    let _workers = Workers::on([&stranger, &stranger, &able]);
    for _ in 0..10 {
        let tasks = start(&maker, &definition, 2).await;
        all_complete(&world, &tasks).await;
    }
}

async fn steps_that_find_no_room_here_are_taken_elsewhere(world: World) {
    let small = || world.engine_with(Settings { concurrency: 1, ..Settings::default() });
    let (first, second) = (small(), small());
    let meet = Arc::new(tokio::sync::Barrier::new(2));
    let step = || {
        let meet = Arc::clone(&meet);
        handler_fn(move |_: Call| {
            let meet = Arc::clone(&meet);
            async move {
                // Only if both run at the same time does either come to its end.
                meet.wait().await;
                Ok(json!(1))
            }
        })
    };
    let definition =
        Definition::builder("tests", "pair", "1.0.0").step("a", step()).step("b", step()).build().unwrap();
    second.learn(&definition).await.unwrap();
    let _workers = Workers::on([&first, &second]);
    // Handlers that wait for one another keep a simulated clock still: nobody looks by himself, somebody has to be told.
    let tasks = start(&first, &definition, 3).await;
    all_complete(&world, &tasks).await;
}

/// Notes how much is asked for, and hands out nothing.
struct Asked(Mutex<Vec<usize>>, Arc<dyn DynQueue>);

impl Enqueue for Asked {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        Enqueue::enqueue(&self.1, wakes).await
    }
}

impl Queue for Asked {
    async fn receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        self.0.lock().unwrap().push(interest.limit);
        Queue::receive(&self.1, interest).await
    }
    async fn try_receive(&self, interest: Interest) -> Result<Delivery, QueueError> {
        self.0.lock().unwrap().push(interest.limit);
        Queue::try_receive(&self.1, interest).await
    }
    async fn ack(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        Queue::ack(&self.1, wakes).await
    }
    fn finds_stored_wakes(&self) -> bool {
        Queue::finds_stored_wakes(&self.1)
    }
}

async fn worker_takes_no_more_from_the_queue_than_it_has_room_for(world: World) {
    let queue = Arc::new(Asked(Mutex::default(), world.queue()));
    let dynamic = Arc::clone(&queue) as Arc<dyn DynQueue>;
    let engine = world.engine_on(dynamic, NoEvents, Settings { concurrency: 4, ..Settings::default() });
    let definition = Definition::builder("tests", "nap", "1.0.0").step("x", nap(10)).build().unwrap();
    let _worker = Workers::on([&engine]);
    let tasks = start(&engine, &definition, 30).await;
    all_complete(&world, &tasks).await;
    let asked = queue.0.lock().unwrap();
    assert!(asked.iter().all(|limit| (1..=4).contains(limit)), "{asked:?}");
}
