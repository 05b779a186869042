//! Covers [`SpawnedStep`], the second half of point 2 of [`Advance`](tasker_engine::Advance) ("Then spawned steps and
//! edges; a name that the task already has adds nothing"), and [`Binding`](tasker_engine::Binding).

use std::sync::Arc;

use serde_json::json;
use tasker_engine::{
    Outcome, Recording, RetryAdvice, SpawnedBy, SpawnedStep, StepCommand, StepState, TaskState,
};

use super::fixture::{AdvanceCall, Scene, Started, completed, failed, graph, spawned};

/// Step `a` of the task completes and asks for those steps.
pub(super) async fn asking(scene: &Scene, task: &Started, steps: Vec<SpawnedStep>) -> Outcome {
    let mut outcome = completed(task, &scene.claim(task, "a").await, json!({}));
    outcome.spawned = steps;
    outcome
}

/// Everything that a spawned step is.
pub async fn spawned_step_is_as_it_was_asked_for(scene: Scene) {
    let task = scene.start("a").await;
    let step = SpawnedStep {
        handler: "shop::charge".into(),
        config: Arc::new(json!({ "currency": "EUR" })),
        retry_limit: 7,
        retryable: false,
        ..spawned("s", &[], &[])
    };
    let outcome = asking(&scene, &task, vec![step]).await;
    scene.record(outcome).await;
    let record = scene.task(&task).await;
    let s = record.step("s").expect("it is there");
    assert_eq!((s.current.state, s.current.transition, s.attempts), (StepState::Pending, None, 0));
    assert_eq!((s.retry_limit, s.retryable, s.skippable), (7, false, false));
    assert_eq!(
        (s.binding.handler.as_str(), &*s.binding.config),
        ("shop::charge", &json!({ "currency": "EUR" }))
    );
    assert_eq!(s.binding.spawned_by, Some(SpawnedBy { step: task.step("a"), index: 0 }));
    assert_eq!((&s.inputs, &*s.results), (&record.request.context, &json!({})));
    assert_eq!(s.parents, [task.step("a")]);
    assert_eq!(record.current.state, TaskState::InProgress, "there is something left to do");
}

/// Their ids follow those of the template, in the order given; each knows its place.
pub async fn spawned_steps_stand_after_all_others_in_the_order_given(scene: Scene) {
    let task = scene.start("a, z").await;
    let names = ["s3", "s1", "s2"];
    let outcome = asking(&scene, &task, names.map(|name| spawned(name, &[], &[])).to_vec()).await;
    scene.record(outcome).await;
    let record = scene.task(&task).await;
    let stored: Vec<_> = record.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(stored, ["a", "z", "s3", "s1", "s2"]);
    for (place, step) in record.steps[2..].iter().enumerate() {
        let index = u32::try_from(place).expect("few steps");
        assert_eq!(step.binding.spawned_by, Some(SpawnedBy { step: task.step("a"), index }));
        assert_eq!(*step.binding.config, json!({ "of": names[place] }));
    }
}

/// They are children of what just completed, and so claimed in the same call.
pub async fn spawned_steps_are_claimed_in_the_call_that_adds_them(scene: Scene) {
    let task = scene.start("a").await;
    let steps = vec![spawned("s", &[], &[]), spawned("t", &[], &[]), spawned("u", &["s", "t"], &[])];
    let outcome = asking(&scene, &task, steps).await;
    let progress = scene.one(AdvanceCall::bringing(outcome)).await;
    let record = scene.task(&task).await;
    let ids: Vec<_> = record.steps.iter().map(|step| step.id).collect();
    let claimed: Vec<_> = progress.claims.iter().map(|claim| claim.step).collect();
    assert_eq!(claimed, ids[1..3], "u waits for both");
    assert_eq!(record.steps[3].parents, ids[..3], "the asking one, and those named");
    assert_eq!(scene.one(AdvanceCall::wanting(&task)).await.claims, []);
}

/// A spawned step is found by its handler in the room.
pub async fn spawned_steps_are_claimed_within_the_room(scene: Scene) {
    let task = scene.start("a").await;
    let steps = (0..5).map(|n| spawned(&format!("s{n}"), &[], &[])).collect();
    let outcome = asking(&scene, &task, steps).await;
    let progress = scene
        .one(AdvanceCall::bringing(outcome).at(4).handlers(&[("s1", 1), ("s3", 1), ("s4", 1)]).room(2))
        .await;
    let record = scene.task(&task).await;
    let expected = [record.step("s1").expect("s1").id, record.step("s3").expect("s3").id];
    assert_eq!(progress.claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), expected);
    assert!(progress.next_wake.is_some(), "the others are left over");
}

