//! Covers the first half of point 2 of [`Advance`](tasker_engine::Advance): the rows and columns that each kind of
//! outcome writes ("results replace the old ones; a failure merges `error` and `error_class` into them" and so on).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_engine::{
    Claim, ErrorReport, NOT_RECORDABLE, OutcomeKind, Recording, RetryAdvice, StepState, Timestamp, Token,
    audit,
};

use super::check::{metadata, rows};
use super::fixture::{RAN, Scene, at, completed, ended, failed, graph, worker};

/// A success.
pub async fn completed_outcome_writes_row_and_results(scene: Scene) {
    let task = scene.start("a, b").await;
    let claim = scene.claim_at(&task, "a", 1).await;
    scene.record_at(completed(&task, &claim, json!({ "n": 1 })), 2).await;
    let a = scene.step(&task, "a").await;
    use StepState as S;
    assert_eq!(rows(&a.history), [(S::Pending, S::InProgress, 10), (S::InProgress, S::Complete, 20)]);
    let row = audit::step_completed(claim.token, 1, RAN);
    assert_eq!(metadata(&a.history), [audit::step_claimed(1, worker(1)), row]);
    assert_eq!((&*a.results, a.attempts, a.processed_at), (&json!({ "n": 1 }), 1, Some(at(2))));
    assert_eq!((a.last_attempted_at, a.in_process, a.processed), (Some(at(1)), false, true));
    assert_eq!(a.history[1].at, at(2));
}

fn failure<'a>(
    claim: &Claim,
    error: &'a ErrorReport,
    retry: RetryAdvice,
    now: Timestamp,
) -> audit::Failure<'a> {
    audit::Failure {
        claim: claim.token,
        attempt: claim.attempt,
        duration: RAN,
        error,
        retry,
        retryable: true,
        retry_limit: 3,
        now,
    }
}

/// A failure that waits as the reference does.
pub async fn failed_outcome_writes_row_and_error(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim_at(&task, "a", 1).await;
    let error = ErrorReport { class: "Boom".into(), message: "it went off".into(), code: Some("E7".into()) };
    let kind = OutcomeKind::Failed { error: error.clone(), retry: RetryAdvice::Default };
    scene.record_at(ended(&task, &claim, kind), 2).await;
    let a = scene.step(&task, "a").await;
    use StepState as S;
    assert_eq!(rows(&a.history), [(S::Pending, S::InProgress, 10), (S::InProgress, S::Error, 20)]);
    let row = audit::step_failed(&failure(&claim, &error, RetryAdvice::Default, at(2)));
    assert_eq!(a.history[1].metadata, row);
    assert_eq!(*a.results, json!({ "error": "it went off", "error_class": "Boom" }));
    assert_eq!((a.attempts, a.retryable, a.backoff_request_seconds, a.processed_at), (1, true, None, None));
}

/// A failure that asks for a wait: exact in the row, in whole seconds rounded up in the column.
pub async fn failure_that_asks_for_a_wait_stores_it_rounded_up(scene: Scene) {
    let micros = Duration::from_micros;
    for (wait, seconds) in
        [(micros(0), 0), (micros(1), 1), (micros(999_999), 1), (micros(1_000_000), 1), (micros(1_000_001), 2)]
    {
        let task = scene.start("a").await;
        let claim = scene.claim(&task, "a").await;
        scene.record_at(failed(&task, &claim, RetryAdvice::After(wait)), 2).await;
        let a = scene.step(&task, "a").await;
        assert_eq!(a.backoff_request_seconds, Some(seconds), "{wait:?}");
        let error = ErrorReport { class: "Boom".into(), message: "it went off".into(), code: None };
        let row = audit::step_failed(&failure(&claim, &error, RetryAdvice::After(wait), at(2)));
        assert_eq!(a.current.metadata, row, "{wait:?}");
        assert_eq!(a.facts().not_before, Some(at(2) + wait), "{wait:?}");
    }
}

