//! Attempts: how many, after which wait, and what becomes of those that end otherwise.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{
    Act, Fixed, Intervened, NotMoved, PANIC, ReferenceBackoff, Refusal, Request, RetryPolicy, Settings,
    StepCommand, StepState, TIMEOUT, TaskState, Timestamp,
};

use crate::world::{World, at, constant, fails, nap, on_every_backend};

on_every_backend! {
    failed_step_is_tried_again_by_the_engine_itself
    attempts_never_exceed_the_limit
    attempt_counts_though_its_process_died
    process_that_dies_at_every_attempt_uses_them_up
    permanent_error_is_told_with_its_code_and_never_retried
    reset_gives_back_what_a_permanent_error_took
    policy_of_a_user_governs_alone_be_it_short_or_long
    policy_is_found_by_its_name_in_a_template
    reference_back_off_follows_its_list
    jitter_comes_from_the_seed
    wait_that_a_handler_asks_for_runs_from_the_failure
    wait_that_a_handler_asks_for_is_capped
    requested_wait_is_forgotten_by_retry_and_by_reset
    storage_errors_run_no_handler_again
    panic_is_a_failed_attempt
    input_that_does_not_decode_is_permanent
    timeout_drops_the_handler_where_it_waits
    snooze_costs_no_attempt
    child_starts_when_its_last_parent_is_done_and_not_when_a_batch_ends
    task_is_looked_at_again_at_the_earliest_back_off
    one_step_at_a_time_is_kept_over_all_processes
    bypassed_steps_are_passed_over
}

fn one(step: impl tasker::IntoHandler) -> tasker::DefinitionBuilder {
    Definition::builder("tests", "one", "1.0.0").step("x", step)
}

async fn finished(engine: &Engine, definition: &Definition) -> Report {
    engine.start_definition(definition, json!({})).await.unwrap().finished().await.unwrap()
}

/// When the step was claimed, in seconds from the beginning.
fn claims(report: &Report, step: &str) -> Vec<f64> {
    let rows = report.step(step).unwrap().history.iter().filter(|row| row.to == StepState::InProgress);
    rows.map(|row| row.at.since(Timestamp::EPOCH).as_secs_f64()).collect()
}

fn error_row(report: &Report, step: &str) -> Value {
    let row = report.step(step).unwrap().history.iter().rfind(|row| row.to == StepState::Error);
    row.unwrap().metadata.clone()
}

// RETRY-1, RETRY-4, RETRY-10
async fn failed_step_is_tried_again_by_the_engine_itself(world: World) {
    let report = finished(&world.engine(), &one(fails(2)).build().unwrap()).await;
    assert_eq!((report.state(), claims(&report, "x")), (TaskState::Complete, vec![0.0, 2.0, 6.0]));
    let rows: Vec<_> = report.step("x").unwrap().history.iter().map(|row| row.to).collect();
    use StepState::*;
    assert_eq!(rows, [InProgress, Error, Pending, InProgress, Error, Pending, InProgress, Complete]);
    assert!(error_row(&report, "x").get("backoff_until").is_none(), "nobody decided on a moment");
}

// RETRY-2
async fn attempts_never_exceed_the_limit(world: World) {
    for limit in [1, 2, 5] {
        let runs = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&runs);
        let step = handler_fn(move |_: Call| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Err("never".into()) }
        });
        let report = finished(&world.engine(), &one(step).retry_limit(limit).build().unwrap()).await;
        assert_eq!((report.state(), report.step("x").unwrap().attempts), (TaskState::Error, limit));
        assert_eq!(runs.load(Ordering::Relaxed), limit);
        assert_eq!(error_row(&report, "x")["retry_available"], json!(false));
    }
}

// RETRY-2, EXEC-4
async fn attempt_counts_though_its_process_died(world: World) {
    let engine = world.engine();
    let task = engine.start_definition(&one(nap(1)).build().unwrap(), json!({})).await.unwrap();
    world.claimed_by_a_process_that_died(task.id()).await;
    let report = task.finished().await.unwrap();
    assert_eq!(report.output_of::<u32>("x").unwrap(), 2, "the first attempt was the dead process's");
    assert_eq!(error_row(&report, "x")["error_class"], tasker::WORKER_LOST);
}

