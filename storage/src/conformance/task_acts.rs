//! Covers what each act of [`Storage::intervene`](tasker_engine::Storage::intervene) on a task writes: its rows, what
//! it does to steps, its wake, and the answer [`Intervened::Moved`].

use serde_json::json;
use tasker_engine::{
    Intervened, Intervention, RetryAdvice, StepCommand, StepId, StepMoved, StepRecord, StepState,
    TaskCommand, TaskMoved, TaskRecord, TaskState, Transition, audit,
};

use super::fixture::{ACTOR, REASON, Scene, TaskSituation, act_on_task, at, completed, failed, graph};

/// Does an act at second 9, and holds the answer against what was written.
pub(super) async fn done(scene: &Scene, mut act: Intervention) -> TaskRecord {
    act.now = at(9);
    let before = scene.task(act.task).await;
    let answer = scene.intervene(act.clone()).await;
    let after = scene.task(act.task).await;
    let old = |step: StepId| before.position(step).map_or(0, |place| before.steps[place].history.len());
    let new_rows = |step: &StepRecord| step.history[old(step.id)..].to_vec();
    let of_step = |id: StepId, row: Transition<StepState>| StepMoved {
        step: id,
        from: row.from.expect("every row of ours has it"),
        to: row.to,
        by: row.id,
    };
    let steps = after.steps.iter();
    let steps = steps.flat_map(|step| new_rows(step).into_iter().map(|row| of_step(step.id, row))).collect();
    let rows = after.history[before.history.len()..].iter().map(|row| TaskMoved {
        from: row.from.expect("every row of ours has it"),
        to: row.to,
        by: row.id,
    });
    let rows = rows.collect();
    assert_eq!(answer, Intervened::Moved { task: after.current.state, steps, rows }, "{act:?}");
    let times = after.steps.iter().flat_map(new_rows).map(|row| row.at);
    let times = times.chain(after.history[before.history.len()..].iter().map(|row| row.at));
    assert!(times.into_iter().all(|time| time == at(9)), "{act:?}");
    after
}

/// Cancelling a task ends every step that is not settled, and leaves the others.
pub async fn cancelled_task_takes_its_unsettled_steps_with_it(scene: Scene) {
    let task =
        scene.start(graph("done, failed, running, skipped, waiting -> below").skippable("skipped")).await;
    scene.complete(&task, "done", json!({})).await;
    let claim = scene.claim(&task, "failed").await;
    scene.record(failed(&task, &claim, RetryAdvice::Default)).await;
    scene.claim(&task, "running").await;
    scene.act_on(&task, "skipped", StepCommand::Skip).await;
    let before = scene.task(&task).await;
    let after = done(&scene, act_on_task(&task, TaskCommand::Cancel { force: false })).await;
    for name in ["done", "skipped"] {
        assert_eq!(after.step(name), before.step(name), "{name}");
    }
    for name in ["failed", "running", "waiting", "below"] {
        let step = after.step(name).expect("a step");
        assert_eq!(step.current.state, StepState::Cancelled, "{name}");
        assert_eq!(step.current.metadata, audit::cancelled(ACTOR, audit::TASK_CANCELLED), "{name}");
    }
    assert_eq!(after.current.metadata, json!({ "triggered_by": ACTOR, "reason": REASON }));
    assert_eq!(after.wake, None);
}

/// By force a finished task is cancelled too; its steps stay as they are.
pub async fn cancelling_by_force_leaves_the_steps(scene: Scene) {
    for situation in [TaskSituation::Complete, TaskSituation::ResolvedManually] {
        let task = scene.task_in(situation).await;
        let before = scene.task(&task).await;
        let after = done(&scene, act_on_task(&task, TaskCommand::Cancel { force: true })).await;
        assert_eq!((after.steps, after.complete), (before.steps, false), "{situation:?}");
        let row = json!({ "triggered_by": ACTOR, "forced": true, "reason": REASON });
        assert_eq!(after.current.metadata, row, "{situation:?}");
    }
}

