//! Covers point 1 of [`Advance`](tasker_engine::Advance), the fence: what counts, what is stale and changes nothing,
//! and a token given twice; and [`Outcome`](tasker_engine::Outcome)s of unknown steps and tasks. What is kept of outcomes
//! that come too late has a file of its own, `late`.

use serde_json::json;
use tasker_engine::{
    Claim, Progress, Recorded, Recording, RetryAdvice, StepCommand, StepId, StepState, TaskCommand, TaskId,
    TaskState, Token,
};

use super::fixture::{AdvanceCall, Scene, StepSituation, completed, ended, failed, graph};

/// Whatever brings it, the outcome of a claim that nobody was given changes nothing: not the state, not a row, not a
/// column, not the wake.
async fn is_stale(scene: &Scene, task: TaskId, claim: &Claim) {
    use tasker_engine::OutcomeKind as Kind;
    let before = scene.task(task).await;
    let until = super::fixture::at(90);
    let outcomes = [
        completed(task, claim, json!({ "late": true })),
        failed(task, claim, RetryAdvice::Never),
        ended(task, claim, Kind::HandBack),
        ended(task, claim, Kind::Snooze { until }),
        completed(task, claim, json!("\0")),
    ];
    for outcome in outcomes {
        let kind = outcome.kind.clone();
        assert_eq!(scene.bring_at(outcome, 1).await, Recording::Stale, "{kind:?}");
        assert_eq!(scene.task(task).await, before, "{kind:?}");
    }
}

/// A current claim counts, once.
pub async fn outcome_of_a_current_claim_is_recorded(scene: Scene) {
    let task = scene.start("a, b").await;
    let claim = scene.claim(&task, "a").await;
    let row = scene.record(completed(&task, &claim, json!({ "n": 1 }))).await;
    let a = scene.step(&task, "a").await;
    assert_eq!((a.current.state, a.current.transition), (StepState::Complete, Some(row)));
}

/// A failure, a reset and a new claim: the old token is the first claim's.
pub async fn old_token_after_a_failure_and_a_reset_is_not_current(scene: Scene) {
    let task = scene.start(graph("a -> b").limit("a", 1)).await;
    let first = scene.claim(&task, "a").await;
    scene.record(failed(&task, &first, RetryAdvice::Default)).await;
    scene.act_on(&task, "a", StepCommand::Reset).await;
    let second = scene.claim(&task, "a").await;
    assert_eq!((first.attempt, second.attempt), (1, 1));
    assert_ne!(first.token, second.token, "a token is never used twice");
    let before = scene.task(&task).await;
    let how = scene.bring_at(completed(&task, &first, json!({ "old": true })), 1).await;
    assert_eq!(how, Recording::AlreadyRecorded, "its failure was recorded");
    assert_eq!(scene.task(&task).await, before);
    scene.record(completed(&task, &second, json!({ "new": true }))).await;
    assert_eq!(*scene.step(&task, "a").await.results, json!({ "new": true }));
}

/// What was handed back stays handed back, also while the step runs under another claim.
pub async fn token_handed_back_does_not_count_for_the_next_claim(scene: Scene) {
    let task = scene.start("a -> b").await;
    let old = scene.claim(&task, "a").await;
    scene.record(ended(&task, &old, tasker_engine::OutcomeKind::HandBack)).await;
    let new = scene.claim(&task, "a").await;
    let before = scene.task(&task).await;
    let how = scene.bring_at(completed(&task, &old, json!({})), 1).await;
    assert_eq!(how, Recording::AlreadyRecorded, "it was handed back");
    assert_eq!(scene.task(&task).await, before);
    scene.record(completed(&task, &new, json!({}))).await;
}

/// Tokens that nobody was given, in every state of the step.
pub async fn unknown_token_is_stale_in_every_state(scene: Scene) {
    for situation in StepSituation::ALL {
        let task = scene.step_in(situation).await;
        for token in [Token(0), Token(-1), Token(i64::MAX)] {
            let made_up = Claim { token, step: task.step("x"), attempt: 1, retries: false, parents: vec![] };
            is_stale(&scene, task.id, &made_up).await;
        }
    }
}

