//! Whole workflows on every backend, mostly on a simulated clock: what a run comes to, and when. What is refused before
//! anything runs asks no storage, and is tested without one.

mod world;

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{
    Act, BuildError, Entry, EventName, Handled, Hooks, Intervened, MemoryEventLog, NotMoved, PANIC, Parent,
    Refusal, Request, Settings, SettingsError, SpawnRequest, StepCommand, StepName, StepState, TIMEOUT,
    TaskCommand, TaskId, TaskPhase, TaskPlan, TaskState, Timestamp, handler_fn,
};
use world::{World, at, constant, fails, nap, on_every_backend};

on_every_backend! {
    a_diamond_passes_outputs_along_its_edges
    many_tasks_at_once_all_finish @ 2
    a_failure_is_retried_after_two_and_four_seconds
    a_step_that_used_up_its_attempts_blocks_its_branch_alone
    a_permanent_error_is_not_retried_and_a_retry_of_the_task_runs_it_again
    six_hours_of_retry_after_take_no_time
    a_retry_policy_decides_the_wait_alone
    a_snooze_costs_no_attempt
    a_panic_is_a_failed_attempt_and_the_engine_lives
    an_attempt_past_its_timeout_is_dropped_where_it_waits
    steps_sleep_side_by_side_and_the_makespan_is_the_longest_path
    a_handler_may_sleep_in_two_futures_at_once
    a_join_waits_for_the_steps_that_were_added_while_running
    a_context_that_does_not_fit_is_refused_with_its_path_and_nothing_is_stored
    an_output_that_cannot_be_stored_fails_its_step_for_good
    a_paused_task_claims_nothing_until_it_is_resumed
    whoever_waits_for_a_paused_task_is_woken_by_its_resumption
    cancelling_a_task_fences_what_runs
    an_operator_resets_a_blocked_step_and_the_task_goes_on
    handle_tells_a_foreign_host_what_to_do_next
    a_worker_runs_every_task_and_stops_when_told @ 2
    a_stopping_worker_lets_steps_end_within_its_grace_and_cuts_off_the_others
    dropping_the_wait_stops_claiming_and_loses_nothing
    one_step_at_a_time_is_kept
    concurrency_bounds_what_runs_at_a_time
    an_identical_request_is_a_duplicate
    a_skippable_step_is_passed_over_on_request
    hooks_plan_before_the_write_and_hear_of_the_settlement
    events_tell_each_fact_once_and_in_order
    a_task_without_steps_is_complete_at_once
    a_forced_cancel_of_a_complete_task_needs_force
    a_missing_resource_is_refused_when_the_definition_is_learned
    a_task_whose_handlers_are_not_here_waits_untouched
}

/// Sums what its parents yielded, and adds one.
fn sum() -> impl tasker::IntoHandler {
    handler_fn(|call: Call| async move {
        let parents: StepResult<Vec<Option<u64>>> = call.parents().iter().map(Parent::output).collect();
        Ok(json!(1 + parents?.into_iter().flatten().sum::<u64>()))
    })
}

fn diamond() -> Definition {
    let builder = Definition::builder("tests", "diamond", "1.0.0");
    let builder = builder.step("a", sum()).step("b", sum()).after(["a"]).step("c", sum()).after(["a"]);
    builder.step("d", sum()).after(["b", "c"]).build().expect("a diamond is a DAG")
}

async fn a_diamond_passes_outputs_along_its_edges(world: World) {
    let engine = world.engine();
    let task = engine.start_definition(&diamond(), json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Complete);
    assert_eq!(report.output_of::<u64>("d").unwrap(), 5);
    assert!(report.record().complete);
}

async fn many_tasks_at_once_all_finish(world: World) {
    let engine = world.engine_in_real_time();
    let requests = (0..500).map(|_| Request::new(json!({}))).collect();
    let tasks = engine.request_many(&diamond(), requests).await.unwrap();
    let runs: Vec<_> =
        tasks.into_iter().map(|task| tokio::spawn(async move { task.unwrap().finished().await })).collect();
    for run in runs {
        assert_eq!(run.await.unwrap().unwrap().output_of::<u64>("d").unwrap(), 5);
    }
}