// RETRY-2
async fn process_that_dies_at_every_attempt_uses_them_up(world: World) {
    let engine = world.engine();
    let task = engine
        .start_definition(&one(constant(json!(1))).retry_limit(2).build().unwrap(), json!({}))
        .await
        .unwrap();
    for _ in 0..2 {
        world.claimed_by_a_process_that_died(task.id()).await;
        world.clock.advance(Duration::from_secs(40));
        assert_eq!(engine.tend().await.unwrap().rescued, 1);
        world.clock.advance(Duration::from_secs(40));
    }
    let report = task.finished().await.unwrap();
    assert_eq!((report.state(), report.step("x").unwrap().attempts), (TaskState::Error, 2));
}

// RETRY-3
async fn permanent_error_is_told_with_its_code_and_never_retried(world: World) {
    let step = handler_fn(|_: Call| async { Err(StepError::permanent("card declined").code("DECLINED")) });
    let report = finished(&world.engine(), &one(step).build().unwrap()).await;
    assert_eq!((report.state(), claims(&report, "x")), (TaskState::Error, vec![0.0]));
    let row = error_row(&report, "x");
    for (key, value) in [
        ("permanent", json!(true)),
        ("retryable", json!(false)),
        ("retryable_was", json!(true)),
        ("retry_available", json!(false)),
        ("error_code", json!("DECLINED")),
        ("error_message", json!("card declined")),
    ] {
        assert_eq!(row[key], value, "{key}");
    }
    assert!(!report.step("x").unwrap().retryable);
}

// RETRY-3, OPS-5
async fn reset_gives_back_what_a_permanent_error_took(world: World) {
    let declined = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&declined);
    let step = handler_fn(move |call: Call| {
        let first = count.fetch_add(1, Ordering::Relaxed) == 0;
        async move { if first { Err(StepError::permanent("declined")) } else { Ok(json!(call.attempt())) } }
    });
    let engine = world.engine();
    let task = engine.start_definition(&one(step).build().unwrap(), json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    let step = report.step("x").unwrap().id;
    let act = |command| Act::Step { step, command, expected: None };
    let refused = engine.intervene(task.id(), act(StepCommand::Retry), "ada", None).await.unwrap();
    assert_eq!(refused, Intervened::Not(NotMoved::Refused(Refusal::NotRetryable)));
    let done = engine.intervene(task.id(), act(StepCommand::Reset), "ada", None).await.unwrap();
    assert!(matches!(done, Intervened::Moved { .. }));
    let report = task.finished().await.unwrap();
    assert!(report.step("x").unwrap().retryable);
    assert_eq!((report.state(), report.output_of::<u32>("x").unwrap()), (TaskState::Complete, 1));
}

/// A policy as a user writes one.
#[derive(Serialize, Deserialize)]
struct Growing {
    millis: u64,
    times: u64,
}

#[typetag::serde(name = "growing")]
impl RetryPolicy for Growing {
    fn wait(&self, attempts: u32, _: &mut fastrand::Rng) -> Duration {
        Duration::from_millis(self.millis * self.times.pow(attempts - 1))
    }
}

// RETRY-4
async fn policy_of_a_user_governs_alone_be_it_short_or_long(world: World) {
    let policy = Growing { millis: 50, times: 5_184_000 };
    let definition = one(fails(2)).retry_policy(policy).build().unwrap();
    let report = finished(&world.engine(), &definition).await;
    let three_days = 3.0 * 24.0 * 3600.0;
    assert_eq!(claims(&report, "x"), [0.0, 0.05, 0.05 + three_days]);
    let row = error_row(&report, "x");
    assert_eq!(
        (&row["backoff_seconds"], &row["backoff_until"]),
        (&json!(three_days), &json!("1970-01-04T00:00:00.050000Z"))
    );
}

// RETRY-4, RETRY-10
async fn policy_is_found_by_its_name_in_a_template(world: World) {
    let mut template = one(constant(json!(1))).build().unwrap().template().clone();
    template.step_templates[0].retry_policy = json!({ "type": "growing", "millis": 1500, "times": 1 });
    template.step_templates[0].handler_class = "flaky".into();
    let mut handlers = Handlers::new();
    handlers.insert(
        "flaky",
        Arc::new(handler_fn(|call: Call| async move {
            if call.attempt() == 1 { Err("not yet".into()) } else { Ok(json!(1)) }
        })),
    );
    let definition = Definition::from_template(template, &handlers).unwrap();
    let report = finished(&world.engine(), &definition).await;
    assert_eq!(claims(&report, "x"), [0.0, 1.5]);
}

