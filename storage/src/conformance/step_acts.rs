//! Covers what each act of [`Storage::intervene`](tasker_engine::Storage::intervene) on a step writes: its rows, its
//! columns, its wake, and the answer [`Intervened::Moved`](tasker_engine::Intervened::Moved).

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_engine::{RetryAdvice, StepCommand, StepState, TaskCommand, audit};

use super::check::metadata;
use super::fixture::{
    ACTOR, AdvanceCall, REASON, Scene, StepSituation, TaskSituation, act_on_step, at, failed, graph,
};
use super::task_acts::done;

/// Cancelling a step ends every unsettled step below it, and leaves the others.
pub async fn cancelled_step_takes_what_hangs_on_it(scene: Scene) {
    let task = scene.start("x -> b -> c -> d, x -> done, other -> c, other -> e").await;
    scene.act_on(&task, "done", StepCommand::Complete { results: Arc::new(json!({})) }).await;
    let before = scene.task(&task).await;
    let after = done(&scene, act_on_step(&task, task.step("x"), StepCommand::Cancel)).await;
    let says = |name: &str| after.step(name).map(|step| step.current.metadata.clone());
    assert_eq!(says("x"), Some(audit::cancelled(ACTOR, REASON)));
    for name in ["b", "c", "d"] {
        assert_eq!(after.step(name).map(|step| step.current.state), Some(StepState::Cancelled), "{name}");
        assert_eq!(says(name), Some(audit::cancelled(audit::PARENT_CANCELLED, REASON)), "{name}");
    }
    for name in ["done", "other", "e"] {
        assert_eq!(after.step(name), before.step(name), "{name}");
    }
    assert_eq!(after.wake.map(|(due, _)| due), Some(at(9)));
}

/// A step cancelled without a reason says so with one of ours.
pub async fn step_cancelled_without_a_reason_is_given_one(scene: Scene) {
    let task = scene.start("x -> y").await;
    let mut act = act_on_step(&task, task.step("x"), StepCommand::Cancel);
    act.reason = None;
    let after = done(&scene, act).await;
    assert_eq!(after.steps[0].current.metadata, audit::cancelled(ACTOR, "step_cancelled"));
    assert_eq!(after.steps[1].current.metadata, audit::cancelled(audit::PARENT_CANCELLED, "step_cancelled"));
}

/// A retry forgets the rest of the back-off; attempts stay.
pub async fn retried_step_may_run_at_once_with_the_attempts_it_has(scene: Scene) {
    for retry in [RetryAdvice::Default, RetryAdvice::After(Duration::from_secs(600))] {
        let task = scene.start("x").await;
        let claim = scene.claim(&task, "x").await;
        scene.record(failed(&task, &claim, retry)).await;
        let after = done(&scene, act_on_step(&task, task.step("x"), StepCommand::Retry)).await;
        let x = &after.steps[0];
        assert_eq!((x.current.state, x.attempts, x.backoff_request_seconds), (StepState::Pending, 1, None));
        let row = json!({ "retry_attempt": 2, "triggered_by": ACTOR, "reason": REASON });
        assert_eq!((&x.current.metadata, after.wake.map(|(due, _)| due)), (&row, Some(at(9))));
        assert_eq!(scene.claim_at(&task, "x", 9).await.attempt, 2);
    }
}

/// A reset has no attempts and no back-off left.
pub async fn reset_step_begins_anew(scene: Scene) {
    for situation in [StepSituation::Failed, StepSituation::Exhausted, StepSituation::Permanent] {
        let task = scene.step_in(situation).await;
        let after = done(&scene, act_on_step(&task, task.step("x"), StepCommand::Reset)).await;
        let x = &after.steps[0];
        assert_eq!(
            (x.current.state, x.attempts, x.retryable),
            (StepState::Pending, 0, true),
            "{situation:?}"
        );
        assert_eq!(x.current.metadata, json!({ "phase": "reset", "reset_by": ACTOR, "reason": REASON }));
        assert_eq!(scene.claim_at(&task, "x", 9).await.attempt, 1, "{situation:?}");
    }
}

/// A step that could not be retried in the first place cannot after a permanent failure and a reset.
pub async fn reset_restores_the_permission_as_it_was(scene: Scene) {
    let task = scene.step_of_in(graph("x, other").not_retryable("x"), StepSituation::Permanent).await;
    let after = done(&scene, act_on_step(&task, task.step("x"), StepCommand::Reset)).await;
    assert!(!after.steps[0].retryable);
}

