//! Covers the second sentence of point 1 of [`Advance`](tasker_engine::Advance): what was already recorded, and the
//! claims that are told again because a reply may have been lost; and "Repeatable" for `advance`.

use std::sync::Arc;

use serde_json::json;
use tasker_engine::{Claim, OutcomeKind, ParentResult, Progress, Recording, RetryAdvice, TaskCommand, Token};

use super::fixture::{AdvanceCall, Scene, at, completed, ended, failed, graph};

/// Every kind of outcome is known again under its token, whatever became of it.
pub async fn every_recorded_outcome_is_already_recorded_when_sent_again(scene: Scene) {
    let until = at(90);
    let task = scene.start(graph("a, b, c, d, e, other").limit("b", 1)).await;
    let claim = async |name| scene.claim(&task, name).await;
    let outcomes = [
        completed(&task, &claim("a").await, json!({ "n": 1 })),
        failed(&task, &claim("b").await, RetryAdvice::Default),
        ended(&task, &claim("c").await, OutcomeKind::HandBack),
        ended(&task, &claim("d").await, OutcomeKind::Snooze { until }),
        completed(&task, &claim("e").await, json!("\0")),
    ];
    for outcome in outcomes {
        let kind = outcome.kind.clone();
        let first = scene.bring_at(outcome.clone(), 0).await;
        assert!(
            matches!(first, Recording::Recorded(_) | Recording::NotRecordable(..)),
            "{kind:?}: {first:?}"
        );
        let before = scene.task(&task).await;
        assert_eq!(scene.bring_at(outcome, 1).await, Recording::AlreadyRecorded, "{kind:?}");
        assert_eq!(scene.task(&task).await, before, "{kind:?}");
    }
}

/// Also when the step has long gone on.
pub async fn first_failure_is_known_again_after_a_second_attempt(scene: Scene) {
    let task = scene.start("a -> b").await;
    let first = failed(&task, &scene.claim(&task, "a").await, RetryAdvice::Default);
    scene.record(first.clone()).await;
    let second = scene.claim_at(&task, "a", 60).await;
    assert_eq!(scene.bring_at(first.clone(), 61).await, Recording::AlreadyRecorded);
    scene.record_at(completed(&task, &second, json!({})), 62).await;
    assert_eq!(scene.bring_at(first, 63).await, Recording::AlreadyRecorded);
}

/// A reply was lost: the same call, made again, tells the same claims, this time with all their parents.
pub async fn advance_sent_again_tells_its_claims_again(scene: Scene) {
    let task = scene.start("a -> c, b -> c, a -> d").await;
    let claims = scene.claim_all(&task).await;
    scene.record(completed(&task, &claims[0], json!("of a"))).await;
    let d = scene.claim(&task, "d").await;
    let call = AdvanceCall::bringing(completed(&task, &claims[1], json!("of b"))).at(1);
    let first = scene.one(call.clone()).await;
    assert_eq!(first.claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), [task.step("c")]);
    let before = scene.task(&task).await;
    let again = scene.one(call).await;
    assert_eq!(again.recorded[0].how, Recording::AlreadyRecorded);
    let value = |text: &str| ParentResult::Value(Arc::new(json!(text)));
    let (of_a, of_b) = ((task.step("a"), value("of a")), (task.step("b"), value("of b")));
    let c = Claim { parents: vec![of_a.clone(), of_b], ..first.claims[0].clone() };
    assert_eq!(again.claims, [c, Claim { parents: vec![of_a], ..d }]);
    assert_eq!(scene.task(&task).await, before);
}

/// Claims are told again whatever room there is: they were made before.
pub async fn claims_are_told_again_without_room(scene: Scene) {
    let task = scene.start("a -> b, a -> c").await;
    let call = AdvanceCall::bringing(completed(&task, &scene.claim(&task, "a").await, json!({})));
    let first = scene.one(call.clone()).await;
    assert_eq!(first.claims.len(), 2);
    let again = scene.one(call.room(0)).await;
    assert_eq!(tokens(&again), tokens(&first));
}

