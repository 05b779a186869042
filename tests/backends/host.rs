//! `Engine::handle`, by which hosts with workers of their own drive tasks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{
    Clock, DynQueue, Enqueue, ForeignQueue, Handled, NoEvents, QueueError, Reenqueue, ReenqueueDelays,
    Settings, StepState, TaskId, TaskPhase, TaskState, Timestamp, Wake,
};
use tokio::sync::Notify;

use crate::world::{World, at, constant, fails, nap, on_every_backend};

on_every_backend! {
    each_answer_says_what_a_host_can_do_next
    handler_that_outlives_the_budget_goes_on_and_is_recorded
    pass_whose_time_is_up_says_that_more_is_ready
    pass_answers_within_its_budget_though_the_storage_hangs
    pass_beats_while_it_runs
    many_hosts_at_once_run_each_step_once
    task_without_handlers_here_waits_and_does_not_fail
    host_with_a_queue_drives_a_task_by_what_it_is_told
    host_is_told_of_a_task_again_after_its_back_off
    host_is_told_of_running_steps_by_the_table
    host_is_told_of_ready_steps_by_the_table
    host_is_told_when_a_handler_ends_after_its_pass
    paused_task_is_not_told_of_until_it_is_resumed
    tending_tells_a_host_again_what_its_queue_lost
    tending_takes_steps_from_processes_that_died
}

const BUDGET: Duration = Duration::from_secs(10);

fn one(name: &str, handler: impl tasker::IntoHandler) -> Definition {
    Definition::builder("tests", name, "1.0.0").step("only", handler).build().unwrap()
}

fn two(first: impl tasker::IntoHandler, second: impl tasker::IntoHandler) -> Definition {
    let builder = Definition::builder("tests", "two", "1.0.0").step("first", first);
    builder.step("second", second).after(["first"]).build().unwrap()
}

async fn start(engine: &Engine, definition: &Definition) -> TaskId {
    engine.start_definition(definition, json!({})).await.unwrap().id()
}

async fn each_answer_says_what_a_host_can_do_next(world: World) {
    let engine = world.engine();
    let handle = async |task| engine.handle(task, BUDGET).await.unwrap();

    let flaky = start(&engine, &one("flaky", fails(1))).await;
    assert_eq!(handle(flaky).await, Handled::WakeAt(at(2)));
    assert_eq!(handle(flaky).await, Handled::WakeAt(at(2)), "the same again, and nothing else happens");
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(handle(flaky).await, Handled::Settled(TaskState::Complete));
    assert_eq!(handle(flaky).await, Handled::Settled(TaskState::Complete));

    let broken =
        start(&engine, &one("broken", handler_fn(|_: Call| async { Err(StepError::permanent("no")) }))).await;
    assert_eq!(handle(broken).await, Handled::Settled(TaskState::Error));

    let paused = engine.start_definition(&one("paused", constant(json!(1))), json!({})).await.unwrap();
    paused.pause("ada", None).await.unwrap();
    assert_eq!(handle(paused.id()).await, Handled::Waiting);
    paused.cancel("ada", None).await.unwrap();
    assert_eq!(handle(paused.id()).await, Handled::Settled(TaskState::Cancelled));

    assert_eq!(handle(TaskId(404)).await, Handled::Gone);
    assert_eq!(world.now(), at(2), "no pass waited for anything");
}

/// Makes a pass, which has to answer before its budget is over.
async fn in_time(world: &World, engine: &Engine, task: TaskId) -> Handled {
    let late = world.clock.sleep_until(world.now() + BUDGET);
    tokio::select! {
        biased;
        handled = engine.handle(task, BUDGET) => handled.unwrap(),
        _woken = late => panic!("the budget is over"),
    }
}

async fn handler_that_outlives_the_budget_goes_on_and_is_recorded(world: World) {
    let engine = world.engine();
    let task = start(&engine, &two(nap(100), nap(1))).await;
    assert_eq!(in_time(&world, &engine, task).await, Handled::Waiting);
    assert_eq!(in_time(&world, &engine, task).await, Handled::Waiting, "and does so again");

    let record = world.until(task, |task| task.steps[0].current.state == StepState::Complete).await;
    assert_eq!(record.steps[0].current.since, Some(at(100)));
    assert_eq!(
        (record.steps[0].attempts, record.steps[1].attempts),
        (1, 0),
        "what follows is for the next pass"
    );
    assert_eq!(in_time(&world, &engine, task).await, Handled::Settled(TaskState::Complete));
}

