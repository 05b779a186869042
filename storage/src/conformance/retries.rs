//! Covers readiness over attempts: when a failed or snoozed step is claimed again, how often, and what that claim
//! writes ("out of `error` it writes two rows, by way of `pending`", "clears `backoff_request_seconds`").

use std::time::Duration;

use serde_json::json;
use tasker_engine::{OutcomeKind, RetryAdvice, StepCommand, StepState, TaskState, audit};

use super::check::{metadata, rows};
use super::fixture::{AdvanceCall, Scene, Started, at, completed, ended, failed, graph, worker};

/// Whether the step can be claimed one microsecond before that second, and exactly then.
async fn opens_at(scene: &Scene, task: &Started, seconds: u64) {
    let mut early = AdvanceCall::wanting(task);
    early.0.now = at(seconds) - Duration::from_micros(1);
    let progress = scene.one(early).await;
    assert_eq!(
        (progress.claims.len(), progress.next_wake),
        (0, Some(at(seconds))),
        "a moment before {seconds} s"
    );
    assert_eq!(scene.wake(task).await, Some(at(seconds)));
}

/// The reference's waits: 2, 4, 8, 16 and then 30 seconds; a back-off that ends exactly now is over.
pub async fn failed_step_waits_two_four_up_to_thirty_seconds(scene: Scene) {
    let task = scene.start(graph("a").limit("a", 8)).await;
    let mut now = 0;
    for (attempt, wait) in [2, 4, 8, 16, 30, 30, 30].into_iter().enumerate() {
        let claim = scene.claim_at(&task, "a", now).await;
        assert_eq!(claim.attempt, u32::try_from(attempt + 1).expect("few"));
        scene.record_at(failed(&task, &claim, RetryAdvice::Default), now + 1).await;
        now += 1 + wait;
        opens_at(&scene, &task, now).await;
    }
}

/// What the claim of a second attempt writes: two rows.
pub async fn retry_is_two_rows_by_way_of_pending(scene: Scene) {
    let task = scene.start("a").await;
    let first = scene.claim(&task, "a").await;
    scene.record(failed(&task, &first, RetryAdvice::Default)).await;
    let second = scene.one(AdvanceCall::wanting(&task).by(2).at(60)).await.claims.remove(0);
    assert_eq!((second.attempt, first.retries, second.retries), (2, false, true));
    let a = scene.step(&task, "a").await;
    use StepState as S;
    let (claimed, failed) = ((S::Pending, S::InProgress, 10), (S::InProgress, S::Error, 20));
    assert_eq!(
        rows(&a.history),
        [claimed, failed, (S::Error, S::Pending, 30), (S::Pending, S::InProgress, 40)]
    );
    let last = &metadata(&a.history)[2..];
    assert_eq!(last, [audit::step_retried(2, audit::ENGINE), audit::step_claimed(2, worker(2))]);
    assert_eq!((a.attempts, a.last_attempted_at), (2, Some(at(60))));
    assert!(a.history[2..].iter().all(|row| row.at == at(60)));
}

/// The wait that a failure asked for governs alone, be it shorter or longer than the reference's.
pub async fn wait_that_was_asked_for_governs_alone(scene: Scene) {
    for wait in [1, 100, 259_200] {
        let task = scene.start("a").await;
        let claim = scene.claim_at(&task, "a", 3).await;
        scene.record_at(failed(&task, &claim, RetryAdvice::After(Duration::from_secs(wait))), 5).await;
        opens_at(&scene, &task, 5 + wait).await;
        assert_eq!(scene.claim_at(&task, "a", 5 + wait).await.attempt, 2, "after {wait} s");
    }
}

/// No wait at all: at once.
pub async fn wait_of_nothing_is_over_at_once(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim(&task, "a").await;
    scene.record_at(failed(&task, &claim, RetryAdvice::After(Duration::ZERO)), 5).await;
    assert_eq!(scene.wake(&task).await, Some(at(5)));
    assert_eq!(scene.claim_at(&task, "a", 5).await.attempt, 2);
}

/// "Clears `backoff_request_seconds`": an old wait never delays a later attempt.
pub async fn claim_clears_the_wait_that_was_asked_for(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim(&task, "a").await;
    scene.record(failed(&task, &claim, RetryAdvice::After(Duration::from_secs(50)))).await;
    assert_eq!(scene.step(&task, "a").await.backoff_request_seconds, Some(50));
    let claim = scene.claim_at(&task, "a", 50).await;
    assert_eq!(scene.step(&task, "a").await.backoff_request_seconds, None);
    scene.record_at(failed(&task, &claim, RetryAdvice::Default), 51).await;
    opens_at(&scene, &task, 55).await;
}