/// A wait longer than the column holds is cut there; the row has it whole.
pub async fn wait_longer_than_the_column_is_cut_there(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim(&task, "a").await;
    let wait = Duration::from_secs(3_000_000_000);
    scene.record(failed(&task, &claim, RetryAdvice::After(wait))).await;
    let a = scene.step(&task, "a").await;
    assert_eq!(a.backoff_request_seconds, Some(i32::MAX));
    assert_eq!((a.facts().not_before, scene.wake(&task).await), (Some(at(0) + wait), Some(at(0) + wait)));
}

/// "A permanent one takes `retryable`", and says how it was.
pub async fn permanent_failure_takes_the_permission_to_retry(scene: Scene) {
    for retryable in [true, false] {
        let graph = if retryable { graph("a, b") } else { graph("a, b").not_retryable("a") };
        let task = scene.start(graph).await;
        let claim = scene.claim(&task, "a").await;
        scene.record_at(failed(&task, &claim, RetryAdvice::Never), 2).await;
        let a = scene.step(&task, "a").await;
        let error = ErrorReport { class: "Boom".into(), message: "it went off".into(), code: None };
        let row = audit::Failure { retryable, ..failure(&claim, &error, RetryAdvice::Never, at(2)) };
        assert_eq!(a.current.metadata, audit::step_failed(&row));
        assert_eq!((a.retryable, a.backoff_request_seconds), (false, None));
    }
}

/// The last attempt says that there is no other.
pub async fn last_failure_says_that_no_retry_is_available(scene: Scene) {
    let task = scene.start(graph("a, b").limit("a", 2)).await;
    for (attempt, available) in [(1_u32, true), (2, false)] {
        let claim = scene.claim_at(&task, "a", u64::from(attempt) * 100).await;
        scene.record_at(failed(&task, &claim, RetryAdvice::Default), u64::from(attempt) * 100).await;
        let row = scene.step(&task, "a").await.current.metadata;
        assert_eq!((&row["attempt_number"], &row["retry_available"]), (&json!(attempt), &json!(available)));
    }
}

/// A success after failures replaces what they left.
pub async fn results_replace_what_failures_left(scene: Scene) {
    let task = scene.start("a").await;
    for (seconds, message) in [(0, "first"), (100, "second")] {
        let claim = scene.claim_at(&task, "a", seconds).await;
        let error = ErrorReport { class: format!("Class{seconds}"), message: message.into(), code: None };
        let kind = OutcomeKind::Failed { error, retry: RetryAdvice::Default };
        scene.record_at(ended(&task, &claim, kind), seconds).await;
        let results = scene.step(&task, "a").await.results;
        assert_eq!(*results, json!({ "error": message, "error_class": format!("Class{seconds}") }));
    }
    let claim = scene.claim_at(&task, "a", 200).await;
    scene.record_at(completed(&task, &claim, json!([1])), 200).await;
    assert_eq!(*scene.step(&task, "a").await.results, json!([1]));
}

/// A hand-back takes the attempt back.
pub async fn hand_back_takes_the_attempt_back(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim_at(&task, "a", 1).await;
    scene.record_at(ended(&task, &claim, OutcomeKind::HandBack), 2).await;
    let a = scene.step(&task, "a").await;
    use StepState as S;
    assert_eq!(rows(&a.history), [(S::Pending, S::InProgress, 10), (S::InProgress, S::Pending, 20)]);
    assert_eq!(a.current.metadata, audit::step_handed_back(claim.token));
    assert_eq!((a.attempts, &*a.results, a.in_process), (0, &json!({}), false));
    let again = scene.claim_at(&task, "a", 2).await;
    assert_eq!(again.attempt, 1);
}

/// A snooze takes the attempt back, and says until when.
pub async fn snooze_takes_the_attempt_back_and_says_until_when(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim_at(&task, "a", 1).await;
    let until = at(77) + Duration::from_micros(5);
    scene.record_at(ended(&task, &claim, OutcomeKind::Snooze { until }), 2).await;
    let a = scene.step(&task, "a").await;
    assert_eq!(a.current.metadata, audit::step_snoozed(claim.token, until));
    assert_eq!((a.current.state, a.attempts, a.facts().not_before), (StepState::Pending, 0, Some(until)));
}

