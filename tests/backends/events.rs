//! What an engine tells: every fact once, in order, with all that is said about it; on every backend alike.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{
    Act, Condition, Delivery, DynQueue, Enqueue, Event, EventList, EventName as N, EventSink, Handled,
    Interest, MemoryEventLog, OpenTasks, Queue, QueueError, Registry, Request, Settings, SpawnRequest,
    StepCommand, StepId, SubscribeError, Subscriber, TaskCommand, TaskId, TaskState, Wake,
};

use crate::world::watched::Fate;
use crate::world::{World, constant, fails, nap, on_every_backend};

on_every_backend! {
    each_fact_of_a_retried_step_is_told_once_and_in_order
    what_follows_from_a_last_failure_is_told_once
    an_attempt_without_a_verdict_is_told_as_such
    acts_on_a_task_are_told_with_their_actor
    acts_on_steps_are_told_with_their_actor
    steps_passed_over_by_a_request_are_told
    a_late_outcome_is_told_and_nothing_else
    a_lost_worker_is_told_once_and_its_steps_each
    a_task_that_waits_says_for_what
    a_worker_says_when_it_begins_and_ends
    a_hint_that_no_queue_takes_is_told
    a_task_that_cannot_be_read_is_told
    what_is_served_and_attached_is_told
    spawned_steps_come_into_being_once
    declared_events_are_told_only_if_their_attempt_counts
    subscribers_hear_what_they_asked_for_under_the_name_they_asked_for
    a_subscriber_that_panics_is_counted_and_hears_the_next_event
    states_are_rebuilt_from_events_alone
}

/// Every fact is seen in some scenario of this page, or in the test that stands beside it here.
#[tokio::test]
async fn every_fact_of_the_catalogue_is_seen() {
    let elsewhere = [
        (N::RegistryHealthCheck, "tests/health.rs"),
        (N::TelemetryExportRequested, "tests/metrics.rs"),
        (N::TelemetryExportCompleted, "tests/metrics.rs"),
        (N::TelemetryExportFailed, "tests/metrics.rs"),
        (N::TelemetryPluginRegistered, "tests/metrics.rs"),
        (N::TelemetryPluginUnregistered, "tests/metrics.rs"),
    ];
    let mut seen: std::collections::BTreeSet<N> = elsewhere.map(|(name, _)| name).into();
    macro_rules! see {
        ($($scenario:ident)*) => {
            $(seen.extend($scenario(World::memory().await).await.iter().map(|event| event.name));)*
        };
    }
    see! {
        each_fact_of_a_retried_step_is_told_once_and_in_order
        what_follows_from_a_last_failure_is_told_once
        an_attempt_without_a_verdict_is_told_as_such
        acts_on_a_task_are_told_with_their_actor
        acts_on_steps_are_told_with_their_actor
        steps_passed_over_by_a_request_are_told
        a_late_outcome_is_told_and_nothing_else
        a_lost_worker_is_told_once_and_its_steps_each
        a_task_that_waits_says_for_what
        a_worker_says_when_it_begins_and_ends
        a_hint_that_no_queue_takes_is_told
        a_task_that_cannot_be_read_is_told
        what_is_served_and_attached_is_told
    }
    let missing: Vec<_> =
        N::FACTS.iter().filter(|name| !seen.contains(*name)).map(|name| name.as_str()).collect();
    assert!(missing.is_empty(), "no scenario sees {missing:?}");
}

fn listening(world: &World) -> (Engine, MemoryEventLog) {
    listening_with(world, Settings::default())
}

fn listening_with(world: &World, settings: Settings) -> (Engine, MemoryEventLog) {
    let log = MemoryEventLog::new();
    (world.engine_on(world.queue(), log.clone(), settings), log)
}

fn definition(step: impl tasker::IntoHandler, limit: u32) -> Definition {
    Definition::builder("shop", "checkout", "1.0.0").step("pay", step).retry_limit(limit).build().unwrap()
}

fn json_of(event: &Event) -> Value {
    event.to_json()["payload"].clone()
}