async fn a_failure_is_retried_after_two_and_four_seconds(world: World) {
    let definition = Definition::builder("tests", "retry", "1.0.0").step("flaky", fails(2)).build().unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.output_of::<u32>("flaky").unwrap(), 3);
    assert_eq!(report.retries(), 2);
    let claimed: Vec<_> =
        report.steps()[0].history.iter().filter(|row| row.to == StepState::InProgress).collect();
    let claimed: Vec<_> = claimed.iter().map(|row| row.at).collect();
    assert_eq!(claimed, [at(0), at(2), at(6)]);
}

async fn a_step_that_used_up_its_attempts_blocks_its_branch_alone(world: World) {
    let definition = Definition::builder("tests", "blocked", "1.0.0")
        .step("bad", fails(99))
        .retry_limit(2)
        .step("below", sum())
        .after(["bad"])
        .step("good", sum())
        .step("better", sum())
        .after(["good"])
        .build()
        .unwrap();
    let report = world.engine().start_definition(&definition, json!({})).await.unwrap();
    let report = report.finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Error);
    assert_eq!(report.output_of::<u64>("better").unwrap(), 2, "a dead branch does not stop a live one");
    assert_eq!(report.blocked().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["bad"]);
    assert_eq!(report.error_of("bad"), Some("not yet"));
    assert_eq!(report.step("below").unwrap().attempts, 0);
    assert_eq!(report.step("bad").unwrap().attempts, 2);
    let last = report.record().history.last().unwrap();
    assert_eq!(last.metadata, json!({ "reason": "steps_in_error_state", "error_steps": ["bad"] }));
}

async fn a_permanent_error_is_not_retried_and_a_retry_of_the_task_runs_it_again(world: World) {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let step = handler_fn(move |_: Call| {
        let first = counted.fetch_add(1, Ordering::Relaxed) == 0;
        async move {
            if first {
                Err(StepError::permanent("card declined").code("DECLINED"))
            } else {
                Ok(json!("paid"))
            }
        }
    });
    let definition = Definition::builder("tests", "permanent", "1.0.0").step("pay", step).build().unwrap();
    let engine = world.engine();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!((report.state(), calls.load(Ordering::Relaxed)), (TaskState::Error, 1));
    let row = report.steps()[0].history.last().unwrap();
    assert_eq!(row.metadata["error_code"], "DECLINED");
    assert_eq!(row.metadata["permanent"], true);

    assert!(matches!(task.retry("ada").await.unwrap(), Intervened::Moved { task: TaskState::Pending, .. }));
    let report = task.finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Complete);
    assert_eq!(report.output_of::<String>("pay").unwrap(), "paid");
}

async fn six_hours_of_retry_after_take_no_time(world: World) {
    let step = handler_fn(|call: Call| async move {
        match call.attempt() {
            1..=72 => Err(StepError::retry_after(Duration::from_secs(300), "busy")),
            _ => Ok(json!("done")),
        }
    });
    let definition =
        Definition::builder("tests", "patient", "1.0.0").step("wait", step).retry_limit(100).build().unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    assert_eq!(world.now(), at(6 * 3600));
}

async fn a_retry_policy_decides_the_wait_alone(world: World) {
    let policy = tasker::Fixed { seconds: 0.05 };
    let definition = Definition::builder("tests", "policy", "1.0.0")
        .step("flaky", fails(2))
        .retry_policy(policy)
        .build()
        .unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    assert_eq!(world.now(), Timestamp::EPOCH + Duration::from_millis(100));
}

async fn a_snooze_costs_no_attempt(world: World) {
    let times = Arc::new(AtomicU32::new(0));
    let step = handler_fn(move |call: Call| {
        let awake = times.fetch_add(1, Ordering::Relaxed) == 2;
        async move {
            if awake { Ok(json!(call.attempt())) } else { Err(StepError::snooze(Duration::from_secs(3600))) }
        }
    });
    let definition = Definition::builder("tests", "snooze", "1.0.0").step("sleepy", step).build().unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    assert_eq!(task.finished().await.unwrap().output_of::<u32>("sleepy").unwrap(), 1);
    assert_eq!(world.now(), at(7200));
}

async fn a_panic_is_a_failed_attempt_and_the_engine_lives(world: World) {
    let step = handler_fn(|call: Call| async move {
        assert!(call.attempt() > 1, "the first attempt is unlucky");
        Ok(json!("ok"))
    });
    let definition = Definition::builder("tests", "panic", "1.0.0").step("unlucky", step).build().unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.output_of::<String>("unlucky").unwrap(), "ok");
    let failed = report.steps()[0].history.iter().find(|row| row.to == StepState::Error).unwrap();
    assert_eq!(failed.metadata["error_class"], PANIC);
    assert!(failed.metadata["error_message"].as_str().unwrap().contains("the first attempt is unlucky"));
}