// RETRY-7, RETRY-8
async fn reference_back_off_follows_its_list(world: World) {
    let policy = ReferenceBackoff { jitter: 0.0, ..ReferenceBackoff::default() };
    let definition = one(fails(8)).retry_limit(9).retry_policy(policy).build().unwrap();
    let report = finished(&world.engine(), &definition).await;
    let claims = claims(&report, "x");
    let waits: Vec<_> = claims.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 49.0, 64.0]);
}

// RETRY-9
async fn jitter_comes_from_the_seed(world: World) {
    let policy = || ReferenceBackoff { list: vec![100], jitter: 0.5, ..ReferenceBackoff::default() };
    let waits = async |seed| {
        let engine = world.engine_with(Settings { seed, ..Settings::default() });
        let begun = world.now();
        let report = finished(&engine, &one(fails(2)).retry_policy(policy()).build().unwrap()).await;
        let begun = begun.since(Timestamp::EPOCH).as_secs_f64();
        claims(&report, "x").iter().map(|claim| claim - begun).collect::<Vec<_>>()
    };
    let first = waits(7).await;
    assert_eq!(waits(7).await, first);
    assert_ne!(waits(8).await, first);
    assert!(first.iter().all(|wait| wait.fract() == 0.0), "whole seconds: {first:?}");
}

/// Works for ten seconds, then fails once and asks for a wait.
fn busy_for(wait: Duration) -> impl tasker::IntoHandler {
    handler_fn(move |call: Call| async move {
        call.sleep(Duration::from_secs(10)).await;
        if call.attempt() == 1 { Err(StepError::retry_after(wait, "busy")) } else { Ok(json!(1)) }
    })
}

// RETRY-5, EXEC-16
async fn wait_that_a_handler_asks_for_runs_from_the_failure(world: World) {
    let engine = world.engine();
    let wait = Duration::from_millis(60_500);
    let task = engine.start_definition(&one(busy_for(wait)).build().unwrap(), json!({})).await.unwrap();
    let pass = engine.handle(task.id(), Duration::from_secs(30)).await.unwrap();
    assert_eq!(pass, tasker::Handled::WakeAt(at(10) + wait));
    let step = world.record(task.id()).await.steps.remove(0);
    assert_eq!(step.backoff_request_seconds, Some(61), "whole seconds, rounded up");
    assert_eq!(step.last_attempted_at, Some(at(0)));
    assert_eq!(claims(&task.finished().await.unwrap(), "x"), [0.0, 70.5]);
}

// RETRY-5
async fn wait_that_a_handler_asks_for_is_capped(world: World) {
    let report = finished(&world.engine(), &one(busy_for(Duration::from_secs(9_999))).build().unwrap()).await;
    assert_eq!(claims(&report, "x"), [0.0, 310.0]);
    let settings = Settings { max_backoff: Duration::from_secs(7), ..Settings::default() };
    let begun = world.now();
    let report =
        finished(&world.engine_with(settings), &one(busy_for(Duration::from_secs(9_999))).build().unwrap())
            .await;
    assert_eq!(claims(&report, "x")[1] - begun.since(Timestamp::EPOCH).as_secs_f64(), 17.0);
}

// RETRY-6
async fn requested_wait_is_forgotten_by_retry_and_by_reset(world: World) {
    for command in [StepCommand::Retry, StepCommand::Reset] {
        let engine = world.engine();
        let definition = one(busy_for(Duration::from_secs(200))).build().unwrap();
        let task = engine.start_definition(&definition, json!({})).await.unwrap();
        engine.handle(task.id(), Duration::from_secs(30)).await.unwrap();
        let step = world.record(task.id()).await.steps.remove(0);
        assert_eq!(step.backoff_request_seconds, Some(200));
        let act = Act::Step { step: step.id, command, expected: Some(StepState::Error) };
        assert!(matches!(
            engine.intervene(task.id(), act, "ada", None).await.unwrap(),
            Intervened::Moved { .. }
        ));
        let begun = world.now().since(Timestamp::EPOCH).as_secs_f64();
        assert_eq!(world.record(task.id()).await.steps[0].backoff_request_seconds, None);
        let report = task.finished().await.unwrap();
        assert_eq!(claims(&report, "x")[1], begun, "at once");
    }
}