async fn each_fact_of_a_retried_step_is_told_once_and_in_order(world: World) -> EventList {
    let (engine, log) = listening(&world);
    let task = engine.start_definition(&definition(fails(1), 3), json!({ "order": 7 })).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    let told = log.of(task.id());
    let expected = [
        // Created.
        "task.initialize_requested",
        "step.initialize_requested",
        "observability.task.enqueue",
        // The first wave.
        "workflow.orchestration_requested",
        "task.start_requested",
        "workflow.task_started",
        "workflow.viable_steps_discovered",
        "step.execution_requested",
        "workflow.steps_execution_started",
        "observability.task.handle",
        "step.before_handle",
        "observability.step.handle",
        // It failed, and waits.
        "step.failed",
        "observability.step.backoff",
        "workflow.steps_execution_completed",
        "workflow.task_reenqueue_delayed",
        // The second attempt.
        "workflow.orchestration_requested",
        "workflow.viable_steps_discovered",
        "step.retry_requested",
        "step.execution_requested",
        "workflow.steps_execution_started",
        "observability.task.handle",
        "step.before_handle",
        "observability.step.handle",
        "step.completed",
        "workflow.steps_execution_completed",
        "workflow.task_finalization_started",
        "task.completed",
        "workflow.task_finalization_completed",
    ];
    assert_eq!(told.names(), expected, "{told}");

    let record = world.record(task.id()).await;
    let rows =
        record.history.iter().map(|row| row.id).chain(record.steps[0].history.iter().map(|row| row.id));
    let rows: Vec<_> = rows.collect();
    for event in told.iter().filter(|event| event.fact.moved().is_some()) {
        assert!(event.transition.is_none_or(|row| rows.contains(&row)), "{event:?}");
    }
    let failed = json_of(told.only(N::StepFailed));
    assert_eq!(failed["task_name"], "checkout");
    assert_eq!(failed["namespace_name"], "shop");
    assert_eq!(failed["correlation_id"], json!(record.request.correlation_id));
    assert_eq!((&failed["step_name"], &failed["attempt_number"]), (&json!("pay"), &json!(1)));
    assert_eq!((&failed["error_message"], &failed["retryable"]), (&json!("not yet"), &json!(true)));
    assert_eq!(failed["error_class"], failed["exception_class"]);
    assert_eq!((&failed["from_state"], &failed["to_state"]), (&json!("in_progress"), &json!("error")));
    assert_eq!(failed["started_at"], "1970-01-01T00:00:00.000Z");
    assert_eq!(failed["retry_limit"], 3);
    assert_eq!(json_of(told.only(N::ObservabilityStepBackoff))["backoff_seconds"], 2.0);
    let completed = json_of(told.only(N::TaskCompleted));
    assert_eq!((&completed["total_steps"], &completed["completed_steps"]), (&json!(1), &json!(1)));
    assert_eq!(completed["completion_percentage"], 100.0);
    assert_eq!(completed["total_execution_duration"], 2.0);
    assert_eq!(json_of(told.only(N::TaskStartRequested))["task_context"], json!({ "order": 7 }));
    log.all()
}

async fn what_follows_from_a_last_failure_is_told_once(world: World) -> EventList {
    let (engine, log) = listening(&world);
    let builder = Definition::builder("shop", "checkout", "1.0.0").step("pay", fails(9)).retry_limit(1);
    let definition = builder.step("mail", constant(json!(1))).after(["pay"]).build().unwrap();
    let task = engine.start_definition(&definition, json!({})).await.unwrap();
    assert_eq!(task.finished().await.unwrap().state(), TaskState::Error);
    let told = log.of(task.id());
    for name in [
        N::StepFailed,
        N::ObservabilityStepMaxRetriesReached,
        N::WorkflowStepFailed,
        N::TaskFailed,
        N::WorkflowTaskFinalizationCompleted,
    ] {
        told.only(name);
    }
    assert_eq!(told.count(N::ObservabilityStepBackoff), 0);
    let failed = json_of(told.only(N::TaskFailed));
    assert_eq!(failed["error_steps"], json!(["pay"]));
    assert_eq!(failed["error_message"], "steps_in_error_state");
    let counts = [
        &failed["total_steps"],
        &failed["completed_steps"],
        &failed["failed_steps"],
        &failed["pending_steps"],
    ];
    assert_eq!(counts, [2, 0, 1, 1].map(Value::from).each_ref());
    assert_eq!(json_of(told.only(N::WorkflowStepFailed))["blocked_by"], "retries_exhausted");
    log.all()
}