async fn an_attempt_past_its_timeout_is_dropped_where_it_waits(world: World) {
    let step = handler_fn(|call: Call| async move {
        call.sleep(Duration::from_secs(if call.attempt() == 1 { 60 } else { 1 })).await;
        Ok(json!("in time"))
    });
    let definition =
        Definition::builder("tests", "slow", "1.0.0").step("slow", step).timeout_seconds(5).build().unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert!(report.is_complete());
    let failed = report.steps()[0].history.iter().find(|row| row.to == StepState::Error).unwrap();
    assert_eq!((failed.at, &failed.metadata["error_class"]), (at(5), &json!(TIMEOUT)));
    assert_eq!(world.now(), at(5 + 2 + 1));
}

async fn steps_sleep_side_by_side_and_the_makespan_is_the_longest_path(world: World) {
    let definition = Definition::builder("tests", "naps", "1.0.0")
        .step("a", nap(3))
        .step("b", nap(10))
        .step("c", nap(4))
        .after(["a"])
        .step("d", nap(1))
        .after(["b", "c"])
        .build()
        .unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.makespan(), Duration::from_secs(11));
}

async fn a_handler_may_sleep_in_two_futures_at_once(world: World) {
    let step = handler_fn(|call: Call| async move {
        tokio::join!(call.sleep(Duration::from_secs(1)), call.sleep(Duration::from_secs(5)));
        Ok(json!(null))
    });
    let definition = Definition::builder("tests", "join", "1.0.0").step("both", step).build().unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    assert_eq!(world.now(), at(5));
}

/// Adds `count` steps which the join waits for.
fn fan_out(count: u64) -> Definition {
    let worker: Arc<dyn tasker::DynHandler> =
        Arc::new(handler_fn(|call: Call| async move { Ok(json!(call.config::<u64>()? * 10)) }));
    let entry = Entry::of_value("shard", worker);
    let spawned = entry.clone();
    let plan = handler_fn(move |call: Call| {
        let entry = spawned.clone();
        async move {
            for shard in 1..=count {
                call.spawn(SpawnRequest {
                    name: StepName::from(format!("shard_{shard}")),
                    entry: entry.clone(),
                    config: json!(shard),
                    after: vec![],
                    before: vec!["join".into()],
                })?;
            }
            Ok(json!(0))
        }
    });
    Definition::builder("tests", "fan_out", "1.0.0")
        .step("plan", plan)
        .may_spawn(entry)
        .step("join", sum())
        .after(["plan"])
        .build()
        .unwrap()
}

async fn a_join_waits_for_the_steps_that_were_added_while_running(world: World) {
    let task = world.engine().start_definition(&fan_out(20), json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Complete);
    assert_eq!(report.steps().len(), 22);
    assert_eq!(report.output_of::<u64>("join").unwrap(), 1 + 10 * (1..=20).sum::<u64>());
    assert_eq!(report.step("join").unwrap().parents.len(), 21);
}

async fn a_context_that_does_not_fit_is_refused_with_its_path_and_nothing_is_stored(world: World) {
    #[derive(serde::Deserialize)]
    struct Item {
        #[expect(dead_code, reason = "only decoded")]
        cents: u64,
    }
    #[derive(serde::Deserialize)]
    struct Order {
        #[expect(dead_code, reason = "only decoded")]
        items: Vec<Item>,
    }
    let log = MemoryEventLog::new();
    let engine = world.engine_on(world.queue(), log.clone(), Settings::default());
    let definition =
        Definition::builder("tests", "typed", "1.0.0").context::<Order>().step("a", sum()).build().unwrap();
    let error =
        engine.start_definition(&definition, json!({ "items": [{ "cents": 1 }, { "cents": "two" }] })).await;
    let Err(EngineError::Context { misfit, .. }) = error else { panic!("{error:?}") };
    assert_eq!(misfit.path, "items[1].cents");
    let error = engine.start_definition(&definition, json!([1])).await;
    assert!(matches!(error, Err(EngineError::Context { .. })), "{error:?}");
    assert!(log.all().that(|event| event.task.is_some()).is_empty());
    assert!(matches!(engine.report(TaskId(1)).await, Err(EngineError::UnknownTask(_))));
}