/// Resolved by hand: with results they replace the old ones, without there are none.
pub async fn resolved_step_has_the_results_that_were_given(scene: Scene) {
    for results in [None, Some(Arc::new(json!({ "by": "hand" })))] {
        for situation in [StepSituation::Pending, StepSituation::Failed, StepSituation::Permanent] {
            let task = scene.step_in(situation).await;
            let command = StepCommand::Resolve { results: results.clone() };
            let after = done(&scene, act_on_step(&task, task.step("x"), command)).await;
            let x = &after.steps[0];
            let row = json!({ "resolved_by": ACTOR, "reason": REASON, "results_given": results.is_some() });
            assert_eq!((x.current.state, &x.current.metadata), (StepState::ResolvedManually, &row));
            assert_eq!(*x.results, results.as_deref().cloned().unwrap_or_else(|| json!({})), "{situation:?}");
            assert_eq!((x.processed_at, x.attempts), (Some(at(9)), situation.attempts()));
        }
    }
}

/// Completed by hand.
pub async fn step_completed_by_hand_has_the_results_that_were_given(scene: Scene) {
    for situation in [StepSituation::Pending, StepSituation::Failed, StepSituation::Permanent] {
        let task = scene.step_in(situation).await;
        let command = StepCommand::Complete { results: Arc::new(json!({ "by": "hand" })) };
        let after = done(&scene, act_on_step(&task, task.step("x"), command)).await;
        let x = &after.steps[0];
        let row = json!({ "completed_manually": true, "resolved_by": ACTOR, "reason": REASON });
        assert_eq!((x.current.state, &x.current.metadata), (StepState::Complete, &row));
        assert_eq!((&*x.results, x.attempts), (&json!({ "by": "hand" }), situation.attempts()));
        assert_eq!(x.processed_at, Some(at(9)));
    }
}

/// Passed over by hand.
pub async fn skipped_step_says_so(scene: Scene) {
    let task = scene.start(graph("x -> y").skippable("x")).await;
    let after = done(&scene, act_on_step(&task, task.step("x"), StepCommand::Skip)).await;
    let x = &after.steps[0];
    assert_eq!((x.current.state, &*x.results), (StepState::ResolvedManually, &audit::skipped_results()));
    assert_eq!(x.current.metadata, audit::step_skipped(ACTOR, Some(REASON)));
    assert_eq!(scene.claim_at(&task, "y", 9).await.step, task.step("y"));
}

/// An act on a step of an errored task: the task's row says who did it.
pub async fn reopened_task_says_who_did_it(scene: Scene) {
    let task = scene.task_in(TaskSituation::Error).await;
    let after = done(&scene, act_on_step(&task, task.step("x"), StepCommand::Reset)).await;
    assert_eq!(metadata(&after.history).last(), Some(&json!({ "triggered_by": ACTOR })));
}

/// Acts on steps of a paused task do not wake it.
pub async fn acts_on_steps_of_a_paused_task_give_no_wake(scene: Scene) {
    let results = || Arc::new(json!({}));
    for command in [
        StepCommand::Cancel,
        StepCommand::Complete { results: results() },
        StepCommand::Resolve { results: None },
        StepCommand::Skip,
    ] {
        let task = scene.start(graph("x, y").skippable("x")).await;
        scene.act(&task, TaskCommand::Pause).await;
        let after = done(&scene, act_on_step(&task, task.step("x"), command.clone())).await;
        assert_eq!((after.wake, after.is_paused()), (None, true), "{command:?}");
        assert_eq!(scene.one(AdvanceCall::wanting(&task).at(9)).await.claims, [], "{command:?}");
    }
}

/// An act makes a later wake an immediate one.
pub async fn act_wakes_a_task_that_would_have_slept(scene: Scene) {
    let task = scene.start("x, y").await;
    let claims = scene.claim_all(&task).await;
    scene.record(failed(&task, &claims[0], RetryAdvice::After(Duration::from_secs(600)))).await;
    assert_eq!(scene.wake(&task).await, Some(at(600)));
    let after = done(&scene, act_on_step(&task, task.step("x"), StepCommand::Retry)).await;
    assert_eq!(after.wake.map(|(due, _)| due), Some(at(9)));
}