/// Both keep what earlier failures left.
pub async fn hand_back_and_snooze_keep_earlier_attempts_and_errors(scene: Scene) {
    for kind in [OutcomeKind::HandBack, OutcomeKind::Snooze { until: at(200) }] {
        let task = scene.start("a").await;
        let first = scene.claim(&task, "a").await;
        scene.record(failed(&task, &first, RetryAdvice::Default)).await;
        let before = scene.step(&task, "a").await;
        let second = scene.claim_at(&task, "a", 100).await;
        assert_eq!(second.attempt, 2);
        scene.record_at(ended(&task, &second, kind.clone()), 100).await;
        let after = scene.step(&task, "a").await;
        assert_eq!((after.attempts, &after.results), (1, &before.results), "{kind:?}");
        assert_eq!(scene.claim_at(&task, "a", 200).await.attempt, 2, "{kind:?}");
    }
}

/// What an unrecordable outcome leaves: the row of a permanent failure, under its own claim.
pub async fn unrecordable_outcome_writes_the_row_of_a_permanent_failure(scene: Scene) {
    let task = scene.start("a, b").await;
    let claim = scene.claim(&task, "a").await;
    let how = scene.bring_at(completed(&task, &claim, json!("\0")), 2).await;
    let Recording::NotRecordable(row, error) = how else { panic!("{how:?}") };
    let a = scene.step(&task, "a").await;
    assert_eq!(error.class, NOT_RECORDABLE);
    assert_eq!(a.current.transition, Some(row));
    let expected = audit::step_failed(&failure(&claim, &error, RetryAdvice::Never, at(2)));
    assert_eq!(a.current.metadata, expected);
}

/// Every row that an outcome writes has an id of its own.
pub async fn recorded_rows_are_the_rows_in_the_audit_trail(scene: Scene) {
    let task = scene.start("a, b, c").await;
    let claims = scene.claim_all(&task).await;
    let mut told = Vec::new();
    for claim in &claims {
        told.push(scene.record(completed(&task, claim, json!({}))).await);
    }
    let record = scene.task(&task).await;
    let stored: Vec<_> = record.steps.iter().map(|step| step.history[1].id).collect();
    assert_eq!(told, stored);
    let tokens: std::collections::BTreeSet<Token> = claims.iter().map(|claim| claim.token).collect();
    assert_eq!(tokens.len(), 3, "tokens are told apart");
}

/// What user code yields is stored for the step that yielded it.
pub async fn results_of_one_call_go_to_their_own_steps(scene: Scene) {
    let tasks = scene.start_many("a, b", 3).await;
    let mut call = super::fixture::AdvanceCall::default();
    let mut expected = Vec::new();
    for task in &tasks {
        for claim in scene.claim_all(task).await {
            let results = json!({ "task": task.id, "step": claim.step });
            call = call.and_bringing(completed(task, &claim, results.clone()));
            expected.push((claim.step, Arc::new(results)));
        }
    }
    call.0.outcomes.reverse();
    scene.advance(call).await;
    let mut stored = Vec::new();
    for task in &tasks {
        stored.extend(scene.task(task).await.steps.into_iter().map(|step| (step.id, step.results)));
    }
    assert_eq!(stored, expected);
}

/// A wait beyond the years that can be written: no row can say until when, so the column's longest holds.
pub async fn wait_beyond_all_years_is_the_longest_of_the_column(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim_at(&task, "a", 1).await;
    scene.record_at(failed(&task, &claim, RetryAdvice::After(Duration::MAX)), 2).await;
    let a = scene.step(&task, "a").await;
    let longest = at(1) + Duration::from_secs(i32::MAX.unsigned_abs().into());
    assert_eq!((a.backoff_request_seconds, a.facts().not_before), (Some(i32::MAX), Some(longest)));
    assert_eq!(scene.wake(&task).await, Some(longest));
}