async fn an_output_that_cannot_be_stored_fails_its_step_for_good(world: World) {
    let definition = Definition::builder("tests", "odd", "1.0.0")
        .step("odd", constant(json!("a\0b")))
        .step("fine", constant(json!("ab")))
        .build()
        .unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Error);
    assert_eq!(report.step("odd").unwrap().attempts, 1);
    assert_eq!(report.steps()[0].history.last().unwrap().metadata["error_class"], tasker::NOT_RECORDABLE);
    assert_eq!(report.output_of::<String>("fine").unwrap(), "ab");
}

async fn a_paused_task_claims_nothing_until_it_is_resumed(world: World) {
    let engine = world.engine();
    let task = engine.start_definition(&diamond(), json!({})).await.unwrap();
    assert!(matches!(task.pause("ada", None).await.unwrap(), Intervened::Moved { .. }));
    assert_eq!(task.pause("ada", None).await.unwrap(), Intervened::Not(NotMoved::AlreadyThere));
    assert_eq!(engine.handle(task.id(), Duration::from_secs(1)).await.unwrap(), Handled::Waiting);
    assert_eq!(task.report().await.unwrap().phase(), TaskPhase::Paused);
    assert!(matches!(task.resume("ada").await.unwrap(), Intervened::Moved { .. }));
    assert!(task.finished().await.unwrap().is_complete());
}

async fn whoever_waits_for_a_paused_task_is_woken_by_its_resumption(world: World) {
    let engine = world.engine();
    let task = Arc::new(engine.start_definition(&diamond(), json!({})).await.unwrap());
    task.pause("ada", None).await.unwrap();
    let waiting = tokio::spawn({
        let task = Arc::clone(&task);
        async move { task.finished().await }
    });
    tokio::task::yield_now().await;
    task.resume("ada").await.unwrap();
    assert!(waiting.await.unwrap().unwrap().is_complete());
}

async fn cancelling_a_task_fences_what_runs(world: World) {
    let log = MemoryEventLog::new();
    let engine = world.engine_on(world.queue(), log.clone(), Settings::default());
    let started = Arc::new(tokio::sync::Notify::new());
    let release = Arc::new(tokio::sync::Notify::new());
    let (tell, wait) = (Arc::clone(&started), Arc::clone(&release));
    let step = handler_fn(move |_: Call| {
        let (tell, wait) = (Arc::clone(&tell), Arc::clone(&wait));
        async move {
            tell.notify_one();
            wait.notified().await;
            Ok(json!("too late"))
        }
    });
    let definition = Definition::builder("tests", "cancel", "1.0.0").step("charge", step).build().unwrap();
    let task = Arc::new(engine.start_definition(&definition, json!({})).await.unwrap());
    let running = tokio::spawn({
        let task = Arc::clone(&task);
        async move { task.finished().await }
    });
    started.notified().await;
    assert!(matches!(task.cancel("ada", Some("changed my mind")).await.unwrap(), Intervened::Moved { .. }));
    assert_eq!(running.await.unwrap().unwrap().state(), TaskState::Cancelled);
    release.notify_one();
    while log.of(task.id()).count(EventName::StepOutcomeStale) == 0 {
        tokio::task::yield_now().await;
    }
    let report = task.report().await.unwrap();
    assert_eq!(report.steps()[0].current.state, StepState::Cancelled);
    assert_eq!(*report.steps()[0].results, json!({}));
}

async fn an_operator_resets_a_blocked_step_and_the_task_goes_on(world: World) {
    let definition = Definition::builder("tests", "reset", "1.0.0")
        .step("flaky", fails(1))
        .retry_limit(1)
        .build()
        .unwrap();
    let engine = world.engine();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Error);
    let step = report.steps()[0].id;
    let act = |command| Act::Step { step, command, expected: None };
    let refused = engine.intervene(task.id(), act(StepCommand::Retry), "ada", None).await.unwrap();
    assert_eq!(refused, Intervened::Not(NotMoved::Refused(Refusal::RetriesExhausted)));
    let done = engine
        .intervene(task.id(), act(StepCommand::Complete { results: Arc::new(json!(7)) }), "ada", None)
        .await;
    assert!(matches!(done.unwrap(), Intervened::Moved { .. }));
    let report = task.finished().await.unwrap();
    assert_eq!((report.state(), report.output_of::<u64>("flaky").unwrap()), (TaskState::Complete, 7));
    let states: Vec<_> = report.record().history.iter().map(|row| row.to).collect();
    use TaskState::*;
    assert_eq!(states, [InProgress, Error, Pending, InProgress, Complete]);
}