/// A join that was waiting waits for them too.
pub async fn join_waits_for_the_steps_spawned_before_it(scene: Scene) {
    let task = scene.start("a -> join").await;
    let outcome =
        asking(&scene, &task, vec![spawned("s", &[], &["join"]), spawned("t", &["s"], &["join"])]).await;
    let progress = scene.one(AdvanceCall::bringing(outcome)).await;
    let record = scene.task(&task).await;
    let id = |name: &str| record.step(name).expect("a step").id;
    assert_eq!(record.step("join").expect("join").parents, [id("a"), id("s"), id("t")]);
    assert_eq!(progress.claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), [id("s")]);
    let next = scene.one(AdvanceCall::bringing(completed(&task, &progress.claims[0], json!({})))).await;
    assert_eq!(next.claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), [id("t")]);
    let last = scene.one(AdvanceCall::bringing(completed(&task, &next.claims[0], json!({})))).await;
    assert_eq!(last.claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), [id("join")]);
}

/// A chain that spawns its own continuation.
pub async fn spawned_steps_may_spawn_again(scene: Scene) {
    let task = scene.start("a -> end").await;
    let mut outcome = asking(&scene, &task, vec![spawned("s0", &[], &["end"])]).await;
    for round in 1..6 {
        let claims = scene.one(AdvanceCall::bringing(outcome)).await.claims;
        assert_eq!(claims.len(), 1, "round {round}");
        outcome = completed(&task, &claims[0], json!({}));
        outcome.spawned = vec![spawned(&format!("s{round}"), &[], &["end"])];
    }
    scene.record(outcome).await;
    assert_eq!(scene.drain(&task, 0).await, 2, "the last one and the end");
    let record = scene.task(&task).await;
    assert_eq!((record.steps.len(), record.current.state), (8, TaskState::Complete));
}

/// "A name that the task already has adds nothing": no step, no edge; the rest is added.
pub async fn names_that_the_task_has_add_nothing(scene: Scene) {
    let task = scene.start("a -> join, b -> join").await;
    let b = scene.claim(&task, "b").await;
    let outcome = asking(&scene, &task, vec![spawned("s", &[], &["join"])]).await;
    scene.record(outcome).await;
    let before = scene.task(&task).await;
    let mut outcome = completed(&task, &b, json!({}));
    let other = SpawnedStep { handler: "other".into(), retry_limit: 9, ..spawned("s", &[], &["join"]) };
    outcome.spawned = vec![other, spawned("a", &[], &["join"]), spawned("new", &[], &["join"])];
    scene.record(outcome).await;
    let record = scene.task(&task).await;
    assert_eq!(record.steps.len(), 5);
    for name in ["a", "s"] {
        assert_eq!(record.step(name), before.step(name), "{name}");
    }
    let new = record.step("new").expect("it is added");
    let join = record.step("join").expect("join");
    let expected = [task.step("a"), task.step("b"), before.step("s").expect("s").id, new.id];
    assert_eq!((new.parents.as_slice(), join.parents.as_slice()), (&[task.step("b")][..], &expected[..]));
}

/// A reply was lost: the same outcome again adds nothing.
pub async fn spawning_again_after_a_lost_reply_adds_nothing(scene: Scene) {
    let task = scene.start("a -> join").await;
    let outcome = asking(&scene, &task, vec![spawned("s", &[], &["join"]), spawned("t", &["s"], &[])]).await;
    let first = scene.one(AdvanceCall::bringing(outcome.clone())).await;
    let before = scene.task(&task).await;
    let again = scene.one(AdvanceCall::bringing(outcome)).await;
    assert_eq!(again.recorded[0].how, Recording::AlreadyRecorded);
    assert_eq!(again.claims.len(), first.claims.len());
    assert_eq!(scene.task(&task).await, before);
}

/// The limits of a spawned step are its own.
pub async fn spawned_step_keeps_its_own_limits(scene: Scene) {
    let task = scene.start(graph("a")).await;
    let step = SpawnedStep { retry_limit: 1, ..spawned("s", &[], &[]) };
    let outcome = asking(&scene, &task, vec![step]).await;
    let claim = scene.one(AdvanceCall::bringing(outcome)).await.claims.remove(0);
    let progress = scene.one(AdvanceCall::bringing(failed(&task, &claim, RetryAdvice::Default))).await;
    assert_eq!(progress.settled.map(|settled| settled.state), Some(TaskState::Error));
}

/// A spawn before a join that an operator settled meanwhile leaves the join as it is, and runs.
pub async fn spawning_before_a_settled_join_adds_the_step_all_the_same(scene: Scene) {
    for (command, state) in [
        (StepCommand::Cancel, StepState::Cancelled),
        (StepCommand::Complete { results: Arc::new(json!({})) }, StepState::Complete),
    ] {
        let task = scene.start("a -> join").await;
        let outcome = asking(&scene, &task, vec![spawned("s", &[], &["join"])]).await;
        scene.act_on(&task, "join", command).await;
        let progress = scene.one(AdvanceCall::bringing(outcome)).await;
        assert!(matches!(progress.recorded[0].how, Recording::Recorded(_)), "{progress:?}");
        assert_eq!(progress.claims.len(), 1, "{state}");
        assert_eq!(scene.step(&task, "join").await.current.state, state);
    }
}