/// Another worker's claims are its own.
pub async fn claims_of_another_worker_are_not_told(scene: Scene) {
    let task = scene.start("a -> b, a -> c").await;
    let call = AdvanceCall::bringing(completed(&task, &scene.claim(&task, "a").await, json!({})));
    let mine = scene.one(call.clone().room(1)).await;
    let theirs = scene.one(AdvanceCall::wanting(&task).by(2)).await;
    assert_eq!((mine.claims.len(), theirs.claims.len()), (1, 1));
    assert_eq!(tokens(&scene.one(call.clone()).await), tokens(&mine));
    assert_eq!(tokens(&scene.one(call.clone().by(2)).await), tokens(&theirs));
    assert_eq!(tokens(&scene.one(call.by(3)).await), []);
}

/// Claims that the call itself brings outcomes of are not told again: the worker has them.
pub async fn claims_whose_outcomes_the_call_brings_are_not_told_again(scene: Scene) {
    let task = scene.start("a -> b, a -> c").await;
    let old = completed(&task, &scene.claim(&task, "a").await, json!({}));
    let claims = scene.one(AdvanceCall::bringing(old.clone())).await.claims;
    let call = AdvanceCall::bringing(old).and_bringing(completed(&task, &claims[0], json!({})));
    let progress = scene.one(call).await;
    assert_eq!(progress.recorded[0].how, Recording::AlreadyRecorded);
    assert!(matches!(progress.recorded[1].how, Recording::Recorded(_)));
    assert_eq!(tokens(&progress), [claims[1].token]);
}

/// Claims of other tasks are not told: the answer of a task is about that task.
pub async fn claims_of_other_tasks_are_not_told(scene: Scene) {
    let (one, two) = (scene.start("a").await, scene.start("a").await);
    let outcome = completed(&one, &scene.claim(&one, "a").await, json!({}));
    scene.claim(&two, "a").await;
    scene.record(outcome.clone()).await;
    let again = scene.one(AdvanceCall::bringing(outcome)).await;
    assert_eq!((again.task, tokens(&again)), (one.id, vec![]));
}

/// A claim that was told again counts as any other: its outcome is recorded once.
pub async fn claim_told_again_is_the_same_claim(scene: Scene) {
    let task = scene.start("a -> b").await;
    let call = AdvanceCall::bringing(completed(&task, &scene.claim(&task, "a").await, json!({})));
    let first = scene.one(call.clone()).await.claims.remove(0);
    let again = scene.one(call).await.claims.remove(0);
    scene.record(completed(&task, &again, json!({}))).await;
    assert_eq!(scene.bring_at(completed(&task, &first, json!({})), 1).await, Recording::AlreadyRecorded);
    let b = scene.step(&task, "b").await;
    assert_eq!((b.attempts, b.history.len()), (1, 2));
}

/// What follows an `AlreadyRecorded` that is new is claimed as usual, beside what is told again, ascending by step.
pub async fn new_claims_stand_beside_those_told_again(scene: Scene) {
    let task = scene.start("a -> b, a -> c, a -> d").await;
    let call = AdvanceCall::bringing(completed(&task, &scene.claim(&task, "a").await, json!({})));
    let first = scene.one(call.clone().handlers(&[("c", 1)])).await;
    let all = scene.one(call.and_wanting(&task)).await;
    let steps: Vec<_> = all.claims.iter().map(|claim| claim.step).collect();
    assert_eq!(steps, ["b", "c", "d"].map(|name| task.step(name)));
    assert_eq!(all.claims[1].token, first.claims[0].token);
}

/// Told again also while the task is paused: what runs is recorded.
pub async fn claims_of_a_paused_task_are_told_again(scene: Scene) {
    let task = scene.start("a -> b").await;
    let call = AdvanceCall::bringing(completed(&task, &scene.claim(&task, "a").await, json!({})));
    let first = scene.one(call.clone()).await;
    scene.act(&task, TaskCommand::Pause).await;
    assert_eq!(tokens(&scene.one(call).await), tokens(&first));
}

fn tokens(progress: &Progress) -> Vec<Token> {
    progress.claims.iter().map(|claim| claim.token).collect()
}
