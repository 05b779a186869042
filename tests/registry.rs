//! Engines that serve a registry: what they refuse at the start, whom they leave alone, and what they tell.

mod world;

use serde_json::json;
use tasker::prelude::*;
use tasker::{
    EventName, Fact, MemoryEventLog, OpenTasks, Registry, RegistryError, Settings, TaskId, Version,
};
use world::{World, on_every_backend};

on_every_backend! {
    a_version_with_open_tasks_is_not_dropped_unless_that_is_wanted
    many_open_tasks_are_all_listed
    what_cannot_be_served_is_told_and_nothing_is_learned
    a_changed_workflow_of_the_same_version_is_told_once_more
    served_workflows_are_run_for_whoever_started_them
    a_stored_template_is_put_together_once_for_all_its_tasks
}

#[step]
async fn pay() -> StepResult<u64> {
    Ok(1)
}

struct Till;

#[step]
async fn ring(_till: State<Till>) -> StepResult<u64> {
    Ok(2)
}

fn checkout(version: &str) -> Definition {
    Definition::builder("shop", "checkout", version).step("pay", Pay).build().unwrap()
}

fn registry(definitions: impl IntoIterator<Item = Definition>) -> Registry {
    let mut registry = Registry::new();
    for definition in definitions {
        registry.register(definition, "tests").unwrap();
    }
    registry
}

fn told(log: &MemoryEventLog) -> Vec<(EventName, String)> {
    let events = log.of_engine().into_iter().filter_map(|event| match &event.fact {
        Fact::HandlerRegistered(fact) => Some((event.name, fact.entity_id.to_string())),
        Fact::HandlerUnregistered(fact) => Some((event.name, fact.entity_id.to_string())),
        Fact::HandlerValidationFailed(fact) => Some((event.name, fact.entity_id.to_string())),
        _ => None,
    });
    events.collect()
}

fn listening(world: &World) -> (Engine, MemoryEventLog) {
    let log = MemoryEventLog::new();
    (world.engine_on(world.queue(), log.clone(), Settings::default()), log)
}

async fn a_version_with_open_tasks_is_not_dropped_unless_that_is_wanted(world: World) {
    let (engine, log) = listening(&world);
    engine.serve(&registry([checkout("1.0.0")]), OpenTasks::Refuse).await.unwrap();
    let open = engine.start_definition(&checkout("1.0.0"), json!({})).await.unwrap().id();
    let done = engine.start_definition(&checkout("1.0.0"), json!({ "again": true })).await.unwrap();
    done.finished().await.unwrap();

    let other = registry([checkout("2.0.0")]);
    let refused = engine.serve(&other, OpenTasks::Refuse).await.unwrap_err();
    let left = vec![(open, "shop/checkout 1.0.0".to_owned())];
    let EngineError::Registry(RegistryError::OpenTasks { tasks }) = &refused else { panic!("{refused}") };
    assert_eq!(*tasks, left, "the settled one is nobody's concern");
    assert_eq!(told(&log).len(), 1, "nothing became of the other registry");

    assert_eq!(engine.serve(&other, OpenTasks::Leave).await.unwrap(), left);
    assert_eq!(
        told(&log),
        [
            (EventName::HandlerRegistered, "shop/checkout/1.0.0".to_owned()),
            (EventName::HandlerUnregistered, "shop/checkout/1.0.0".to_owned()),
            (EventName::HandlerRegistered, "shop/checkout/2.0.0".to_owned()),
        ]
    );
    let both = registry([checkout("1.0.0"), checkout("2.0.0")]);
    assert_eq!(engine.serve(&both, OpenTasks::Refuse).await.unwrap(), []);
}

async fn many_open_tasks_are_all_listed(world: World) {
    let engine = world.engine();
    let definition = checkout("1.0.0");
    for order in 0..1_100 {
        engine.start_definition(&definition, json!({ "order": order })).await.unwrap();
    }
    let refused = engine.serve(&Registry::new(), OpenTasks::Refuse).await.unwrap_err();
    let EngineError::Registry(RegistryError::OpenTasks { tasks }) = &refused else { panic!("{refused}") };
    assert_eq!(tasks.len(), 1_100);
    assert!(refused.to_string().ends_with("and 1080 more"), "{refused}");
}

async fn what_cannot_be_served_is_told_and_nothing_is_learned(world: World) {
    let (engine, log) = listening(&world);
    let till = Definition::builder("shop", "till", "1.0.0").step("ring", Ring).build().unwrap();
    let served = registry([checkout("1.0.0"), till]);
    let refused = engine.serve(&served, OpenTasks::Refuse).await.unwrap_err();
    assert!(matches!(refused, EngineError::MissingState { .. }), "{refused}");
    let events = log.of_engine();
    let event = events.only(EventName::HandlerValidationFailed);
    let Fact::HandlerValidationFailed(fact) = &event.fact else { panic!("{event:?}") };
    assert_eq!(&*fact.entity_id, "shop/till/1.0.0");
    assert_eq!(*fact.validation_error, refused.to_string());

    let engine = engine.state(Till);
    engine.serve(&served, OpenTasks::Refuse).await.unwrap();
    assert_eq!(told(&log).len(), 3);
    engine.serve(&served, OpenTasks::Refuse).await.unwrap();
    assert_eq!(told(&log).len(), 3, "nothing is new");
}

async fn a_changed_workflow_of_the_same_version_is_told_once_more(world: World) {
    let (engine, log) = listening(&world);
    engine.serve(&registry([checkout("1.0.0")]), OpenTasks::Refuse).await.unwrap();
    let changed = Definition::builder("shop", "checkout", "1.0.0").step("pay", Pay).step("again", Pay);
    engine.serve(&registry([changed.build().unwrap()]), OpenTasks::Refuse).await.unwrap();
    assert_eq!(told(&log).len(), 2);
}

async fn served_workflows_are_run_for_whoever_started_them(world: World) {
    let engine = world.engine();
    let registry = registry([checkout("1.0.0")]);
    engine.serve(&registry, OpenTasks::Refuse).await.unwrap();
    let definition = registry.find("shop", "checkout", Version(1, 0, 0)).unwrap();
    let task = engine.start_definition(definition, json!({})).await.unwrap();
    assert!(task.finished().await.unwrap().is_complete());
    assert_eq!(task.id(), TaskId(1));
}

/// A program that knows the handlers and has not seen the workflow, on the storage of one that started its tasks.
async fn a_stored_template_is_put_together_once_for_all_its_tasks(world: World) {
    let starts = world.engine();
    let mut tasks = vec![];
    for order in 0..20 {
        tasks
            .push(starts.start_definition(&checkout("1.0.0"), json!({ "order": order })).await.unwrap().id());
    }
    let runs = world.engine().handlers(Handlers::new().with::<Pay>());
    for task in tasks {
        assert!(runs.task(task).finished().await.unwrap().is_complete());
    }
    let counts = runs.template_counts();
    assert_eq!((counts.misses, counts.hits), (1, 19));
}
