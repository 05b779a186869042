//! Covers [`Storage::learn`](tasker_engine::Storage::learn): "Writes what definitions bring", "Learning one again
//! changes nothing", "It is a transaction of its own"; and "Checked" for what a definition brings.

use std::sync::Arc;

use serde_json::json;
use tasker_engine::{Creation, Storage as _, StorageError, Version};

use super::fixture::{Graph, Scene, at, graph, values};

/// The bound template comes back from the storage as it went in.
pub async fn learned_definition_is_what_its_tasks_name(scene: Scene) {
    let definition = scene.learn(everything()).await;
    let task = scene.create_one(&definition, scene.request(&definition)).await;
    let record = scene.task(&task).await;
    assert_eq!(record.template, *definition.template());
    assert_eq!(record.definition, *definition.hash());
}

/// Every column of a step that the template fills.
pub async fn learned_steps_keep_what_the_template_says(scene: Scene) {
    let task = scene.start(everything()).await;
    let a = scene.step(&task, "a").await;
    assert_eq!((a.retry_limit, a.retryable, a.skippable), (7, false, true));
    assert_eq!(
        (a.binding.handler.as_str(), &*a.binding.config),
        ("shop::charge", &json!({ "currency": "EUR" }))
    );
    let b = scene.step(&task, "b").await;
    assert_eq!((b.retry_limit, b.retryable, b.skippable), (3, true, false));
    assert_eq!((b.binding.handler.as_str(), &*b.binding.config), ("b", &json!(null)));
    assert_eq!((a.binding.spawned_by, b.binding.spawned_by), (None, None));
}

fn everything() -> Graph {
    let graph = graph("a -> b").limit("a", 7).not_retryable("a").skippable("a").handler("a", "shop::charge");
    graph.config("a", json!({ "currency": "EUR" })).with("b", |step| {
        step.description = Some("the second".into());
        step.dependent_system = Some("bank".into());
        step.timeout_seconds = Some(5);
        step.retry_policy = json!({ "type": "fixed", "seconds": 3 });
    })
}

/// Once, twice in a call, or again later: all the same.
pub async fn learning_again_changes_nothing(scene: Scene) {
    let task = scene.start("a -> b").await;
    let before = scene.task(&task).await;
    let again = Arc::clone(&task.definition);
    scene.storage().learn(&[Arc::clone(&again), again], at(5)).await.expect("learn again");
    assert_eq!(scene.task(&task).await, before);
    let other = scene.create_one(&task.definition, scene.request(&task.definition)).await;
    assert_eq!(scene.task(&other).await.definition, before.definition);
}

/// Nothing to learn is no fault.
pub async fn learning_nothing_is_no_fault(scene: Scene) {
    scene.storage().learn(&[], at(0)).await.expect("learn nothing");
}

/// One call brings several, of one name and of others.
pub async fn learning_many_at_once_learns_each(scene: Scene) {
    let definitions = ["a", "a -> b", "a -> b -> c"].map(|edges| graph(edges).bound());
    let others = ["x", "y"].map(|name| graph("a, b").named(name).bound());
    let all: Vec<_> = definitions.into_iter().chain(others).collect();
    scene.storage().learn(&all, at(0)).await.expect("learn");
    for definition in &all {
        let task = scene.create_one(definition, scene.request(definition)).await;
        assert_eq!(scene.task(&task).await.template, *definition.template());
    }
}

/// A later template of the same name and version never touches the steps of a task.
pub async fn learned_changes_leave_older_tasks_alone(scene: Scene) {
    let task = scene.start("a -> b").await;
    let before = scene.task(&task).await;
    let changed = scene.start(graph("b -> a, c").limit("a", 9).skippable("b")).await;
    assert_eq!(scene.task(&task).await, before);
    assert_eq!(scene.step(&changed, "a").await.parents, [changed.step("b")]);
    assert_eq!(scene.drain(&task, 0).await, 2);
}