async fn pass_whose_time_is_up_says_that_more_is_ready(world: World) {
    let engine = world.engine_with(Settings { concurrency: 1, ..Settings::default() });
    let builder = Definition::builder("tests", "wide", "1.0.0");
    let task = start(&engine, &builder.step("a", nap(100)).step("b", nap(100)).build().unwrap()).await;
    assert_eq!(in_time(&world, &engine, task).await, Handled::RunAgain);
}

/// In real time, for a simulated clock stands still while somebody waits for a storage. If the pass waited for it, too,
/// the test would not end.
async fn pass_answers_within_its_budget_though_the_storage_hangs(world: World) {
    let engine = world.engine_in_real_time();
    let task = start(&engine, &one("one", constant(json!(1)))).await;
    let hanging = world.storage.hang().await;
    assert_eq!(engine.handle(task, Duration::from_millis(50)).await.unwrap(), Handled::RunAgain);
    drop(hanging);
    let long = Duration::from_secs(3600);
    assert_eq!(engine.handle(task, long).await.unwrap(), Handled::Settled(TaskState::Complete));
}

async fn pass_beats_while_it_runs(world: World) {
    let (host, other) = (world.engine(), world.engine());
    let task = start(&host, &one("long", nap(600))).await;
    let pass = tokio::spawn({
        let host = host.clone();
        async move { host.handle(task, Duration::from_secs(1000)).await.unwrap() }
    });
    for minute in 1..=9 {
        world.sleep_until(at(60 * minute)).await;
        assert_eq!(other.tend().await.unwrap().rescued, 0, "after {minute} minutes");
    }
    assert_eq!(pass.await.unwrap(), Handled::Settled(TaskState::Complete));
    assert_eq!(world.record(task).await.steps[0].attempts, 1);
}

async fn many_hosts_at_once_run_each_step_once(world: World) {
    let ledger: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let step = || {
        let ledger = Arc::clone(&ledger);
        handler_fn(move |call: Call| {
            let ledger = Arc::clone(&ledger);
            async move {
                *ledger.lock().unwrap().entry(call.name().to_string()).or_default() += 1;
                call.sleep(Duration::from_secs(1)).await;
                Ok(json!(null))
            }
        })
    };
    let mut builder = Definition::builder("tests", "crowd", "1.0.0").step("root", step());
    let names: Vec<_> = (0..12).map(|place| format!("s{place}")).collect();
    for name in &names {
        builder = builder.step(name.as_str(), step()).after(["root"]);
    }
    let definition = builder.step("join", step()).after(names.iter().map(String::as_str)).build().unwrap();

    let hosts: Vec<_> = (0..6).map(|_| world.engine()).collect();
    let task = start(&hosts[0], &definition).await;
    for host in &hosts {
        host.learn(&definition).await.unwrap();
    }
    for _ in 0..40 {
        let passes: Vec<_> = hosts
            .iter()
            .map(|host| {
                let host = host.clone();
                tokio::spawn(async move { host.handle(task, BUDGET).await.unwrap() })
            })
            .collect();
        let mut settled = 0;
        for pass in passes {
            match pass.await.unwrap() {
                Handled::Settled(state) => {
                    assert_eq!(state, TaskState::Complete);
                    settled += 1;
                }
                Handled::Waiting | Handled::RunAgain | Handled::WakeAt(_) => {}
                Handled::Gone => panic!("the task is there"),
            }
        }
        if settled == hosts.len() {
            break;
        }
    }
    assert_eq!(hosts[0].handle(task, BUDGET).await.unwrap(), Handled::Settled(TaskState::Complete));
    let ledger = ledger.lock().unwrap();
    assert_eq!(ledger.len(), 14);
    assert!(ledger.values().all(|runs| *runs == 1), "{ledger:?}");
}

async fn task_without_handlers_here_waits_and_does_not_fail(world: World) {
    let (maker, stranger) = (world.engine(), world.engine());
    let task = start(&maker, &one("unknown", constant(json!(1)))).await;
    let mut due = world.now();
    for wait in [1, 2, 4, 8] {
        due = due + Duration::from_secs(wait);
        assert_eq!(stranger.handle(task, BUDGET).await.unwrap(), Handled::WakeAt(due));
        world.clock.advance(Duration::from_secs(wait));
    }
    let report = maker.report(task).await.unwrap();
    assert_eq!((report.phase(), report.steps()[0].attempts), (TaskPhase::Launched, 0));
    assert_eq!(maker.handle(task, BUDGET).await.unwrap(), Handled::Settled(TaskState::Complete));
}

/// A host's queue: what it was told, until a worker takes it.
#[derive(Clone, Default)]
struct Jobs(Arc<JobsInner>);