/// Retrying a task resets every blocked step, and no other.
pub async fn retried_task_has_its_blocked_steps_reset(scene: Scene) {
    let task = scene.start(graph("done, spent, broken -> below").limit("spent", 1)).await;
    scene.complete(&task, "done", json!({})).await;
    for (name, retry) in [("spent", RetryAdvice::Default), ("broken", RetryAdvice::Never)] {
        let claim = scene.claim(&task, name).await;
        scene.record(failed(&task, &claim, retry)).await;
    }
    let before = scene.task(&task).await;
    assert_eq!(before.current.state, TaskState::Error);
    let after = done(&scene, act_on_task(&task, TaskCommand::Retry)).await;
    for name in ["spent", "broken"] {
        let step = after.step(name).expect("a step");
        assert_eq!(
            (step.current.state, step.attempts, step.retryable),
            (StepState::Pending, 0, true),
            "{name}"
        );
        let row = json!({ "phase": "reset", "reset_by": ACTOR, "reason": REASON });
        assert_eq!(step.current.metadata, row, "{name}");
    }
    for name in ["done", "below"] {
        assert_eq!(after.step(name), before.step(name), "{name}");
    }
    assert_eq!(after.current.metadata, json!({ "triggered_by": ACTOR, "reason": REASON }));
    assert_eq!((after.current.state, after.wake.map(|(due, _)| due)), (TaskState::Pending, Some(at(9))));
    assert_eq!(scene.drain(&task, 9).await, 3);
}

/// Resolving a task leaves its steps, and does not make it `complete`.
pub async fn resolved_task_leaves_its_steps(scene: Scene) {
    let task = scene.task_in(TaskSituation::Error).await;
    let before = scene.task(&task).await;
    let after = done(&scene, act_on_task(&task, TaskCommand::Resolve)).await;
    assert_eq!((after.steps, after.complete, after.wake), (before.steps, false, None));
    assert_eq!(after.current.metadata, json!({ "resolved_by": ACTOR, "reason": REASON }));
}

/// Pausing writes one row and touches no step.
pub async fn paused_task_says_so_and_leaves_its_steps(scene: Scene) {
    for situation in [TaskSituation::Pending, TaskSituation::InProgress, TaskSituation::Resumed] {
        let task = scene.task_in(situation).await;
        let before = scene.task(&task).await;
        let after = done(&scene, act_on_task(&task, TaskCommand::Pause)).await;
        let row =
            json!({ "phase": "paused", "reason": "workflow_paused", "paused_by": ACTOR, "note": REASON });
        assert_eq!((&after.current.metadata, after.wake), (&row, None), "{situation:?}");
        assert_eq!(after.steps, before.steps, "{situation:?}");
        assert!(after.is_paused());
    }
}

/// Resuming writes one row and wakes the task.
pub async fn resumed_task_says_so_and_is_woken(scene: Scene) {
    let task = scene.task_in(TaskSituation::Paused).await;
    let before = scene.task(&task).await;
    let after = done(&scene, act_on_task(&task, TaskCommand::Resume)).await;
    let row = json!({ "phase": "resumed", "resumed_by": ACTOR, "reason": REASON });
    assert_eq!((&after.current.metadata, after.wake.map(|(due, _)| due)), (&row, Some(at(9))));
    assert_eq!(after.steps, before.steps);
    assert!(!after.is_paused());
}

/// What a paused task's running step yields is recorded.
pub async fn outcome_of_a_paused_task_is_recorded(scene: Scene) {
    let task = scene.start("a -> b").await;
    let claim = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Pause).await;
    scene.record(completed(&task, &claim, json!({ "n": 1 }))).await;
    assert_eq!(*scene.step(&task, "a").await.results, json!({ "n": 1 }));
    assert_eq!(scene.wake(&task).await, None);
}