/// Two processes that start at once learn the same definitions, in whatever order.
pub async fn learning_at_once_in_any_order_learns_each(scene: Scene) {
    let forwards: Vec<_> = (0..12).map(|n| graph("a -> b").named(&format!("w{n}")).bound()).collect();
    let backwards: Vec<_> = forwards.iter().rev().cloned().collect();
    let learners: Vec<_> = (0..6)
        .map(|number| {
            let (scene, all) =
                (scene.clone(), if number % 2 == 0 { forwards.clone() } else { backwards.clone() });
            tokio::spawn(async move { scene.storage().learn(&all, at(0)).await })
        })
        .collect();
    for learner in learners {
        learner.await.expect("no panic").expect("learn");
    }
    let requests = forwards.iter().map(|definition| scene.request(definition)).collect();
    let created = scene.create(requests).await;
    assert!(created.iter().all(|one| matches!(one, Creation::Created { .. })), "{created:?}");
}

/// A configuration is a value like any other: what cannot be stored is refused, and nothing of the call is learned.
pub async fn learning_what_cannot_be_stored_is_refused_whole(scene: Scene) {
    for (what, value) in values::unstorable() {
        let (good, bad) = (graph("a").named("good").bound(), graph("a").config("a", value).bound());
        let refused = scene.storage().learn(&[Arc::clone(&good), bad], at(0)).await;
        assert!(matches!(refused, Err(StorageError::Payload { .. })), "{what}: {refused:?}");
        let unknown = scene.storage().create(vec![scene.request(&good)], at(0)).await;
        assert!(
            matches!(unknown, Err(StorageError::UnknownDefinition(hash)) if hash == *good.hash()),
            "{what}"
        );
    }
}

/// A configuration is stored as `normalise` makes it.
pub async fn learned_configurations_are_normalised(scene: Scene) {
    for (value, normal) in values::normalised() {
        let task = scene.start(graph("a").config("a", json!({ "n": value }))).await;
        values::assert_same(&scene.step(&task, "a").await.binding.config, &json!({ "n": normal }));
    }
}

/// The longest names that a template may have.
pub async fn longest_names_are_learned(scene: Scene) {
    let long = |length: usize| "ü".repeat(length);
    let (step, after) = (long(128), long(127));
    let graph = graph(&format!("{step} -> {after}")).handler(&step, &long(255)).with(&step, |step| {
        step.description = Some(long(255));
        step.dependent_system = Some(long(64));
    });
    let graph = graph.edit(|template| {
        (template.namespace_name, template.name) = (long(64), long(64));
        template.description = Some(long(255));
        template.version = Version(1_000_000, 1_000, 999);
    });
    let task = scene.start(graph).await;
    let record = scene.task(&task).await;
    assert_eq!(record.template, *task.definition.template());
    assert_eq!(
        (record.steps[0].name.as_str(), record.steps[0].binding.handler.as_str()),
        (&*step, &*long(255))
    );
    assert_eq!(scene.drain(&task, 0).await, 2);
}

/// One name in two namespaces, and in two versions, is another workflow each time.
pub async fn namespaces_and_versions_are_told_apart(scene: Scene) {
    let namespace =
        |name: &'static str| graph("a").edit(|template| name.clone_into(&mut template.namespace_name));
    let version = graph("a -> b").edit(|template| template.version = Version(2, 0, 0));
    for graph in [namespace("one"), namespace("two"), version.clone(), version.named("other")] {
        let task = scene.start(&graph).await;
        assert_eq!(scene.task(&task).await.template, *graph.bound().template());
    }
}

/// A retry policy is a value like any other.
pub async fn learning_an_unstorable_policy_is_refused(scene: Scene) {
    let bad = graph("a").with("a", |step| step.retry_policy = json!({ "type": "x\0" })).bound();
    let refused = scene.storage().learn(&[bad], at(0)).await;
    assert!(matches!(refused, Err(StorageError::Payload { .. })), "{refused:?}");
}
