//! Requests: when two are the same, what is refused, and what one would come to.

mod world;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Value, json};
use tasker::prelude::*;
use tasker::{
    Identified, IdentityStrategy, NamedRequest, Registry, Request, Settings, StepName, Storage as _, TaskId,
    Timestamp, identity,
};
use world::{World, on_every_backend};

on_every_backend! {
    an_equal_request_names_the_existing_task_and_an_unequal_one_makes_another
    of_many_equal_requests_at_once_one_makes_a_task @ 2
    the_stored_row_makes_the_same_identity_again
    a_strategy_of_ones_own_is_named_in_a_configuration
    a_dry_run_tells_what_a_start_would_write_and_writes_nothing
    a_dry_run_refuses_what_a_start_refuses
    a_request_from_a_stranger_finds_its_workflow
}

#[step]
async fn pay() -> StepResult<u64> {
    Ok(1)
}
#[step(skippable)]
async fn mail(paid: Output<Pay>) -> StepResult<u64> {
    Ok(*paid)
}

fn checkout(version: &str) -> Definition {
    Definition::builder("shop", "checkout", version).step("pay", Pay).step("mail", Mail).build().unwrap()
}

fn engine(world: &World, identity: impl IdentityStrategy) -> Engine {
    world.engine_with(Settings { identity: Arc::new(identity), ..Settings::default() })
}

fn duplicate_of(result: Result<tasker::Task<tasker::Dynamic>, EngineError>) -> Option<TaskId> {
    match result {
        Ok(_) => None,
        Err(EngineError::Duplicate { task }) => Some(task),
        Err(error) => panic!("{error}"),
    }
}

async fn an_equal_request_names_the_existing_task_and_an_unequal_one_makes_another(world: World) {
    let engine = engine(&world, identity::Hash::default());
    let definition = checkout("1.0.0");
    let request = || Request::new(json!({ "order": 7 })).initiator("docs");
    let first = engine.request(&definition, request()).await.unwrap().id();
    assert_eq!(duplicate_of(engine.request(&definition, request()).await), Some(first));
    assert_eq!(duplicate_of(engine.request(&definition, request().tag("urgent")).await), Some(first));
    for other in [
        request().reason("again"),
        request().bypass("mail"),
        request().requested_at(Timestamp::EPOCH + std::time::Duration::from_secs(60)),
        request().identity("mine"),
    ] {
        assert_eq!(duplicate_of(engine.request(&definition, other).await), None);
    }
    assert_eq!(duplicate_of(engine.request(&checkout("1.0.1"), request()).await), None);
}

async fn of_many_equal_requests_at_once_one_makes_a_task(world: World) {
    let engine = engine(&world, identity::Hash { window_seconds: 0 });
    let definition = checkout("1.0.0");
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let (engine, definition) = (engine.clone(), definition.clone());
            tokio::spawn(
                async move { engine.request(&definition, Request::new(json!({ "order": 7 }))).await },
            )
        })
        .collect();
    let mut made = BTreeSet::new();
    let mut named = BTreeSet::new();
    for asked in asked {
        match asked.await.unwrap() {
            Ok(task) => made.insert(task.id()),
            Err(EngineError::Duplicate { task }) => named.insert(task),
            Err(error) => panic!("{error}"),
        };
    }
    assert_eq!(made.len(), 1);
    assert_eq!(named, made);
}

async fn the_stored_row_makes_the_same_identity_again(world: World) {
    let engine = engine(&world, identity::Hash::default());
    let definition = checkout("1.0.0");
    let context = json!({ "z": 1.0, "a": { "big": 1e17, "list": [-0.0, "é"] } });
    let task = engine.request(&definition, Request::new(context)).await.unwrap().id();
    let record = engine.storage().load(&[task], tasker::Detail::Graph).await.unwrap().remove(0);
    let again = Identified { template: definition.template(), request: &record.request, sent: None };
    assert_eq!(identity::Hash::default().identity(&again), record.identity_hash);
}

/// One task for each customer, for ever.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct PerCustomer {
    #[serde(default)]
    prefix: String,
}

#[typetag::serde(name = "per_customer")]
impl IdentityStrategy for PerCustomer {
    fn identity(&self, request: &Identified<'_>) -> String {
        format!("{}{}", self.prefix, request.request.context["customer"])
    }
}