#[derive(Default)]
struct JobsInner {
    told: Mutex<Vec<Wake>>,
    news: Notify,
}

impl Enqueue for Jobs {
    async fn enqueue(&self, wakes: &[Wake]) -> Result<(), QueueError> {
        self.0.told.lock().unwrap().extend(wakes);
        self.0.news.notify_one();
        Ok(())
    }
}

impl Jobs {
    fn queue(&self) -> Arc<dyn DynQueue> {
        Arc::new(ForeignQueue::new(self.clone()))
    }

    fn take(&self) -> Vec<Wake> {
        std::mem::take(&mut self.0.told.lock().unwrap())
    }

    /// The moments of which it was told, and forgets them.
    fn dues(&self) -> Vec<Timestamp> {
        self.take().iter().map(|wake| wake.due).collect()
    }

    /// Waits until it is told of something.
    async fn news(&self) -> Vec<Wake> {
        loop {
            let wakes = self.take();
            if !wakes.is_empty() {
                return wakes;
            }
            self.0.news.notified().await;
        }
    }

    /// What the host's workers do: a job for each wake, in order, until there are none. Nobody looks at the answers.
    async fn work_off(&self, world: &World, engine: &Engine) -> usize {
        let mut jobs = 0;
        let mut waiting = self.take();
        while let Some(wake) = waiting.iter().min().copied() {
            waiting.retain(|other| *other != wake);
            world.sleep_until(wake.due).await;
            engine.handle(wake.task, BUDGET).await.unwrap();
            jobs += 1;
            waiting.extend(self.take());
        }
        jobs
    }
}

async fn host_with_a_queue_drives_a_task_by_what_it_is_told(world: World) {
    let jobs = Jobs::default();
    let engine = world.engine_on(jobs.queue(), NoEvents, Settings::default());
    let sleepy = {
        let slept = Arc::new(Mutex::new(false));
        handler_fn(move |_: Call| {
            let first = !std::mem::replace(&mut *slept.lock().unwrap(), true);
            async move { if first { Err(StepError::snooze(Duration::from_secs(3600))) } else { Ok(json!(1)) } }
        })
    };
    let builder =
        Definition::builder("tests", "hosted", "1.0.0").step("flaky", fails(2)).step("sleepy", sleepy);
    let definition = builder.step("last", nap(1)).after(["flaky", "sleepy"]).build().unwrap();
    let task = start(&engine, &definition).await;
    let passes = jobs.work_off(&world, &engine).await;
    assert_eq!(world.record(task).await.current.state, TaskState::Complete);
    assert_eq!(passes, 4, "the first look, two retries, and the end of the sleep");
}

async fn host_is_told_of_a_task_again_after_its_back_off(world: World) {
    let jobs = Jobs::default();
    let engine = world.engine_on(jobs.queue(), NoEvents, Settings::default());
    let flaky = start(&engine, &one("flaky", fails(1))).await;
    assert_eq!(jobs.dues(), [at(0)], "a new task, at once");
    engine.handle(flaky, BUDGET).await.unwrap();
    assert_eq!(jobs.dues(), [at(2 + 5)], "the end of the earliest back-off, and the buffer");
    world.clock.advance(Duration::from_secs(7));
    engine.handle(flaky, BUDGET).await.unwrap();
    assert_eq!(jobs.dues(), [], "nothing is left to do");
}

async fn host_is_told_of_running_steps_by_the_table(world: World) {
    let jobs = Jobs::default();
    let engine = world.engine_on(jobs.queue(), NoEvents, Settings::default());
    let long = start(&engine, &one("long", nap(3600))).await;
    jobs.take();
    assert_eq!(in_time(&world, &engine, long).await, Handled::Waiting);
    assert_eq!(jobs.dues(), [at(9 + 10)], "its step runs: processing");

    let delays = ReenqueueDelays { processing: 77, ..ReenqueueDelays::DEFAULT };
    let spacing = Reenqueue { reenqueue_delays: delays, ..Reenqueue::DEFAULT };
    let queue = Arc::new(ForeignQueue::new(jobs.clone()).spaced(spacing));
    let other = world.engine_on(queue, NoEvents, Settings::default());
    other.learn(&one("long", nap(3600))).await.unwrap();
    let _still = world.clock.busy();
    assert_eq!(other.handle(long, BUDGET).await.unwrap(), Handled::Waiting, "its step runs elsewhere");
    assert_eq!(jobs.dues(), [world.now() + Duration::from_secs(77)]);
}

