//! Covers what [`SpawnedStep`] forbids, and "An outcome that cannot be recorded fails its step permanently" for it; and
//! that only completed outcomes add steps.

use serde_json::json;
use tasker_engine::{NOT_RECORDABLE, Recording, RetryAdvice, SpawnedStep, StepCommand, StepState};

use super::fixture::{AdvanceCall, Scene, completed, failed, spawned};
use super::spawn::asking;

/// Only completed outcomes add: a stale one adds nothing.
pub async fn stale_outcome_spawns_nothing(scene: Scene) {
    let task = scene.start("a -> b, c").await;
    let outcome = asking(&scene, &task, vec![spawned("s", &[], &[])]).await;
    scene.act_on(&task, "a", StepCommand::Cancel).await;
    let before = scene.task(&task).await;
    assert_eq!(scene.bring_at(outcome, 1).await, Recording::Stale);
    let after = scene.task(&task).await;
    assert_eq!((after.steps.len(), after.wake), (before.steps.len(), before.wake));
}

/// What cannot be added makes the whole outcome unrecordable: the step fails for good, and nothing is added.
async fn is_not_recordable(scene: &Scene, what: &str, steps: Vec<SpawnedStep>) {
    let task = scene.start("z -> a, a -> join, a -> second, join -> last, other").await;
    scene.complete(&task, "z", json!({})).await;
    let outcome = asking(scene, &task, steps).await;
    let how = scene.bring_at(outcome.clone(), 1).await;
    let Recording::NotRecordable(row, error) = how else { panic!("{what}: {how:?}") };
    assert_eq!(error.class, NOT_RECORDABLE, "{what}");
    let record = scene.task(&task).await;
    assert_eq!(record.steps.len(), 6, "{what}: nothing is added");
    let a = record.step("a").expect("a");
    assert_eq!(
        (a.current.state, a.current.transition, a.retryable),
        (StepState::Error, Some(row), false),
        "{what}"
    );
    assert_eq!(record.step("join").expect("join").parents, [task.step("a")], "{what}");
    assert_eq!(scene.bring_at(outcome, 2).await, Recording::AlreadyRecorded, "{what}");
}

/// Steps before which nothing can be added: unknown ones, and those that do not wait for the asking one.
pub async fn spawning_before_a_step_that_does_not_wait_is_not_recordable(scene: Scene) {
    for (what, before) in [
        ("unknown", "nobody"),
        ("a root", "other"),
        ("a parent", "z"),
        ("the asking one", "a"),
        ("itself", "s"),
        ("a step further down", "last"),
    ] {
        is_not_recordable(&scene, what, vec![spawned("s", &[], &["join", before])]).await;
    }
}

/// Steps after which nothing can be added: only those spawned earlier in the same outcome may be named.
pub async fn spawning_after_a_step_not_spawned_earlier_is_not_recordable(scene: Scene) {
    for (what, after) in
        [("unknown", "nobody"), ("a step of the template", "z"), ("itself", "s"), ("a later one", "t")]
    {
        is_not_recordable(&scene, what, vec![spawned("s", &[after], &[]), spawned("t", &[], &[])]).await;
    }
}

/// Within one outcome a name is given once.
pub async fn spawning_one_name_twice_is_not_recordable(scene: Scene) {
    is_not_recordable(
        &scene,
        "twins",
        vec![spawned("s", &[], &[]), spawned("t", &[], &[]), spawned("s", &[], &[])],
    )
    .await;
}

/// Names that no column can hold.
pub async fn spawning_under_a_bad_name_is_not_recordable(scene: Scene) {
    for (what, name) in [("a NUL", "s\0".to_owned()), ("too long", "ü".repeat(129)), ("blank", " ".into())] {
        is_not_recordable(&scene, what, vec![spawned(&name, &[], &[])]).await;
    }
    for (what, handler) in [("a NUL", "s\0".to_owned()), ("too long", "ü".repeat(256)), ("blank", " ".into())]
    {
        let step = SpawnedStep { handler: handler.as_str().into(), ..spawned("s", &[], &[]) };
        is_not_recordable(&scene, &format!("a handler: {what}"), vec![step]).await;
    }
}

/// One bad spawn does not stop the other outcomes of the call, nor their spawns.
pub async fn bad_spawn_does_not_stop_the_others(scene: Scene) {
    let task = scene.start("a, b, c").await;
    let claims = scene.claim_all(&task).await;
    let mut outcomes: Vec<_> = claims.iter().map(|claim| completed(&task, claim, json!({}))).collect();
    outcomes[0].spawned = vec![spawned("of_a", &[], &[])];
    outcomes[1].spawned = vec![spawned("of_b", &[], &["nobody"])];
    outcomes[2].spawned = vec![spawned("of_c", &[], &[])];
    let call = outcomes.into_iter().fold(AdvanceCall::default(), AdvanceCall::and_bringing);
    let progress = scene.one(call).await;
    assert!(matches!(
        progress.recorded.iter().map(|recorded| &recorded.how).collect::<Vec<_>>()[..],
        [Recording::Recorded(_), Recording::NotRecordable(..), Recording::Recorded(_)]
    ));
    let record = scene.task(&task).await;
    let names: Vec<_> = record.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!((names.as_slice(), progress.claims.len()), (&["a", "b", "c", "of_a", "of_c"][..], 2));
}

/// Only a completed outcome adds steps.
pub async fn failed_outcome_spawns_nothing(scene: Scene) {
    let task = scene.start("a").await;
    let mut outcome = failed(&task, &scene.claim(&task, "a").await, RetryAdvice::Default);
    outcome.spawned = vec![spawned("s", &[], &[])];
    scene.record(outcome).await;
    assert_eq!(scene.task(&task).await.steps.len(), 1);
}

/// A step that could never run.
pub async fn spawning_a_step_without_attempts_is_not_recordable(scene: Scene) {
    let step = SpawnedStep { retry_limit: 0, ..spawned("s", &[], &[]) };
    is_not_recordable(&scene, "no attempts", vec![spawned("t", &[], &[]), step]).await;
}