async fn an_attempt_without_a_verdict_is_told_as_such(world: World) -> EventList {
    let (engine, log) = listening(&world);
    let odd = handler_fn(|call: Call| async move {
        assert!(call.attempt() > 1, "the first attempt panics");
        Ok(json!(1))
    });
    let task = engine.start_definition(&definition(odd, 3), json!({})).await.unwrap();
    task.finished().await.unwrap();
    let told = log.of(task.id());
    assert_eq!(json_of(told.only(N::WorkflowStepExecutionFailed))["error_class"], "PANIC");
    told.only(N::StepFailed);
    log.all()
}

async fn acts_on_a_task_are_told_with_their_actor(world: World) -> EventList {
    let (engine, log) = listening(&world);
    let flow = definition(fails(9), 1);
    let task = engine.start_definition(&flow, json!({})).await.unwrap();
    task.pause("ada", None).await.unwrap();
    task.resume("ada").await.unwrap();
    let pending = log.of(task.id()).named([N::TaskInitializeRequested]);
    let reasons: Vec<_> = pending.iter().map(|event| json_of(event)["reason"].clone()).collect();
    assert_eq!(reasons, ["created", "workflow_paused", "resumed"]);
    assert_eq!(task.finished().await.unwrap().state(), TaskState::Error);

    task.retry("ada").await.unwrap();
    let retried = json_of(log.of(task.id()).only(N::TaskRetryRequested));
    assert_eq!((&retried["from_state"], &retried["triggered_by"]), (&json!("error"), &json!("ada")));
    // The step was in error, too.
    log.of(task.id()).only(N::StepRetryRequested);
    assert_eq!(task.finished().await.unwrap().state(), TaskState::Error);
    let act = Act::Task { command: TaskCommand::Resolve, expected: None };
    engine.intervene(task.id(), act, "bob", Some("paid in cash")).await.unwrap();
    let resolved = json_of(log.of(task.id()).only(N::TaskResolvedManually));
    assert_eq!((&resolved["resolved_by"], &resolved["reason"]), (&json!("bob"), &json!("paid in cash")));

    let other = engine.start_definition(&flow, json!({ "other": true })).await.unwrap();
    other.cancel("ada", Some("changed my mind")).await.unwrap();
    let told = log.of(other.id());
    let cancelled = json_of(told.only(N::TaskCancelled));
    assert_eq!(
        (&cancelled["triggered_by"], &cancelled["reason"]),
        (&json!("ada"), &json!("changed my mind"))
    );
    assert_eq!(json_of(told.only(N::StepCancelled))["cancellation_reason"], "task_cancelled");
    other.cancel("ada", None).await.unwrap();
    assert_eq!(log.of(other.id()).count(N::TaskCancelled), 1, "it stood there already");
    log.all()
}

async fn acts_on_steps_are_told_with_their_actor(world: World) -> EventList {
    let (engine, log) = listening(&world);
    let builder = Definition::builder("shop", "checkout", "1.0.0")
        .step("a", fails(1))
        .retry_limit(1)
        .step("b", constant(json!(1)))
        .after(["a"])
        .step("c", constant(json!(1)))
        .after(["b"])
        .step("d", fails(9))
        .retry_limit(1);
    let task = engine.start_definition(&builder.build().unwrap(), json!({})).await.unwrap();
    assert_eq!(task.finished().await.unwrap().state(), TaskState::Error);
    let steps: Vec<StepId> = world.record(task.id()).await.steps.iter().map(|step| step.id).collect();
    let act = async |step: usize, command| {
        let act = Act::Step { step: steps[step], command, expected: None };
        engine.intervene(task.id(), act, "ada", Some("why not")).await.unwrap()
    };
    act(0, StepCommand::Reset).await;
    let told = log.of(task.id());
    assert_eq!(json_of(told.only(N::StepRetryRequested))["triggered_by"], "ada");
    told.only(N::TaskRetryRequested);
    act(1, StepCommand::Cancel).await;
    let told = log.of(task.id());
    let cancelled: Vec<_> = told
        .iter()
        .filter(|event| event.name == N::StepCancelled)
        .map(|event| (event.step.unwrap(), json_of(event)["triggered_by"].clone()))
        .collect();
    assert_eq!(cancelled, [(steps[1], json!("ada")), (steps[2], json!("parent_cancelled"))]);
    act(3, StepCommand::Resolve { results: None }).await;
    let resolved = json_of(log.of(task.id()).only(N::StepResolvedManually));
    assert_eq!((&resolved["from_state"], &resolved["reason"]), (&json!("error"), &json!("why not")));
    act(0, StepCommand::Complete { results: Arc::new(json!(7)) }).await;
    let completed = json_of(log.of(task.id()).only(N::StepCompleted));
    assert_eq!((&completed["step_results"], &completed["resolved_by"]), (&json!(7), &json!("ada")));
    assert!(task.finished().await.unwrap().is_complete());
    log.all()
}