// RETRY-12, EXEC-17
async fn storage_errors_run_no_handler_again(world: World) {
    let runs: Arc<Mutex<Vec<String>>> = Arc::default();
    let step = || {
        let runs = Arc::clone(&runs);
        handler_fn(move |call: Call| {
            runs.lock().unwrap().push(call.name().to_string());
            async { Ok(json!(1)) }
        })
    };
    let mut builder = Definition::builder("tests", "unlucky", "1.0.0").step("s0", step());
    for place in 1..10 {
        builder = builder.step(format!("s{place}"), step()).after([format!("s{}", place - 1).as_str()]);
    }
    let definition = builder.build().unwrap();
    let engine = world.engine();
    engine.learn(&definition).await.unwrap();
    world.storage.fail_one_in(2, 11);
    let task = loop {
        let request = Request { identity: Some("once".into()), ..Request::new(json!({})) };
        match engine.request(&definition, request).await {
            Ok(task) => break task,
            Err(EngineError::Duplicate { task }) => break engine.task(task),
            Err(EngineError::Storage(_)) => {}
            Err(other) => panic!("{other}"),
        }
    };
    let state = engine.drive(task.id()).await.unwrap();
    world.storage.fail_one_in(0, 0);
    assert_eq!(state, TaskState::Complete);
    let ran = runs.lock().unwrap().clone();
    assert_eq!((ran.len(), ran.iter().collect::<BTreeSet<_>>().len()), (10, 10), "{ran:?}");
    assert!(world.record(task.id()).await.steps.iter().all(|step| step.attempts == 1));
}

// RETRY-14
async fn panic_is_a_failed_attempt(world: World) {
    let step = handler_fn(|call: Call| async move {
        assert!(call.attempt() > 1, "the first attempt is unlucky");
        Ok(json!("ok"))
    });
    let report = finished(&world.engine(), &one(step).build().unwrap()).await;
    assert_eq!((report.state(), claims(&report, "x")), (TaskState::Complete, vec![0.0, 2.0]));
    let row = error_row(&report, "x");
    assert_eq!((&row["error_class"], &row["retryable"]), (&json!(PANIC), &json!(true)));
    assert!(row["error_message"].as_str().unwrap().contains("the first attempt is unlucky"));
}

// RETRY-14
async fn input_that_does_not_decode_is_permanent(world: World) {
    let step = handler_fn(|call: Call| async move { Ok(json!(call.context::<u64>()?)) });
    let report = finished(&world.engine(), &one(step).build().unwrap()).await;
    assert_eq!((report.state(), report.step("x").unwrap().attempts), (TaskState::Error, 1));
    assert_eq!(error_row(&report, "x")["error_class"], json!(tasker::BAD_INPUT));
}

// EXEC-9
async fn timeout_drops_the_handler_where_it_waits(world: World) {
    struct Dropped(Arc<Mutex<Vec<Timestamp>>>, SimulatedClock);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.lock().unwrap().push(tasker::Clock::now(&self.1));
        }
    }
    let dropped: Arc<Mutex<Vec<Timestamp>>> = Arc::default();
    let (list, clock) = (Arc::clone(&dropped), world.clock.clone());
    let step = handler_fn(move |call: Call| {
        let dropped = Dropped(Arc::clone(&list), clock.clone());
        async move {
            let _dropped = dropped;
            call.sleep(Duration::from_secs(if call.attempt() == 1 { 60 } else { 1 })).await;
            Ok(json!("in time"))
        }
    });
    let report = finished(&world.engine(), &one(step).timeout_seconds(5).build().unwrap()).await;
    assert_eq!((report.state(), claims(&report, "x")), (TaskState::Complete, vec![0.0, 7.0]));
    assert_eq!(error_row(&report, "x")["error_class"], json!(TIMEOUT));
    assert_eq!(*dropped.lock().unwrap(), [at(5), at(8)], "not after the minute that it wanted");
}