/// No step runs more often than its limit.
pub async fn step_runs_as_often_as_its_limit(scene: Scene) {
    for limit in [1, 2, 3, 5] {
        let task = scene.start(graph("a, b").limit("a", limit)).await;
        let mut runs = 0;
        for round in 0..u64::from(limit) + 3 {
            let now = round * 100;
            let claims = scene.one(AdvanceCall::wanting(&task).at(now).handlers(&[("a", 1)])).await.claims;
            for claim in claims {
                runs += 1;
                assert_eq!(claim.attempt, runs);
                scene.record_at(failed(&task, &claim, RetryAdvice::Default), now).await;
            }
        }
        assert_eq!(runs, limit);
        let a = scene.step(&task, "a").await;
        assert_eq!((a.attempts, a.current.state), (limit, StepState::Error));
    }
}

/// A step that may not be retried runs once, and its first attempt needs no permission.
pub async fn step_that_is_not_retryable_runs_once(scene: Scene) {
    let task = scene.start(graph("a, b").not_retryable("a")).await;
    let claim = scene.claim(&task, "a").await;
    scene.record(failed(&task, &claim, RetryAdvice::Default)).await;
    let row = scene.step(&task, "a").await.current.metadata;
    assert_eq!((&row["retryable"], &row["retry_available"]), (&json!(false), &json!(false)));
    assert_eq!(scene.one(AdvanceCall::wanting(&task).at(999).handlers(&[("a", 1)])).await.claims, []);
}

/// A permanent failure is never retried, whatever the limit.
pub async fn permanent_failure_is_never_retried(scene: Scene) {
    let task = scene.start(graph("a, b").limit("a", 99)).await;
    let claim = scene.claim(&task, "a").await;
    scene.record(failed(&task, &claim, RetryAdvice::Never)).await;
    assert_eq!(scene.one(AdvanceCall::wanting(&task).at(99_999).handlers(&[("a", 1)])).await.claims, []);
}

/// A reset gives a permanently failed step its permission back, and all its attempts.
pub async fn reset_gives_a_permanently_failed_step_its_attempts_back(scene: Scene) {
    let task = scene.start(graph("a, b").limit("a", 2)).await;
    let claim = scene.claim(&task, "a").await;
    scene.record(failed(&task, &claim, RetryAdvice::Never)).await;
    scene.act_on(&task, "a", StepCommand::Reset).await;
    let a = scene.step(&task, "a").await;
    assert_eq!((a.retryable, a.attempts), (true, 0));
    for attempt in [1, 2] {
        let claim = scene.claim_at(&task, "a", u64::from(attempt) * 100).await;
        assert_eq!(claim.attempt, attempt);
        scene.record_at(failed(&task, &claim, RetryAdvice::Default), u64::from(attempt) * 100).await;
    }
    assert_eq!(scene.one(AdvanceCall::wanting(&task).at(999).handlers(&[("a", 1)])).await.claims, []);
}

/// A snoozed step sleeps until its moment, as often as it likes, without using up an attempt.
pub async fn snoozed_step_is_claimed_when_its_sleep_is_over(scene: Scene) {
    let task = scene.start(graph("a").limit("a", 1)).await;
    for round in 0..3 {
        let claim = scene.claim_at(&task, "a", round * 100).await;
        assert_eq!(claim.attempt, 1);
        let until = at((round + 1) * 100);
        scene.record_at(ended(&task, &claim, OutcomeKind::Snooze { until }), round * 100 + 1).await;
        opens_at(&scene, &task, (round + 1) * 100).await;
    }
    let claim = scene.claim_at(&task, "a", 300).await;
    scene.record_at(completed(&task, &claim, json!({})), 300).await;
    assert_eq!(scene.task(&task).await.current.state, TaskState::Complete);
}

/// A step that was handed back may run at once, as often as it is handed back.
pub async fn handed_back_step_is_claimed_again_at_once(scene: Scene) {
    let task = scene.start(graph("a").limit("a", 1)).await;
    for _ in 0..3 {
        let claim = scene.claim(&task, "a").await;
        assert_eq!(claim.attempt, 1);
        scene.record(ended(&task, &claim, OutcomeKind::HandBack)).await;
    }
    assert_eq!(scene.drain(&task, 0).await, 1);
}

/// Handed back and wanted in one call: the same call claims it again.
pub async fn step_handed_back_by_a_call_that_wants_its_task_is_claimed_again(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim(&task, "a").await;
    let progress = scene
        .one(AdvanceCall::bringing(ended(&task, &claim, OutcomeKind::HandBack)).and_wanting(&task))
        .await;
    assert_eq!(progress.claims.len(), 1);
    assert_ne!(progress.claims[0].token, claim.token);
    assert_eq!((progress.claims[0].attempt, progress.next_wake), (1, None));
}

/// A failed step keeps its children waiting, and frees them when it comes through.
pub async fn child_runs_after_its_parent_came_through(scene: Scene) {
    let task = scene.start("a -> b").await;
    let claim = scene.claim(&task, "a").await;
    let progress = scene.one(AdvanceCall::bringing(failed(&task, &claim, RetryAdvice::Default))).await;
    assert_eq!((progress.claims, progress.settled), (vec![], None));
    let claim = scene.claim_at(&task, "a", 60).await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &claim, json!({}))).at(60)).await;
    assert_eq!(progress.claims.len(), 1);
}
