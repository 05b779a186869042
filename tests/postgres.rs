//! Whole workflows on PostgreSQL: what runs in memory runs here, and nothing is lost when an engine goes.

#[path = "postgres/killed.rs"]
mod killed;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tasker::postgres::PostgresStorage;
use tasker::postgres::cluster::TestDatabase;
use tasker::prelude::*;
use tasker::{
    Clock, Entry, NoEvents, Parent, Request, Settings, SpawnRequest, StepName, StepState, Storage, TaskState,
    Timestamp,
};

/// A database of its own, with the schema.
async fn database() -> (TestDatabase, PostgresStorage) {
    let database = TestDatabase::empty().await.unwrap();
    let storage = PostgresStorage::connect(&database.url()).await.unwrap();
    storage.migrate().await.unwrap();
    (database, storage)
}

fn sum() -> impl tasker::IntoHandler {
    handler_fn(|call: Call| async move {
        let parents: StepResult<Vec<Option<u64>>> = call.parents().iter().map(Parent::output).collect();
        Ok(json!(1 + parents?.into_iter().flatten().sum::<u64>()))
    })
}

fn diamond() -> Definition {
    let builder = Definition::builder("tests", "diamond", "1.0.0");
    let builder = builder.step("a", sum()).step("b", sum()).after(["a"]).step("c", sum()).after(["a"]);
    builder.step("d", sum()).after(["b", "c"]).build().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_url_in_place_of_memory_changes_nothing_else() {
    let database = TestDatabase::empty().await.unwrap();
    let engine = Engine::postgres(&database.url()).await.unwrap();
    let requests = (0..40).map(|_| Request::new(json!({}))).collect();
    let tasks = engine.request_many(&diamond(), requests).await.unwrap();
    let runs: Vec<_> =
        tasks.into_iter().map(|task| tokio::spawn(async move { task.unwrap().finished().await })).collect();
    for run in runs {
        let report = run.await.unwrap().unwrap();
        assert_eq!((report.state(), report.output_of::<u64>("d").unwrap()), (TaskState::Complete, 5));
    }
}

#[tokio::test]
async fn six_simulated_hours_of_waiting_take_no_time() {
    let (_database, storage) = database().await;
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let step = handler_fn(|call: Call| async move {
        match call.attempt() {
            1 => Err("not yet".into()),
            _ => Ok(json!("done")),
        }
    });
    let slept = Arc::new(AtomicBool::new(false));
    let sleepy = handler_fn(move |_: Call| {
        let awake = slept.swap(true, Ordering::Relaxed);
        async move { if awake { Ok(json!(null)) } else { Err(StepError::snooze(Duration::from_secs(6 * 3600))) } }
    });
    let definition = Definition::builder("tests", "patient", "1.0.0")
        .step("flaky", step)
        .step("sleepy", sleepy)
        .build()
        .unwrap();
    let engine = Engine::on_postgres(storage, clock.clone(), NoEvents, Settings::default()).unwrap();
    let report = engine.start_definition(&definition, json!({})).await.unwrap().finished().await.unwrap();
    assert!(report.is_complete());
    assert_eq!(report.step("flaky").unwrap().attempts, 2);
    assert_eq!(report.step("sleepy").unwrap().attempts, 1);
    assert_eq!(clock.now(), Timestamp::EPOCH + Duration::from_secs(6 * 3600));
}

type Spoil = fn(&mut Request);

/// Requests that no storage takes, and the field that each error names.
const BAD_REQUESTS: [(&str, Spoil); 9] = [
    ("initiator", |request| request.initiator = "ü".repeat(129)),
    ("source_system", |request| request.source_system = "ü".repeat(129)),
    ("reason", |request| request.reason = "ü".repeat(129)),
    ("identity_hash", |request| request.identity = Some("x".repeat(129))),
    ("identity_hash", |request| request.identity = Some(" ".into())),
    ("reason", |request| request.reason = "be\0cause".into()),
    ("tags", |request| request.tags = vec!["\0".into()]),
    ("context", |request| request.context = json!({ "text": "\0" })),
    ("bypass_steps", |request| request.bypass_steps = vec!["nobody".into()]),
];

#[tokio::test]
async fn bad_requests_are_refused_alike_in_memory_and_here_and_nothing_is_written() {
    let (_database, storage) = database().await;
    let here =
        Engine::on_postgres(storage.clone(), tasker::SystemClock::default(), NoEvents, Settings::default())
            .unwrap();
    let memory = Engine::in_memory();
    for (field, spoil) in BAD_REQUESTS {
        let mut request = Request::new(json!({}));
        spoil(&mut request);
        let refused = here.request(&diamond(), request.clone()).await.unwrap_err();
        let expected = memory.request(&diamond(), request).await.unwrap_err();
        assert_eq!(format!("{refused:?}"), format!("{expected:?}"));
        let told = std::error::Error::source(&refused).map(ToString::to_string).unwrap_or_default();
        assert!(told.contains(field), "{field}: {told}");
    }
    let now = here.clock().now();
    assert_eq!(storage.sweep(now, None, 10).await.unwrap().woken, 0);
    assert_eq!(storage.due(now, 10).await.unwrap().wakes, []);

    let twice = || Request { identity: Some("the same".into()), ..Request::new(json!({})) };
    let first = here.request(&diamond(), twice()).await.unwrap();
    let second = here.request(&diamond(), twice()).await.unwrap_err();
    assert!(matches!(second, EngineError::Duplicate { task } if task == first.id()), "{second:?}");
    assert_eq!(storage.due(now + Duration::from_secs(60), 10).await.unwrap().wakes.len(), 1);
}

/// Adds three steps which the join waits for.
fn fan_out() -> Definition {
    let shard: Arc<dyn tasker::DynHandler> =
        Arc::new(handler_fn(|call: Call| async move { Ok(json!(call.config::<u64>()? * 10)) }));
    let entry = Entry::of_value("shard", shard);
    let spawned = entry.clone();
    let plan = handler_fn(move |call: Call| {
        let entry = spawned.clone();
        async move {
            for shard in 1..=3_u64 {
                let name = StepName::from(format!("shard_{shard}"));
                let (after, before) = (vec![], vec!["join".into()]);
                call.spawn(SpawnRequest { name, entry: entry.clone(), config: json!(shard), after, before })?;
            }
            Ok(json!(0))
        }
    });
    let builder = Definition::builder("tests", "fan_out", "1.0.0").step("plan", plan).may_spawn(entry);
    builder.step("join", sum()).after(["plan"]).build().unwrap()
}

#[tokio::test]
async fn a_join_waits_for_the_steps_that_were_added_while_running() {
    let (_database, storage) = database().await;
    let engine =
        Engine::on_postgres(storage, tasker::SystemClock::default(), NoEvents, Settings::default()).unwrap();
    let report = engine.start_definition(&fan_out(), json!({})).await.unwrap().finished().await.unwrap();
    assert_eq!(report.output_of::<u64>("join").unwrap(), 61);
    assert_eq!(report.steps().len(), 5);
}

#[tokio::test]
async fn another_engine_goes_on_where_one_was_dropped() {
    let (_database, storage) = database().await;
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let runs = Arc::new(AtomicU32::new(0));
    let definition = |runs: &Arc<AtomicU32>| {
        let step = |runs: &Arc<AtomicU32>| {
            let runs = Arc::clone(runs);
            handler_fn(move |call: Call| {
                runs.fetch_add(1, Ordering::Relaxed);
                async move {
                    call.sleep(Duration::from_secs(10)).await;
                    Ok(json!(call.parents().len()))
                }
            })
        };
        let builder = Definition::builder("tests", "handover", "1.0.0").step("first", step(runs));
        builder.step("second", step(runs)).after(["first"]).build().unwrap()
    };
    let first = Engine::on_postgres(storage.clone(), clock.clone(), NoEvents, Settings::default()).unwrap();
    let task = first.start_definition(&definition(&runs), json!({ "order": 7 })).await.unwrap();
    tokio::select! {
        biased;
        _ = task.finished() => panic!("it takes twenty seconds"),
        woken = clock.sleep_until(Timestamp::EPOCH + Duration::from_secs(3)) => drop(woken),
    }
    // What runs is recorded, and nothing more is claimed.
    loop {
        let report = task.report().await.unwrap();
        if report.step("first").unwrap().current.state == StepState::Complete {
            assert_eq!(report.step("second").unwrap().attempts, 0);
            break;
        }
        tokio::task::yield_now().await;
    }
    let id = task.id();
    drop((task, first));

    let second = Engine::on_postgres(storage, clock, NoEvents, Settings::default()).unwrap();
    second.learn(&definition(&runs)).await.unwrap();
    let report = second.task(id).finished().await.unwrap();
    assert_eq!((report.state(), report.output_of::<u64>("second").unwrap()), (TaskState::Complete, 1));
    assert_eq!(runs.load(Ordering::Relaxed), 2);
    assert_eq!(*report.record().request.context, json!({ "order": 7 }));
}

/// Two processes, as far as one program can be: nothing in common but the database, and no look by themselves.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_hears_at_once_of_new_tasks_and_of_resumed_ones() {
    let (database, storage) = database().await;
    let never = Settings { poll: Some(Duration::from_secs(1_000_000)), ..Settings::default() };
    let other = PostgresStorage::connect(&database.url()).await.unwrap();
    let maker =
        Engine::on_postgres(storage, tasker::SystemClock::default(), NoEvents, never.clone()).unwrap();
    let runner = Engine::on_postgres(other, tasker::SystemClock::default(), NoEvents, never).unwrap();
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let step = handler_fn(move |call: Call| {
        tell.send(call.task()).unwrap();
        async { Ok(json!(1)) }
    });
    let definition = Definition::builder("tests", "far", "1.0.0").step("run", step).build().unwrap();
    runner.learn(&definition).await.unwrap();
    let worker = tokio::spawn(runner.worker().run_until(std::future::pending()));
    for _ in 0..3 {
        let task = maker.start_definition(&definition, json!({})).await.unwrap();
        assert_eq!(told.recv().await, Some(task.id()));
    }
    worker.abort();
    let paused = maker.start_definition(&definition, json!({})).await.unwrap();
    paused.pause("ada", None).await.unwrap();
    let _worker = tokio::spawn(runner.worker().run_until(std::future::pending()));
    paused.resume("ada").await.unwrap();
    assert_eq!(told.recv().await, Some(paused.id()));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_before_any_work() {
    let error = Engine::postgres("postgres://nobody@127.0.0.1:1/nothing").await.unwrap_err();
    assert!(matches!(error, EngineError::Storage(_)), "{error:?}");
    let error = Engine::postgres("not a url").await.unwrap_err();
    assert!(matches!(error, EngineError::Storage(_)), "{error:?}");
}

#[tokio::test]
async fn an_odd_output_stops_only_its_own_step() {
    let (_database, storage) = database().await;
    let constant = |value: Value| {
        handler_fn(move |_: Call| {
            let value = value.clone();
            async move { Ok(value) }
        })
    };
    let clock = SimulatedClock::new(Timestamp::EPOCH);
    let engine = Engine::on_postgres(storage, clock, NoEvents, Settings::default()).unwrap();
    let builder = Definition::builder("tests", "odd", "1.0.0").step("odd", constant(json!("a\0b")));
    let definition =
        builder.step("fine", constant(json!({ "n": 9_007_199_254_740_993_u64 }))).build().unwrap();
    let report = engine.start_definition(&definition, json!({})).await.unwrap().finished().await.unwrap();
    assert_eq!(report.state(), TaskState::Error);
    assert_eq!(report.step("odd").unwrap().attempts, 1);
    assert_eq!(report.output_of::<Value>("fine").unwrap(), json!({ "n": 9_007_199_254_740_993_u64 }));
}