async fn a_strategy_of_ones_own_is_named_in_a_configuration(world: World) {
    let layers = tasker::Layers::new()
        .set("engine.identity_strategy", "custom")
        .set("engine.identity_strategy_class", "per_customer");
    let settings = layers.load().unwrap().settings();
    let engine = world.engine_with(settings);
    let request = |order: u64| Request::new(json!({ "customer": 1, "order": order }));
    let first = engine.request(&checkout("1.0.0"), request(1)).await.unwrap().id();
    assert_eq!(duplicate_of(engine.request(&checkout("1.0.0"), request(2)).await), Some(first));
}

async fn a_dry_run_tells_what_a_start_would_write_and_writes_nothing(world: World) {
    let engine = engine(&world, identity::Hash::default());
    let definition = checkout("1.0.0");
    let request = || Request::new(json!({ "order": 7 })).bypass("mail");
    let plan = engine.plan(&definition, request()).unwrap();
    assert_eq!(plan.workflow, "shop/checkout 1.0.0");
    let steps: Vec<_> = plan.steps.iter().map(|step| (step.name.as_str(), step.skipped)).collect();
    assert_eq!(steps, [("pay", false), ("mail", true)]);
    assert_eq!(plan.steps[1].depends_on, ["pay"]);
    assert!(engine.storage().load(&[TaskId(1)], tasker::Detail::Graph).await.unwrap().is_empty());
    let task = engine.request(&definition, request()).await.unwrap().id();
    let record = engine.storage().load(&[task], tasker::Detail::Graph).await.unwrap().remove(0);
    assert_eq!(record.identity_hash, plan.identity);
    assert_eq!(record.request.context, plan.context);
}

async fn a_dry_run_refuses_what_a_start_refuses(world: World) {
    let engine = engine(&world, identity::Unique);
    let definition = checkout("1.0.0");
    let requests = [
        Request::new(json!({})).bypass("pay"),
        Request::new(json!({})).bypass("nobody"),
        Request::new(json!({})).initiator("x".repeat(129)),
        Request::new(json!("text")),
    ];
    for request in requests {
        let planned = engine.plan(&definition, request.clone()).unwrap_err();
        let started = engine.request(&definition, request).await.map(|task| task.id()).unwrap_err();
        assert_eq!(format!("{planned:?}"), format!("{started:?}"));
    }
}

async fn a_request_from_a_stranger_finds_its_workflow(world: World) {
    let mut registry = Registry::new();
    registry.register(checkout("1.0.0"), "code").unwrap();
    let text = r#"{
        "name": "checkout", "namespace": "shop", "version": "1.0.0", "context": { "b": 1, "a": 2 },
        "initiator": "web", "tags": ["x"], "bypass_steps": ["mail"], "requested_at": "2025-03-04T05:06:07Z",
        "status": "complete", "complete": true
    }"#;
    let named = NamedRequest::from_json(text).unwrap();
    assert_eq!(named.request.sent.as_deref(), Some(r#"{ "b": 1, "a": 2 }"#));
    assert_eq!(named.request.bypass_steps, [StepName::from("mail")]);
    let definition = registry.for_request(&named).unwrap().clone();
    let engine = engine(&world, identity::Rails);
    let report = engine.request(&definition, named.request).await.unwrap().finished().await.unwrap();
    assert!(report.is_complete());
    assert_eq!(report.record().request.initiator, "web");
}

#[test]
fn a_bad_request_is_refused_field_by_field() {
    let refused = |value: &Value| NamedRequest::from_value(value).unwrap_err().to_string();
    let all = json!({
        "name": 1, "namespace": "", "version": "1.0", "context": [], "initiator": "x".repeat(129),
        "bypass_steps": [1], "requested_at": "soon", "colour": "red",
    });
    let lines = refused(&all);
    assert_eq!(lines.lines().count(), 8, "{lines}");
    for field in
        ["bypass_steps[0]", "colour", "context", "initiator", "name", "namespace", "requested_at", "version"]
    {
        assert!(lines.contains(&format!("`{field}`: ")), "{field} in {lines}");
    }
    assert!(refused(&json!({ "name": "x", "context": {}, "requested_at": 5 })).contains("`requested_at`"));
    assert!(NamedRequest::from_value(&json!({ "name": "x", "context": {}, "requested_at": null })).is_ok());
    assert!(NamedRequest::from_json("{").is_err() && NamedRequest::from_json("[]").is_err());
    for (value, says) in
        [(json!(null), "can't be blank"), (json!(" "), "can't be blank"), (json!("{}"), "must be an object")]
    {
        let text = refused(&json!({ "name": "x", "context": value }));
        assert!(text.contains(says), "{text}");
    }
}