// RETRY-16
async fn snooze_costs_no_attempt(world: World) {
    let times = Arc::new(AtomicU32::new(0));
    let step = handler_fn(move |call: Call| {
        let awake = times.fetch_add(1, Ordering::Relaxed) == 3;
        async move {
            if awake { Ok(json!(call.attempt())) } else { Err(StepError::snooze(Duration::from_secs(3600))) }
        }
    });
    let report = finished(&world.engine(), &one(step).retry_limit(1).build().unwrap()).await;
    assert_eq!((report.state(), report.output_of::<u32>("x").unwrap()), (TaskState::Complete, 1));
    assert_eq!(claims(&report, "x"), [0.0, 3600.0, 7200.0, 10_800.0]);
}

// EXEC-8
async fn child_starts_when_its_last_parent_is_done_and_not_when_a_batch_ends(world: World) {
    let builder =
        Definition::builder("tests", "siblings", "1.0.0").step("quick", nap(1)).step("other", nap(3));
    let builder = builder.step("slow", nap(100)).step("child", nap(1)).after(["quick", "other"]);
    let report = finished(&world.engine(), &builder.build().unwrap()).await;
    assert_eq!((claims(&report, "child"), claims(&report, "slow")), (vec![3.0], vec![0.0]));
    assert_eq!(report.makespan(), Duration::from_secs(100));
}

// FIN-7
async fn task_is_looked_at_again_at_the_earliest_back_off(world: World) {
    let builder = Definition::builder("tests", "two", "1.0.0");
    let builder = builder.step("patient", fails(1)).retry_policy(Fixed { seconds: 180.0 });
    let builder = builder.step("hasty", fails(1)).retry_policy(Fixed { seconds: 7.25 });
    let engine = world.engine();
    let task = engine.start_definition(&builder.build().unwrap(), json!({})).await.unwrap();
    let pass = engine.handle(task.id(), Duration::from_secs(1)).await.unwrap();
    assert_eq!(pass, tasker::Handled::WakeAt(at(7) + Duration::from_millis(250)));
    let report = task.finished().await.unwrap();
    assert_eq!((claims(&report, "hasty"), claims(&report, "patient")), (vec![0.0, 7.25], vec![0.0, 180.0]));
}

// TPL-6
async fn one_step_at_a_time_is_kept_over_all_processes(world: World) {
    let running = Arc::new(AtomicU32::new(0));
    let step = || {
        let running = Arc::clone(&running);
        handler_fn(move |call: Call| {
            let running = Arc::clone(&running);
            async move {
                assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "one at a time");
                call.sleep(Duration::from_secs(2)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                Ok(json!(null))
            }
        })
    };
    let builder = Definition::builder("tests", "single", "1.0.0").one_step_at_a_time();
    let definition = builder.step("a", step()).step("b", step()).step("c", step()).build().unwrap();
    let engines = [world.engine(), world.engine()];
    let task = engines[0].start_definition(&definition, json!({})).await.unwrap();
    engines[1].learn(&definition).await.unwrap();
    let other = engines[1].task(task.id());
    let (here, there) = tokio::join!(biased; task.finished(), other.finished());
    for report in [here.unwrap(), there.unwrap()] {
        assert_eq!((report.state(), report.retries()), (TaskState::Complete, 0));
    }
}

// ID-16
async fn bypassed_steps_are_passed_over(world: World) {
    let parents = || {
        handler_fn(|call: Call| async move {
            let given: Option<u64> = call.output("wrap")?;
            Ok(json!({ "wrap": given }))
        })
    };
    let builder = Definition::builder("tests", "skip", "1.0.0").step("wrap", constant(json!(7))).skippable();
    let definition = builder.step("ship", parents()).after(["wrap"]).build().unwrap();
    let engine = world.engine();
    let request = Request { bypass_steps: vec!["wrap".into()], ..Request::new(json!({})) };
    let report = engine.request(&definition, request).await.unwrap().finished().await.unwrap();
    let wrap = report.step("wrap").unwrap();
    assert_eq!((report.step_phase(wrap), wrap.attempts), (tasker::StepPhase::Skipped, 0));
    assert_eq!(report.output_of::<Value>("ship").unwrap(), json!({ "wrap": null }));
    let wrong = Request { bypass_steps: vec!["ship".into()], ..Request::new(json!({})) };
    let refused = engine.request(&definition, wrong).await.unwrap_err();
    assert!(
        matches!(&refused, EngineError::Storage(error) if matches!(**error, tasker::StorageError::Bypass(_))),
        "{refused:?}"
    );
}