async fn steps_passed_over_by_a_request_are_told(world: World) -> EventList {
    let (engine, log) = listening(&world);
    let builder =
        Definition::builder("shop", "checkout", "1.0.0").step("mail", constant(json!(1))).skippable();
    let definition = builder.build().unwrap();
    let request = Request { bypass_steps: vec!["mail".into()], ..Request::new(json!({})) };
    let task = engine.request(&definition, request).await.unwrap();
    let told = log.of(task.id());
    assert_eq!(
        told.names(),
        [
            "task.initialize_requested",
            "step.initialize_requested",
            "step.resolved_manually",
            "observability.step.skip",
            "task.start_requested",
            "workflow.task_started",
            "workflow.task_finalization_started",
            "task.completed",
            "workflow.task_finalization_completed",
        ]
    );
    assert_eq!(json_of(told.only(N::ObservabilityStepSkip))["resolved_by"], "bypass_steps");
    assert_eq!(json_of(told.only(N::TaskCompleted))["completed_steps"], 1);
    log.all()
}

async fn a_late_outcome_is_told_and_nothing_else(world: World) -> EventList {
    let (engine, log) = listening(&world);
    let (started, release) = (Arc::new(Condition::<bool>::default()), Arc::new(Condition::<bool>::default()));
    let (tell, wait, clock) = (Arc::clone(&started), Arc::clone(&release), world.clock.clone());
    let step = handler_fn(move |_: Call| {
        let (tell, wait, clock) = (Arc::clone(&tell), Arc::clone(&wait), clock.clone());
        async move {
            tell.change(&clock, |it| *it = true);
            drop(wait.until(|it| it.then_some(())).await);
            Ok(json!("too late"))
        }
    });
    let task = engine.start_definition(&definition(step, 3), json!({})).await.unwrap();
    let running = tokio::spawn({
        let (engine, id) = (engine.clone(), task.id());
        async move { engine.drive(id).await }
    });
    drop(started.until(|it| it.then_some(())).await);
    task.cancel("ada", None).await.unwrap();
    assert_eq!(running.await.unwrap().unwrap(), TaskState::Cancelled);
    release.change(&world.clock, |it| *it = true);
    while log.of(task.id()).count(N::StepOutcomeStale) == 0 {
        tokio::task::yield_now().await;
    }
    let told = log.of(task.id());
    let stale = json_of(told.only(N::StepOutcomeStale));
    assert_eq!((&stale["outcome"], &stale["attempt_number"]), (&json!("completed"), &json!(1)));
    told.only(N::ObservabilityStepHandle);
    assert_eq!(told.count(N::StepCompleted), 0);
    log.all()
}