async fn handle_tells_a_foreign_host_what_to_do_next(world: World) {
    let engine = world.engine();
    let definition = Definition::builder("tests", "pass", "1.0.0").step("flaky", fails(1)).build().unwrap();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    let budget = Duration::from_secs(1);
    assert_eq!(engine.handle(task.id(), budget).await.unwrap(), Handled::WakeAt(at(2)));
    assert_eq!(engine.handle(task.id(), budget).await.unwrap(), Handled::WakeAt(at(2)));
    world.clock.advance(Duration::from_secs(2));
    assert_eq!(engine.handle(task.id(), budget).await.unwrap(), Handled::Settled(TaskState::Complete));
    assert_eq!(engine.handle(task.id(), budget).await.unwrap(), Handled::Settled(TaskState::Complete));
    assert_eq!(engine.handle(TaskId(404), budget).await.unwrap(), Handled::Gone);
}

async fn a_worker_runs_every_task_and_stops_when_told(world: World) {
    let log = MemoryEventLog::new();
    let engine = world.engine_on(world.queue(), log.clone(), Settings::default());
    let requests = (0..50).map(|_| Request::new(json!({}))).collect();
    let tasks = engine.request_many(&diamond(), requests).await.unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let worker = tokio::spawn(engine.worker().run_until(async move { stopped.await.unwrap_or(()) }));
    let completed = || log.all().count(EventName::TaskCompleted);
    while completed() < tasks.len() {
        tokio::task::yield_now().await;
    }
    stop.send(()).unwrap();
    worker.await.unwrap();
    for task in tasks {
        assert!(task.unwrap().report().await.unwrap().is_complete());
    }
}

async fn a_stopping_worker_lets_steps_end_within_its_grace_and_cuts_off_the_others(world: World) {
    let definition = Definition::builder("tests", "stop", "1.0.0")
        .step("short", nap(5))
        .step("next", nap(1))
        .after(["short"])
        .step("long", nap(100))
        .build()
        .unwrap();
    let engine = world.engine();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    let stop = {
        let sleep = tasker::Clock::sleep_until(&world.clock, at(2));
        async move { drop(sleep.await) }
    };
    engine.worker().grace(Duration::from_secs(10)).run_until(stop).await;
    let report = task.report().await.unwrap();
    let state = |name: &str| report.step(name).unwrap().current.state;
    assert_eq!(
        (state("short"), state("next"), state("long")),
        (StepState::Complete, StepState::Pending, StepState::Error)
    );
    assert_eq!(report.step("long").unwrap().current.metadata["error_class"], tasker::WORKER_SHUTDOWN);
    assert!(task.finished().await.unwrap().is_complete(), "nothing is lost: another run goes on from there");
}

async fn dropping_the_wait_stops_claiming_and_loses_nothing(world: World) {
    let ran = Arc::new(Mutex::new(BTreeSet::new()));
    let record = |ran: &Arc<Mutex<BTreeSet<String>>>| {
        let ran = Arc::clone(ran);
        handler_fn(move |call: Call| {
            ran.lock().unwrap().insert(call.name().to_string());
            async move {
                call.sleep(Duration::from_secs(10)).await;
                Ok(json!(null))
            }
        })
    };
    let definition = Definition::builder("tests", "drop", "1.0.0")
        .step("first", record(&ran))
        .step("second", record(&ran))
        .after(["first"])
        .build()
        .unwrap();
    let engine = world.engine();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    let limit = tasker::Clock::sleep_until(&world.clock, at(3));
    tokio::select! {
        // The wait is begun first: whoever sleeps while nobody works makes the time jump.
        biased;
        _ = task.finished() => panic!("it takes twenty seconds"),
        woken = limit => drop(woken),
    }
    assert_eq!(ran.lock().unwrap().len(), 1);
    assert!(task.finished().await.unwrap().is_complete());
    assert_eq!(ran.lock().unwrap().len(), 2);
}