async fn host_is_told_of_ready_steps_by_the_table(world: World) {
    let jobs = Jobs::default();
    let delays = ReenqueueDelays { has_ready_steps: 3, ..ReenqueueDelays::DEFAULT };
    let spacing = Reenqueue { reenqueue_delays: delays, ..Reenqueue::DEFAULT };
    let queue = Arc::new(ForeignQueue::new(jobs.clone()).spaced(spacing));
    let engine = world.engine_on(queue, NoEvents, Settings { concurrency: 1, ..Settings::default() });
    let builder = Definition::builder("tests", "wide", "1.0.0");
    let wide = start(&engine, &builder.step("a", nap(100)).step("b", nap(100)).build().unwrap()).await;
    jobs.take();
    assert_eq!(in_time(&world, &engine, wide).await, Handled::RunAgain);
    assert_eq!(jobs.dues(), [at(9 + 3)], "a step is ready and found no room");
}

async fn host_is_told_when_a_handler_ends_after_its_pass(world: World) {
    let jobs = Jobs::default();
    let engine = world.engine_on(jobs.queue(), NoEvents, Settings::default());
    let task = start(&engine, &two(nap(100), constant(json!(1)))).await;
    jobs.take();
    assert_eq!(engine.handle(task, BUDGET).await.unwrap(), Handled::Waiting);
    jobs.take();
    let told = jobs.news().await;
    assert_eq!(told.iter().map(|wake| (wake.task, wake.due)).collect::<Vec<_>>(), [(task, at(100))]);
    assert_eq!(engine.handle(task, BUDGET).await.unwrap(), Handled::Settled(TaskState::Complete));
}

async fn paused_task_is_not_told_of_until_it_is_resumed(world: World) {
    let jobs = Jobs::default();
    let engine = world.engine_on(jobs.queue(), NoEvents, Settings::default());
    let task = engine.start_definition(&one("paused", constant(json!(1))), json!({})).await.unwrap();
    assert_eq!(jobs.dues(), [at(0)]);
    task.pause("ada", None).await.unwrap();
    assert_eq!(jobs.dues(), []);
    assert_eq!(engine.handle(task.id(), BUDGET).await.unwrap(), Handled::Waiting);
    assert_eq!(jobs.dues(), []);
    task.resume("ada").await.unwrap();
    assert_eq!(jobs.dues(), [at(0)]);
    task.cancel("ada", None).await.unwrap();
    assert_eq!(jobs.dues(), [], "a settled task needs no look");
}

async fn tending_tells_a_host_again_what_its_queue_lost(world: World) {
    let jobs = Jobs::default();
    let engine = world.engine_on(jobs.queue(), NoEvents, Settings::default());
    let lost = start(&engine, &one("lost", fails(1))).await;
    assert_eq!(jobs.dues().len(), 1, "and that one gets lost");
    let tended = engine.tend().await.unwrap();
    assert_eq!((tended.rescued, tended.woken, tended.told), (0, 0, 1));
    let told = jobs.take();
    assert_eq!(told.iter().map(|wake| wake.task).collect::<Vec<_>>(), [lost]);
    assert_eq!(engine.handle(lost, BUDGET).await.unwrap(), Handled::WakeAt(at(2)));
    assert_eq!(engine.tend().await.unwrap().told, 0, "what is due later is not told early");
}

async fn tending_takes_steps_from_processes_that_died(world: World) {
    let engine = world.engine();
    let task = start(&engine, &one("shot", constant(json!(1)))).await;
    world.claimed_by_a_process_that_died(task).await;
    assert_eq!(engine.handle(task, BUDGET).await.unwrap(), Handled::Waiting);
    assert_eq!(engine.tend().await.unwrap().rescued, 0, "it may only be slow");
    world.clock.advance(Duration::from_secs(31));
    assert_eq!(engine.tend().await.unwrap().rescued, 1);
    let step = world.record(task).await.steps.remove(0);
    assert_eq!((step.current.state, step.attempts), (StepState::Error, 1));
    assert_eq!(step.current.metadata["error_class"], tasker::WORKER_LOST);
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(engine.handle(task, BUDGET).await.unwrap(), Handled::Settled(TaskState::Complete));
}

#[test]
fn answers_are_plain_json() {
    for (answer, json) in [
        (Handled::Settled(TaskState::Complete), json!({ "settled": "complete" })),
        (Handled::RunAgain, json!("run_again")),
        (Handled::WakeAt(at(1)), json!({ "wake_at": "1970-01-01T00:00:01.000000Z" })),
        (Handled::Waiting, json!("waiting")),
        (Handled::Gone, json!("gone")),
    ] {
        assert_eq!(serde_json::to_value(answer).unwrap(), json);
        assert_eq!(serde_json::from_value::<Handled>(json).unwrap(), answer);
    }
}
