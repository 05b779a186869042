//! Covers [`Storage::beat`](tasker_engine::Storage::beat), sentence by sentence.

use serde_json::json;
use tasker_engine::{
    Beat, OutcomeKind, StepCommand, StepState, Storage as _, StorageError, TaskCommand, Token,
};

use super::check::rows;
use super::fixture::{Scene, at, completed, ended, worker};

/// What it names it keeps.
pub async fn claims_that_a_worker_holds_stay_its_own(scene: Scene) {
    let task = scene.start("a, b").await;
    let claims = scene.claims_by(&task, 1, 9, 0).await;
    let before = scene.task(&task).await;
    let held: Vec<_> = claims.iter().map(|claim| claim.token).collect();
    assert_eq!(scene.beat(1, &held, 100, 100).await, []);
    assert_eq!(scene.task(&task).await, before);
}

/// What it does not name, and was claimed before, is handed back.
pub async fn claims_that_a_worker_does_not_name_are_handed_back(scene: Scene) {
    let task = scene.start("a, b").await;
    let claims = scene.claims_by(&task, 1, 9, 0).await;
    assert_eq!(scene.beat(1, &[claims[0].token], 10, 12).await, [claims[1].token]);
    let b = scene.step(&task, "b").await;
    use StepState as S;
    assert_eq!(rows(&b.history), [(S::Pending, S::InProgress, 10), (S::InProgress, S::Pending, 20)]);
    assert_eq!((b.attempts, b.in_process, b.history[1].at), (0, false, at(12)));
    assert_eq!(scene.step(&task, "a").await.current.state, S::InProgress);
    assert_eq!(scene.wake(&task).await, Some(at(12)), "the task is woken");
    let again = scene.claims_by(&task, 2, 9, 12).await;
    assert_eq!(again.iter().map(|claim| (claim.step, claim.attempt)).collect::<Vec<_>>(), [(b.id, 1)]);
}

/// What was claimed at that moment or later may still be on its way.
pub async fn claims_made_since_then_are_not_handed_back(scene: Scene) {
    let task = scene.start("a, b, c").await;
    let mut claims = Vec::new();
    for seconds in [9, 10, 11] {
        claims.extend(scene.claims_by(&task, 1, 1, seconds).await);
    }
    assert_eq!(scene.beat(1, &[], 10, 20).await, [claims[0].token]);
}

/// Another worker's claims are its own.
pub async fn claims_of_other_workers_are_not_handed_back(scene: Scene) {
    let task = scene.start("a, b").await;
    scene.claims_by(&task, 1, 1, 0).await;
    let theirs = scene.claims_by(&task, 2, 1, 0).await;
    assert_eq!(scene.beat(1, &[], 10, 10).await.len(), 1);
    assert_eq!(scene.step(&task, "b").await.current.state, StepState::InProgress);
    scene.record(completed(&task, &theirs[0], json!({}))).await;
}

/// A beat of a worker without claims changes nothing, and so does naming claims that it does not have.
pub async fn beat_without_claims_changes_nothing(scene: Scene) {
    let task = scene.start("a, b").await;
    let claims = scene.claims_by(&task, 1, 1, 0).await;
    let before = scene.task(&task).await;
    assert_eq!(scene.beat(2, &[claims[0].token, Token(i64::MAX)], 100, 100).await, []);
    assert_eq!(scene.beat(3, &[], 100, 100).await, []);
    assert_eq!(scene.task(&task).await, before);
}

/// Only what still runs: finished and cancelled steps are not handed back.
pub async fn claims_that_ended_are_not_handed_back(scene: Scene) {
    let task = scene.start("a, b, c, d").await;
    let claims = scene.claims_by(&task, 1, 9, 0).await;
    scene.record(completed(&task, &claims[0], json!({}))).await;
    scene.act_on(&task, "b", StepCommand::Cancel).await;
    scene.record(ended(&task, &claims[2], OutcomeKind::HandBack)).await;
    assert_eq!(scene.beat(1, &[], 10, 10).await, [claims[3].token]);
    assert_eq!(scene.beat(1, &[], 20, 20).await, [], "once");
}

/// Over several tasks at once.
pub async fn claims_are_handed_back_in_every_task(scene: Scene) {
    let tasks = scene.start_many("a, b", 3).await;
    let mut lost = Vec::new();
    for task in &tasks {
        lost.extend(scene.claims_by(task, 1, 9, 0).await.iter().map(|claim| claim.token));
    }
    let kept = lost.remove(2);
    lost.sort();
    assert_eq!(scene.beat(1, &[kept], 10, 10).await, lost);
    for task in &tasks {
        assert_eq!(scene.wake(task).await, Some(at(10)));
    }
}

/// A paused task is not woken.
pub async fn beat_does_not_wake_a_paused_task(scene: Scene) {
    let task = scene.start("a").await;
    scene.claims_by(&task, 1, 1, 0).await;
    scene.act(&task, TaskCommand::Pause).await;
    assert_eq!(scene.beat(1, &[], 10, 10).await.len(), 1);
    assert_eq!(scene.wake(&task).await, None);
}

/// A label that no column can hold is refused, and the worker has not beaten.
pub async fn unstorable_label_is_refused(scene: Scene) {
    let task = scene.start("a").await;
    scene.claims_by(&task, 1, 1, 0).await;
    let label = "a\0b".to_owned();
    let beat = Beat { worker: worker(1), label, held: vec![], hand_back_before: at(10), now: at(20) };
    let refused = scene.storage().beat(beat).await;
    assert!(matches!(refused, Err(StorageError::Payload { field: "label", .. })), "{refused:?}");
    assert_eq!(scene.rescue(10, 100, 40).await.len(), 1);
}