async fn one_step_at_a_time_is_kept(world: World) {
    let builder = Definition::builder("tests", "single", "1.0.0").one_step_at_a_time();
    let definition = builder.step("a", nap(2)).step("b", nap(2)).step("c", nap(2)).build().unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    assert_eq!(task.finished().await.unwrap().makespan(), Duration::from_secs(6));
}

async fn concurrency_bounds_what_runs_at_a_time(world: World) {
    let running = Arc::new(AtomicU32::new(0));
    let most = Arc::new(AtomicU32::new(0));
    let mut builder = Definition::builder("tests", "wide", "1.0.0");
    for step in 0..20 {
        let (running, most) = (Arc::clone(&running), Arc::clone(&most));
        let handler = handler_fn(move |call: Call| {
            let (running, most) = (Arc::clone(&running), Arc::clone(&most));
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                call.sleep(Duration::from_secs(1)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(json!(null))
            }
        });
        builder = builder.step(format!("step_{step}"), handler);
    }
    let settings = Settings { concurrency: 4, ..Settings::default() };
    let engine = world.engine_with(settings);
    let task = engine.start_definition(&builder.build().unwrap(), json!({})).await.unwrap();
    assert_eq!(task.finished().await.unwrap().makespan(), Duration::from_secs(5));
    assert_eq!(most.load(Ordering::SeqCst), 4);
}

async fn an_identical_request_is_a_duplicate(world: World) {
    let engine = world.engine();
    let request = || Request { identity: Some("order-1".into()), ..Request::new(json!({})) };
    let first = engine.request(&diamond(), request()).await.unwrap();
    let second = engine.request(&diamond(), request()).await;
    assert!(matches!(second, Err(EngineError::Duplicate { task }) if task == first.id()));
}

async fn a_skippable_step_is_passed_over_on_request(world: World) {
    let build = || {
        Definition::builder("tests", "skip", "1.0.0")
            .step("gift_wrap", sum())
            .skippable()
            .step("ship", sum())
            .after(["gift_wrap"])
            .build()
            .unwrap()
    };
    let engine = world.engine();
    let request = Request { bypass_steps: vec!["gift_wrap".into()], ..Request::new(json!({})) };
    let report = engine.request(&build(), request).await.unwrap().finished().await.unwrap();
    assert_eq!(report.output_of::<u64>("ship").unwrap(), 1, "a skipped parent yields nothing");
    assert_eq!(report.step("gift_wrap").unwrap().attempts, 0);
}

struct Watching(Arc<Mutex<Vec<(TaskId, TaskState)>>>);

#[async_trait::async_trait]
impl Hooks for Watching {
    fn plan(&self, plan: &mut TaskPlan<'_>) -> Result<(), String> {
        if plan.request().context["refuse"] == json!(true) {
            return Err("not today".into());
        }
        plan.set_inputs("b", json!({ "changed": true }))
    }
    async fn settled(&self, task: TaskId, state: TaskState) -> Result<(), String> {
        self.0.lock().unwrap().push((task, state));
        Err("its errors change nothing".into())
    }
}

async fn hooks_plan_before_the_write_and_hear_of_the_settlement(world: World) {
    let settled = Arc::new(Mutex::new(vec![]));
    let context = || handler_fn(|call: Call| async move { Ok(call.raw_context().clone()) });
    let definition = Definition::builder("tests", "hooks", "1.0.0")
        .step("a", context())
        .step("b", context())
        .hooks(Watching(Arc::clone(&settled)))
        .build()
        .unwrap();
    let engine = world.engine();
    let refused = engine.start_definition(&definition, json!({ "refuse": true })).await;
    assert!(matches!(refused, Err(EngineError::Plan { .. })), "{refused:?}");
    let task = engine.start_definition(&definition, json!({ "x": 1 })).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(report.output_of::<Value>("a").unwrap(), json!({ "x": 1 }));
    assert_eq!(report.output_of::<Value>("b").unwrap(), json!({ "changed": true }));
    while settled.lock().unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    assert_eq!(*settled.lock().unwrap(), [(task.id(), TaskState::Complete)]);
}