async fn a_lost_worker_is_told_once_and_its_steps_each(world: World) -> EventList {
    let (engine, log) = listening(&world);
    let builder = Definition::builder("shop", "checkout", "1.0.0").step("a", nap(1)).step("b", nap(1));
    let task = engine.start_definition(&builder.retry_limit(1).build().unwrap(), json!({})).await.unwrap();
    world.claimed_by_a_process_that_died(task.id()).await;
    world.clock.advance(Duration::from_secs(60));
    assert_eq!(engine.tend().await.unwrap().rescued, 2);
    let lost = log.of_engine();
    assert_eq!(json_of(lost.only(N::WorkerLost))["step_count"], 2);
    let told = log.of(task.id());
    assert_eq!(told.count(N::StepFailed), 2);
    assert_eq!(told.count(N::WorkflowStepExecutionFailed), 2);
    assert_eq!(told.count(N::ObservabilityStepBackoff), 1, "a may be tried again");
    assert_eq!(told.count(N::ObservabilityStepMaxRetriesReached), 1, "b may not");
    let failed = told.iter().find(|event| event.name == N::StepFailed).unwrap();
    assert_eq!(
        (&json_of(failed)["error_class"], &json_of(failed)["step_name"]),
        (&json!("WorkerLost"), &json!("a"))
    );
    assert_eq!(engine.tend().await.unwrap().rescued, 0);
    assert_eq!(log.of_engine().count(N::WorkerLost), 1);
    log.all()
}

async fn a_task_that_waits_says_for_what(world: World) -> EventList {
    let (engine, log) = listening_with(&world, Settings { concurrency: 1, ..Settings::default() });
    let builder = Definition::builder("shop", "checkout", "1.0.0").step("a", fails(1)).step("b", fails(1));
    let task = engine.start_definition(&builder.build().unwrap(), json!({})).await.unwrap();
    let budget = Duration::from_secs(1);
    while engine.handle(task.id(), budget).await.unwrap() == Handled::RunAgain {}
    assert!(matches!(engine.handle(task.id(), budget).await.unwrap(), Handled::WakeAt(_)));
    let told = log.of(task.id());
    assert!(told.count(N::WorkflowTaskReenqueueRequested) >= 1, "there was room for one of two\n{told}");
    assert!(told.count(N::WorkflowNoViableSteps) >= 1, "both wait\n{told}");
    let delayed = told.iter().rev().find(|event| event.name == N::WorkflowTaskReenqueueDelayed).unwrap();
    assert_eq!(
        (&json_of(delayed)["reason"], &json_of(delayed)["delay_seconds"]),
        (&json!("retry_backoff"), &json!(2.0))
    );
    log.all()
}

async fn a_worker_says_when_it_begins_and_ends(world: World) -> EventList {
    let settings = Settings { label: "till 3".to_owned(), ..Settings::default() };
    let (engine, log) = listening_with(&world, settings);
    engine.worker().run_until(async {}).await;
    while log.of_engine().count(N::WorkerStopped) == 0 {
        tokio::task::yield_now().await;
    }
    let told = log.of_engine().named([N::WorkerStarted, N::WorkerStopped]);
    assert_eq!(told.names(), ["worker.started", "worker.stopped"]);
    assert_eq!(json_of(&told[0])["label"], "till 3");
    log.all()
}

/// Takes nothing.
struct Down;

impl Enqueue for Down {
    async fn enqueue(&self, _: &[Wake]) -> Result<(), QueueError> {
        Err(QueueError("the queue cannot be reached".into()))
    }
}

impl Queue for Down {
    async fn receive(&self, _: Interest) -> Result<Delivery, QueueError> {
        std::future::pending().await
    }
    async fn try_receive(&self, _: Interest) -> Result<Delivery, QueueError> {
        Err(QueueError("the queue cannot be reached".into()))
    }
    async fn ack(&self, _: &[Wake]) -> Result<(), QueueError> {
        Ok(())
    }
}

async fn a_hint_that_no_queue_takes_is_told(world: World) -> EventList {
    let log = MemoryEventLog::new();
    let queue: Arc<dyn DynQueue> = Arc::new(Down);
    let engine = world.engine_on(queue, log.clone(), Settings::default());
    let task = engine.start_definition(&definition(constant(json!(1)), 3), json!({})).await.unwrap();
    let failed = json_of(log.of(task.id()).only(N::WorkflowTaskReenqueueFailed));
    assert!(failed["error"].as_str().unwrap().contains("cannot be reached"), "{failed}");
    log.all()
}

