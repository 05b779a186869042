//! Covers "if they are left over only because this worker has no handler for them, it is parked", of point 6 of
//! [`Advance`](tasker_engine::Advance), and [`HandlerRoom`](tasker_engine::HandlerRoom) where it decides that.

use std::time::Duration;

use serde_json::json;
use tasker_engine::{PARKED_FIRST, PARKED_MOST, RetryAdvice, parked_for};

use super::fixture::{AdvanceCall, Scene, at, completed, failed, graph};

/// A handler that is there but has no room left is not one that is missing.
pub async fn handler_without_room_left_gives_a_wake_due_now(scene: Scene) {
    let task = scene.start(graph("a, b").handler("a", "red").handler("b", "red")).await;
    let progress = scene.one(AdvanceCall::wanting(&task).at(5).handlers(&[("red", 1)])).await;
    assert_eq!((progress.claims.len(), progress.next_wake), (1, Some(at(5))));
}

/// "It is parked: due later, by a delay that doubles each time in a row".
pub async fn task_without_a_handler_here_is_parked_ever_longer(scene: Scene) {
    let task = scene.start("a").await;
    let mut due = at(0);
    for times in 0..9 {
        assert_eq!(scene.wake(&task).await, Some(due));
        let mut call = AdvanceCall::wanting(&task).handlers(&[("other", 1)]);
        call.0.now = due;
        let progress = scene.one(call).await;
        due = due + parked_for(times);
        assert_eq!((progress.claims, progress.next_wake), (vec![], Some(due)), "the {times}th time");
    }
    assert_eq!(
        scene.one(AdvanceCall::wanting(&task).at(600)).await.claims.len(),
        1,
        "and is taken by one who can"
    );
}

/// Who looks at a parked task before its time does not put it off: else a worker without handlers that looks often keeps
/// it from all others.
pub async fn parked_wake_stays_until_it_is_due(scene: Scene) {
    let task = scene.start("a").await;
    let look = |millis: u64| {
        let mut call = AdvanceCall::wanting(&task).handlers(&[("other", 1)]);
        call.0.now = at(0) + Duration::from_millis(millis);
        scene.one(call)
    };
    assert_eq!(look(0).await.next_wake, Some(at(1)));
    let before = scene.task(&task).await;
    for millis in [1, 500, 999] {
        assert_eq!(look(millis).await.next_wake, None, "nothing is written");
        assert_eq!(scene.task(&task).await, before);
    }
    assert_eq!(look(1000).await.next_wake, Some(at(3)), "the second time in a row");
}

/// "In a row" counts the first time as well where a failed step may run again at that very moment.
pub async fn parking_until_the_end_of_a_back_off_counts(scene: Scene) {
    let task = scene.start("a, b -> c").await;
    let claims = scene.claim_all(&task).await;
    scene.record_at(failed(&task, &claims[0], RetryAdvice::After(2 * PARKED_FIRST)), 5).await;
    let done = completed(&task, &claims[1], json!({}));
    let here = |call: AdvanceCall, second| scene.one(call.at(second).handlers(&[]));
    assert_eq!(here(AdvanceCall::bringing(done), 6).await.next_wake, None, "there is one at that moment");
    assert_eq!(here(AdvanceCall::wanting(&task), 6).await.next_wake, Some(at(6) + PARKED_FIRST));
    assert_eq!(here(AdvanceCall::wanting(&task), 7).await.next_wake, Some(at(7) + parked_for(1)));
}

/// The delays of parking themselves.
pub async fn parking_delays_double_up_to_the_longest(_: Scene) {
    let seconds: Vec<_> = (0..9).map(|times| parked_for(times).as_secs()).collect();
    assert_eq!(seconds, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    assert_eq!((parked_for(0), parked_for(u32::MAX)), (PARKED_FIRST, PARKED_MOST));
}

/// "In a row": what was claimed meanwhile begins a new row.
pub async fn parking_begins_anew_after_a_claim(scene: Scene) {
    let task = scene.start("a -> b").await;
    for seconds in 0..4 {
        scene.one(AdvanceCall::wanting(&task).at(seconds).handlers(&[])).await;
    }
    let a = scene.one(AdvanceCall::wanting(&task).at(10)).await.claims.remove(0);
    assert_eq!(scene.wake(&task).await, None);
    let progress =
        scene.one(AdvanceCall::bringing(completed(&task, &a, json!({}))).at(20).handlers(&[("a", 1)])).await;
    assert_eq!(progress.next_wake, Some(at(20) + PARKED_FIRST));
}

/// One step that room was short for, one without handler: not only because of the handler, so due now.
pub async fn task_is_parked_only_when_no_room_would_have_helped(scene: Scene) {
    let task = scene.start(graph("a, b, c").handler("a", "red").handler("b", "red")).await;
    let progress = scene.one(AdvanceCall::wanting(&task).at(5).handlers(&[("red", 1)])).await;
    assert_eq!((progress.claims.len(), progress.next_wake), (1, Some(at(5))));
}

/// A step that is to be tried again before the task would be looked at anyway.
pub async fn parked_task_is_woken_earlier_for_a_failed_step(scene: Scene) {
    let task = scene.start("a, b").await;
    let a = scene.claim(&task, "a").await;
    let wait = PARKED_FIRST / 2;
    scene.record_at(failed(&task, &a, RetryAdvice::After(wait)), 5).await;
    let progress = scene.one(AdvanceCall::wanting(&task).at(5).handlers(&[("a", 1)])).await;
    assert_eq!((progress.claims, progress.next_wake), (vec![], Some(at(5) + wait)));
}

/// A worker that has no handler for a step does not keep those from it who have.
pub async fn parked_step_is_claimed_by_whoever_can(scene: Scene) {
    let task = scene.start("a, b").await;
    let first = scene.one(AdvanceCall::wanting(&task).handlers(&[("b", 1)])).await;
    assert_eq!((first.claims.len(), first.next_wake), (1, Some(at(0) + PARKED_FIRST)));
    let second = scene.one(AdvanceCall::wanting(&task).by(2).handlers(&[("a", 1)])).await;
    assert_eq!((second.claims.len(), second.next_wake), (1, None));
}