async fn events_tell_each_fact_once_and_in_order(world: World) {
    let log = MemoryEventLog::new();
    let engine = world.engine_on(world.queue(), log.clone(), Settings::default());
    let definition = Definition::builder("tests", "events", "1.0.0").step("flaky", fails(1)).build().unwrap();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    task.finished().await.unwrap();
    let names = log.of(task.id()).moves();
    let names = names.names();
    let expected = [
        "task.initialize_requested",
        "step.initialize_requested",
        "task.start_requested",
        "step.execution_requested",
        "step.failed",
        "step.retry_requested",
        "step.execution_requested",
        "step.completed",
        "task.completed",
    ];
    assert_eq!(names, expected);
}

async fn a_task_without_steps_is_complete_at_once(world: World) {
    let definition = Definition::builder("tests", "empty", "1.0.0").build().unwrap();
    let task = world.engine().start_definition(&definition, json!({})).await.unwrap();
    assert!(task.report().await.unwrap().is_complete());
    assert!(task.finished().await.unwrap().is_complete());
}

#[test]
fn ten_thousand_steps_are_allowed_and_one_more_is_not() {
    let chain = |length: usize| {
        let mut builder = Definition::builder("tests", "long", "1.0.0");
        for step in 0..length {
            builder = builder.step(format!("s{step}"), constant(json!(null)));
        }
        builder.build()
    };
    assert!(chain(10_000).is_ok());
    let errors = chain(10_001).unwrap_err().errors;
    assert!(matches!(errors[..], [BuildError::TooLarge { what: "steps", found: 10_001, max: 10_000 }]));
}

async fn a_forced_cancel_of_a_complete_task_needs_force(world: World) {
    let engine = world.engine();
    let task = engine.start_definition(&diamond(), json!({})).await.unwrap();
    task.finished().await.unwrap();
    assert_eq!(
        task.cancel("ada", None).await.unwrap(),
        Intervened::Not(NotMoved::Refused(Refusal::Finished))
    );
    let force =
        Act::Task { command: TaskCommand::Cancel { force: true }, expected: Some(TaskState::Complete) };
    assert!(matches!(
        engine.intervene(task.id(), force, "ada", None).await.unwrap(),
        Intervened::Moved { .. }
    ));
    let report = task.report().await.unwrap();
    assert_eq!((report.state(), report.record().complete), (TaskState::Cancelled, false));
}

async fn a_missing_resource_is_refused_when_the_definition_is_learned(world: World) {
    struct Pool(u64);
    let definition = || {
        let mut step =
            handler_fn(|call: Call| async move { Ok(json!(call.state::<Pool>().map(|pool| pool.0))) })
                .named("query");
        step.needs.states.push(tasker::TypeKey::of::<Pool>());
        Definition::builder("tests", "state", "1.0.0").step("query", step).build().unwrap()
    };
    let refused = world.engine().start_definition(&definition(), json!({})).await;
    let Err(EngineError::MissingState { step, resource, .. }) = refused else { panic!("{refused:?}") };
    assert_eq!(step, "query");
    assert!(resource.ends_with("Pool"), "{resource}");
    let engine = world.engine().state(Pool(7));
    let report = engine.start_definition(&definition(), json!({})).await.unwrap().finished().await.unwrap();
    assert_eq!(report.output_of::<u64>("query").unwrap(), 7);
}

async fn a_task_whose_handlers_are_not_here_waits_untouched(world: World) {
    let (maker, stranger) = (world.engine(), world.engine());
    let task = maker.start_definition(&diamond(), json!({})).await.unwrap();
    let looked = stranger.handle(task.id(), Duration::from_secs(1)).await.unwrap();
    assert!(matches!(looked, Handled::WakeAt(_)), "its wake is parked, not spun on: {looked:?}");
    assert!(task.report().await.unwrap().steps().iter().all(|step| step.attempts == 0));
    assert!(task.finished().await.unwrap().is_complete());
}

#[test]
fn settings_that_cannot_be_used_are_refused_before_anything_runs() {
    let settings = Settings {
        heartbeat_interval: Duration::from_secs(5),
        worker_lost_after: Duration::from_secs(5),
        concurrency: 0,
        ..Settings::default()
    };
    let refused = Engine::in_memory_with(SimulatedClock::new(Timestamp::EPOCH), tasker::NoEvents, settings)
        .unwrap_err();
    assert!(
        matches!(
            refused.errors[..],
            [SettingsError::Zero { setting: "concurrency", .. }, SettingsError::LostBeforeTheNextBeat { .. }]
        ),
        "{refused}"
    );
}