async fn a_task_that_cannot_be_read_is_told(world: World) -> EventList {
    let task = world.engine().start_definition(&definition(constant(json!(1)), 3), json!({})).await.unwrap();
    let unreadable =
        world.watched(|asked| if asked.operation == "load" { Fate::Refused } else { Fate::Made });
    let log = MemoryEventLog::new();
    let engine = world.engine_through_both(&unreadable, world.queue(), log.clone(), Settings::default());
    assert!(matches!(engine.drive(task.id()).await, Err(EngineError::Storage(_))));
    let unclear = json_of(log.of(task.id()).only(N::WorkflowTaskStateUnclear));
    assert_eq!(
        (&unclear["task_name"], &unclear["reason"]),
        (&json!("unknown_task"), &json!("storage refused"))
    );
    log.all()
}

async fn what_is_served_and_attached_is_told(world: World) -> EventList {
    let (engine, log) = listening(&world);
    assert!(log.of_engine().count(N::PluginRegistered) >= 2, "the strategy and the sink");
    let flow = definition(constant(json!(1)), 3);
    let mut registry = Registry::new();
    registry.register(flow, "code").unwrap();
    engine.serve(&registry, OpenTasks::Leave).await.unwrap();
    let told = log.of_engine().named([
        N::RegistrySyncRequested,
        N::RegistryCrossDiscovery,
        N::HandlerRegistered,
        N::RegistryCoordinationComplete,
    ]);
    assert_eq!(
        told.names(),
        [
            "registry.sync_requested",
            "registry.cross_discovery",
            "handler.registered",
            "registry.coordination_complete",
        ]
    );
    engine.serve(&Registry::new(), OpenTasks::Leave).await.unwrap();
    log.of_engine().only(N::HandlerUnregistered);
    assert_eq!(engine.registry_counts().workflows, 0);
    log.of_engine().only(N::RegistryStatsCollected);
    let missing = handler_fn(|_: Call| async { Ok(json!(1)) }).named("needs_state");
    let mut missing = missing;
    missing.needs.states.push(tasker::TypeKey::of::<u8>());
    let refused = Definition::builder("shop", "odd", "1.0.0").step("x", missing).build().unwrap();
    let mut registry = Registry::new();
    registry.register(refused, "code").unwrap();
    engine.serve(&registry, OpenTasks::Leave).await.unwrap_err();
    log.of_engine().only(N::HandlerValidationFailed);

    let before = log.of_engine().count(N::PluginRegistered);
    engine.attach("audit", MemoryEventLog::new()).unwrap();
    assert_eq!(log.of_engine().count(N::PluginRegistered), before + 1);
    assert!(matches!(engine.attach("audit", MemoryEventLog::new()), Err(SubscribeError::Name(_))));
    log.of_engine().only(N::PluginValidationFailed);
    assert!(engine.detach("audit") && !engine.detach("audit"));
    log.of_engine().only(N::PluginUnregistered);
    engine.subscribe("alerts", ["task.*"], Hears::default()).unwrap();
    log.of_engine().only(N::SubscriberRegistered);
    engine.subscribe("others", ["task.complete"], Hears::default()).unwrap_err();
    log.of_engine().only(N::SubscriberValidationFailed);
    engine.detach("alerts");
    log.of_engine().only(N::SubscriberUnregistered);
    log.all()
}

