//! Covers "Atomic" and "One order of locks" for two workers at one task, in both orders and at once: whatever comes
//! first, the second judges what the first left.

use serde_json::json;
use tasker_engine::{Claim, Progress, Recording, RetryAdvice, StepState, TaskState};

use super::fixture::{AdvanceCall, Order, Scene, Started, completed, failed, graph, race};

pub(super) async fn advance(scene: Scene, call: AdvanceCall) -> Progress {
    scene.one(call).await
}

pub(super) fn bringing(task: &Started, claim: &Claim) -> AdvanceCall {
    AdvanceCall::bringing(completed(task, claim, json!({})))
}

/// Each of two calls sees the other's leaf running or done; never both running.
pub async fn two_last_leaves_finishing_at_once_settle_the_task_once(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a, b").await;
        let claims = scene.claim_all(&task).await;
        let [one, two] = [0, 1].map(|place| advance(scene.clone(), bringing(&task, &claims[place])));
        let (one, two) = race(order, one, two).await;
        let record = scene.task(&task).await;
        assert_eq!(record.current.state, TaskState::Complete, "{order:?}");
        assert_eq!((record.history.len(), record.wake), (2, None));
        let settled: Vec<_> = [&one, &two].into_iter().filter_map(|one| one.settled).collect();
        assert_eq!(settled.len(), 1, "{order:?}: {one:?} {two:?}");
        assert_eq!(settled[0].by, record.current.transition);
    }
}

/// A last success beside a permanent failure.
pub async fn last_success_and_failure_at_once_err_once(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a, b").await;
        let claims = scene.claim_all(&task).await;
        let one = advance(scene.clone(), bringing(&task, &claims[0]));
        let two =
            advance(scene.clone(), AdvanceCall::bringing(failed(&task, &claims[1], RetryAdvice::Never)));
        let (one, two) = race(order, one, two).await;
        let record = scene.task(&task).await;
        assert_eq!((record.current.state, record.history.len()), (TaskState::Error, 2), "{order:?}");
        assert_eq!(usize::from(one.settled.is_some()) + usize::from(two.settled.is_some()), 1, "{order:?}");
    }
}

/// The join is claimed by the second of its parents, exactly once.
pub async fn two_parents_finishing_at_once_claim_their_join_once(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a -> join, b -> join").await;
        let claims = scene.claim_all(&task).await;
        let one = advance(scene.clone(), bringing(&task, &claims[0]));
        let two = advance(scene.clone(), bringing(&task, &claims[1]).by(2));
        let (one, two) = race(order, one, two).await;
        let told: Vec<_> = one.claims.iter().chain(&two.claims).collect();
        assert_eq!(told.len(), 1, "{order:?}: {told:?}");
        assert_eq!(told[0].step, task.step("join"));
        let join = scene.step(&task, "join").await;
        assert_eq!((join.current.state, join.attempts, join.history.len()), (StepState::InProgress, 1, 1));
    }
}

/// The reply was slow, and the worker asks again while the first call is still under way.
pub async fn advance_sent_twice_at_once_counts_once(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a -> b, a -> c").await;
        let call = bringing(&task, &scene.claim(&task, "a").await);
        let (one, two) = (advance(scene.clone(), call.clone()), advance(scene.clone(), call));
        let (one, two) = race(order, one, two).await;
        let how = [&one.recorded[0].how, &two.recorded[0].how];
        let counted = how.iter().filter(|how| matches!(how, Recording::Recorded(_))).count();
        let known = how.iter().filter(|how| matches!(how, Recording::AlreadyRecorded)).count();
        assert_eq!((counted, known), (1, 1), "{order:?}: {how:?}");
        let tokens =
            |progress: &Progress| progress.claims.iter().map(|claim| claim.token).collect::<Vec<_>>();
        assert_eq!((tokens(&one), one.claims.len()), (tokens(&two), 2), "{order:?}");
        assert_eq!(scene.step(&task, "a").await.history.len(), 2);
        assert_eq!(scene.step(&task, "b").await.attempts, 1);
    }
}

/// Whoever comes second finds the step claimed.
pub async fn two_workers_wanting_one_task_claim_each_step_once(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a, b, c").await;
        let one = advance(scene.clone(), AdvanceCall::wanting(&task).room(2));
        let two = advance(scene.clone(), AdvanceCall::wanting(&task).room(2).by(2));
        let (one, two) = race(order, one, two).await;
        let mut claimed: Vec<_> = one.claims.iter().chain(&two.claims).map(|claim| claim.step).collect();
        claimed.sort();
        assert_eq!(claimed, ["a", "b", "c"].map(|name| task.step(name)), "{order:?}");
        assert_eq!(usize::from(one.started.is_some()) + usize::from(two.started.is_some()), 1, "{order:?}");
    }
}

/// A back-off that is over is taken by one.
pub async fn two_workers_retrying_one_step_claim_it_once(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a").await;
        let claim = scene.claim(&task, "a").await;
        scene.record(failed(&task, &claim, RetryAdvice::Default)).await;
        let one = advance(scene.clone(), AdvanceCall::wanting(&task).at(60));
        let two = advance(scene.clone(), AdvanceCall::wanting(&task).at(60).by(2));
        let (one, two) = race(order, one, two).await;
        assert_eq!(one.claims.len() + two.claims.len(), 1, "{order:?}");
        let a = scene.step(&task, "a").await;
        assert_eq!((a.attempts, a.history.len()), (2, 4), "{order:?}");
    }
}

/// One step at a time, whoever asks.
pub async fn two_workers_keep_to_the_limit_of_a_task(scene: Scene) {
    for order in Order::all() {
        let task = scene.start(graph("a, b, c").one_at_a_time()).await;
        let one = advance(scene.clone(), AdvanceCall::wanting(&task));
        let two = advance(scene.clone(), AdvanceCall::wanting(&task).by(2));
        let (one, two) = race(order, one, two).await;
        assert_eq!(one.claims.len() + two.claims.len(), 1, "{order:?}");
    }
}