/// A real token under another step, or another task, is nobody's.
pub async fn token_of_another_step_or_task_is_stale(scene: Scene) {
    let (one, two) = (scene.start("a, b").await, scene.start("a, b").await);
    let (a, b) = (scene.claim(&one, "a").await, scene.claim(&one, "b").await);
    let other = scene.claim(&two, "a").await;
    is_stale(&scene, one.id, &Claim { token: b.token, ..a.clone() }).await;
    is_stale(&scene, one.id, &Claim { token: other.token, ..a.clone() }).await;
    is_stale(&scene, two.id, &a).await;
    scene.record(completed(&one, &a, json!({}))).await;
    scene.record(completed(&one, &b, json!({}))).await;
    scene.record(completed(&two, &other, json!({}))).await;
}

/// A step that the task does not have.
pub async fn outcome_of_an_unknown_step_is_stale(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim(&task, "a").await;
    is_stale(&scene, task.id, &Claim { step: StepId(i64::MAX), ..claim }).await;
}

/// A task that is not there is told to be gone, and its outcomes are stale.
pub async fn outcome_of_an_unknown_task_is_stale_and_the_task_gone(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim(&task, "a").await;
    let nowhere = TaskId(i64::MAX);
    let call = AdvanceCall::bringing(completed(nowhere, &claim, json!({})));
    let recorded = vec![Recorded::new(claim.token, Recording::Stale)];
    assert_eq!(scene.advance(call).await, [Progress { recorded, gone: true, ..Progress::nothing(nowhere) }]);
    scene.record(completed(&task, &claim, json!({}))).await;
}

/// The same token twice in one call: the first counts.
pub async fn token_twice_in_one_call_counts_once(scene: Scene) {
    let task = scene.start("a, b").await;
    let claim = scene.claim(&task, "a").await;
    let call = AdvanceCall::bringing(completed(&task, &claim, json!("first")));
    let progress = scene.one(call.and_bringing(failed(&task, &claim, RetryAdvice::Never)).room(0)).await;
    assert!(matches!(progress.recorded[0].how, Recording::Recorded(_)), "{progress:?}");
    assert_eq!(progress.recorded[1].how, Recording::AlreadyRecorded);
    let a = scene.step(&task, "a").await;
    assert_eq!((a.current.state, &*a.results, a.history.len()), (StepState::Complete, &json!("first"), 2));
}

/// What follows a token that came twice is claimed, and told, once.
pub async fn what_follows_a_token_given_twice_is_told_once(scene: Scene) {
    let task = scene.start("a -> b, a -> c").await;
    let outcome = completed(&task, &scene.claim(&task, "a").await, json!({}));
    let progress = scene.one(AdvanceCall::bringing(outcome.clone()).and_bringing(outcome)).await;
    let claimed: Vec<_> = progress.claims.iter().map(|claim| claim.step).collect();
    assert_eq!(claimed, [task.step("b"), task.step("c")]);
}

/// Answers stand in the order of the outcomes, stale and fresh mixed.
pub async fn recordings_stand_in_the_order_given(scene: Scene) {
    let task = scene.start("a, b, c, d").await;
    let claims = scene.claim_all(&task).await;
    scene.record(completed(&task, &claims[3], json!({}))).await;
    let made_up = Claim { token: Token(i64::MAX), ..claims[1].clone() };
    let order = [&claims[2], &made_up, &claims[3], &claims[0]];
    let call = order
        .iter()
        .fold(AdvanceCall::default(), |call, claim| call.and_bringing(completed(&task, claim, json!({}))));
    let progress = scene.one(call).await;
    let told: Vec<_> = progress.recorded.iter().map(|recorded| recorded.token).collect();
    assert_eq!(told, order.map(|claim| claim.token));
    assert!(matches!(
        progress.recorded.iter().map(|recorded| &recorded.how).collect::<Vec<_>>()[..],
        [Recording::Recorded(_), Recording::Stale, Recording::AlreadyRecorded, Recording::Recorded(_)]
    ));
}

/// A stale outcome of a settled task still tells how the task stands.
pub async fn stale_outcome_tells_that_the_task_is_settled(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Cancel { force: false }).await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &claim, json!({})))).await;
    let settled = progress.settled.expect("it is settled");
    assert_eq!((settled.state, settled.by), (TaskState::Cancelled, None));
    assert_eq!((progress.claims, progress.next_wake, progress.started), (vec![], None, None));
}