async fn spawned_steps_come_into_being_once(world: World) {
    let (engine, log) = listening(&world);
    let leaf = handler_fn(|_: Call| async { Ok(json!(1)) }).named("leaf");
    let for_root = leaf.clone();
    let root = handler_fn(move |call: Call| {
        let leaf = for_root.clone();
        async move {
            for name in ["leaf_1", "leaf_2"] {
                let entry = leaf.clone();
                call.spawn(SpawnRequest {
                    name: name.into(),
                    entry,
                    config: Value::Null,
                    after: vec![],
                    before: vec![],
                })?;
            }
            Ok(json!(2))
        }
    });
    let mut handlers = Handlers::new();
    handlers.insert_entry(leaf);
    let engine = engine.handlers(handlers);
    let task = engine.start_definition(&definition(root, 3), json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    let told = log.of(task.id()).named([N::StepInitializeRequested]);
    let names: Vec<_> = told.iter().map(|event| json_of(event)["step_name"].clone()).collect();
    assert_eq!(names, ["pay", "leaf_1", "leaf_2"]);
}

async fn declared_events_are_told_only_if_their_attempt_counts(world: World) {
    let (engine, log) = listening(&world);
    let step = handler_fn(|call: Call| async move {
        call.publish("order.paid", json!({ "attempt": call.attempt() }))?;
        if call.attempt() == 1 { Err("not yet".into()) } else { Ok(json!(1)) }
    });
    let builder = Definition::builder("shop", "checkout", "1.0.0").step("pay", step);
    let declaring = builder.custom_event("order.paid", "it was paid").build().unwrap();
    let task = engine.start_definition(&declaring, json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    let told = log.of(task.id());
    let names = told.names();
    let paid = told.only(N::Custom);
    assert_eq!((paid.name(), &json_of(paid)["payload"]), ("order.paid", &json!({ "attempt": 2 })));
    assert_eq!(json_of(paid)["event_type"], "custom");
    let place = |name: &str| names.iter().position(|other| *other == name);
    assert_eq!(place("order.paid"), place("step.completed").map(|place| place + 1), "{names:?}");

    let undeclared = handler_fn(|call: Call| async move {
        call.publish("order.lost", json!(1))?;
        Ok(json!(1))
    });
    let task = engine.start_definition(&definition(undeclared, 3), json!({})).await.unwrap();
    let report = task.finished().await.unwrap();
    assert_eq!(
        (report.state(), report.steps()[0].attempts),
        (TaskState::Error, 1),
        "it is no use trying again"
    );
    assert_eq!(report.steps()[0].results["error_class"], tasker::UNDECLARED_EVENT);
}

/// Tells what it hears; panics at failures.
#[derive(Clone, Default)]
struct Hears(Arc<std::sync::Mutex<Vec<String>>>);

#[async_trait]
impl Subscriber for Hears {
    async fn on_event(&self, event: &Event) {
        assert!(event.name != N::StepFailed, "this one cannot bear failures");
        self.0.lock().unwrap().push(event.name().to_owned());
    }
}

impl Hears {
    async fn names(&self, many: usize) -> Vec<String> {
        while self.0.lock().unwrap().len() < many {
            tokio::task::yield_now().await;
        }
        self.0.lock().unwrap().clone()
    }
}

async fn subscribers_hear_what_they_asked_for_under_the_name_they_asked_for(world: World) {
    let engine = world.engine();
    let (all, exact, none) = (Hears::default(), Hears::default(), Hears::default());
    engine.subscribe("all", ["task.*"], all.clone()).unwrap();
    engine.subscribe("exact", ["workflow.task_completed", "step.before_transition"], exact.clone()).unwrap();
    engine.subscribe("none", ["order.*"], none.clone()).unwrap();
    let task = engine.start_definition(&definition(constant(json!(1)), 3), json!({})).await.unwrap();
    task.finished().await.unwrap();
    assert_eq!(all.names(3).await, ["task.initialize_requested", "task.start_requested", "task.completed"]);
    assert_eq!(
        exact.names(4).await,
        [
            "step.before_transition",
            "step.before_transition",
            "step.before_transition",
            "workflow.task_completed"
        ]
    );
    assert!(none.0.lock().unwrap().is_empty());
    assert!(matches!(
        engine.subscribe("typo", ["step.complete"], none),
        Err(SubscribeError::Pattern { name, .. }) if name == "typo"
    ));
}

async fn a_subscriber_that_panics_is_counted_and_hears_the_next_event(world: World) {
    let engine = world.engine();
    let hears = Hears::default();
    engine.subscribe("weak", ["step.*"], hears.clone()).unwrap();
    let task = engine.start_definition(&definition(fails(1), 3), json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    let heard = hears.names(6).await;
    assert_eq!(heard.last().map(String::as_str), Some("step.completed"), "{heard:?}");
    let counts = engine.sink_counts();
    let (name, weak) = &counts[1];
    assert_eq!((name.as_str(), weak.panicked, weak.dropped), ("weak", 1, 0));
}

/// A sink that panics does not keep tasks from running.
#[tokio::test]
async fn a_sink_that_panics_stops_nobody() {
    struct Panics;
    impl EventSink for Panics {
        fn publish(&self, _: &[Event]) {
            panic!("this sink always panics");
        }
    }
    let world = World::memory().await;
    let engine = world.engine_on(world.queue(), Panics, Settings::default());
    let task = engine.start_definition(&definition(constant(json!(1)), 3), json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    let counts = engine.sink_counts();
    assert!(counts[0].1.panicked > 0 && counts[0].1.delivered == 0, "{counts:?}");
}

/// A workflow drawn at random: steps that wait for earlier ones, of which some fail at first and some for good.
fn drawn(random: &mut fastrand::Rng) -> Definition {
    let steps = random.usize(1..7);
    let mut builder = Definition::builder("shop", &format!("drawn_{}", random.u64(..)), "1.0.0");
    for step in 0..steps {
        let name = format!("s{step}");
        builder = match random.u32(..6) {
            0 => builder.step(name, fails(1)),
            1 => builder.step(name, fails(9)),
            2 => builder.step(name, nap(random.u64(1..9))),
            _ => builder.step(name, constant(json!(step))),
        };
        builder = builder.retry_limit(random.u32(1..3)).skippable();
        let parents: Vec<_> =
            (0..step).filter(|_| random.u32(..3) == 0).map(|step| format!("s{step}")).collect();
        builder = builder.after(parents.iter().map(String::as_str));
    }
    builder.build().unwrap()
}

/// Does something to a task that an operator might do. Many acts are refused.
async fn meddle(engine: &Engine, world: &World, task: TaskId, random: &mut fastrand::Rng) {
    let record = world.record(task).await;
    let on_task = |command| Act::Task { command, expected: None };
    let step = record.steps[random.usize(..record.steps.len())].id;
    let on_step = |command| Act::Step { step, command, expected: None };
    let act = match random.u32(..9) {
        0 => on_task(TaskCommand::Cancel { force: random.bool() }),
        1 => on_task(TaskCommand::Retry),
        2 => on_task(TaskCommand::Resolve),
        3 => on_task(TaskCommand::Pause),
        4 => on_step(StepCommand::Cancel),
        5 => on_step(StepCommand::Reset),
        6 => on_step(StepCommand::Skip),
        7 => on_step(StepCommand::Retry),
        _ => on_step(StepCommand::Complete { results: Arc::new(json!(1)) }),
    };
    let pauses = matches!(act, Act::Task { command: TaskCommand::Pause, .. });
    engine.intervene(task, act, "ada", Some("by chance")).await.unwrap();
    if pauses {
        let act = on_task(TaskCommand::Resume);
        engine.intervene(task, act, "ada", None).await.unwrap();
    }
}

async fn states_are_rebuilt_from_events_alone(world: World) {
    let (engine, log) = listening(&world);
    let mut random = fastrand::Rng::with_seed(11);
    let many = if world.is_in_memory() { 1_000 } else { 60 };
    let mut tasks = vec![];
    for number in 0..many {
        let task =
            engine.start_definition(&drawn(&mut random), json!({ "number": number })).await.unwrap().id();
        for _ in 0..random.u32(..4) {
            meddle(&engine, &world, task, &mut random).await;
            if random.bool() {
                engine.drive(task).await.unwrap();
            }
        }
        engine.drive(task).await.unwrap();
        tasks.push(task);
    }
    // What was told, and nothing else.
    let mut states: BTreeMap<(TaskId, Option<StepId>), &'static str> = BTreeMap::new();
    for event in log.all().moves() {
        let (from, to) = event.fact.moved().unwrap();
        let before = states.insert((event.task.unwrap(), event.step), to);
        assert_eq!(before, from, "{event:?}");
    }
    let mut seen = BTreeMap::<_, usize>::new();
    for task in tasks {
        let record = world.record(task).await;
        assert_eq!(states[&(task, None)], record.current.state.as_str(), "task {task}");
        *seen.entry(record.current.state.as_str()).or_default() += 1;
        for step in &record.steps {
            assert_eq!(
                states[&(task, Some(step.id))],
                step.current.state.as_str(),
                "task {task}, {}",
                step.name
            );
        }
    }
    assert!(seen.len() >= 4, "every way to end is among them: {seen:?}");
}
