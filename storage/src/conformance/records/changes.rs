//! Columns that people may change.

use std::sync::Arc;

use serde_json::json;
use tasker_engine::records::{Fault, RecordError, StepChange, TaskChange, Tasks, WorkflowSteps};
use tasker_engine::{RetryAdvice, StepState, TaskCommand};

use super::super::Scene;
use super::super::fixture::{StepSituation, TaskSituation, at, failed};
use super::{Asking, faults, records};

/// In any state; the rest stays.
pub async fn task_changes_its_reason_and_tags(scene: Scene) {
    for situation in [TaskSituation::Pending, TaskSituation::Complete] {
        let task = scene.task_in(situation).await;
        let before = scene.rows(&Tasks::with_ids([task.id])).await.remove(0);
        let change = TaskChange { reason: Some("asked again".into()), tags: None };
        let row = records(&scene).update_task(task.id, &change, at(9)).await.unwrap();
        let expected = tasker_engine::records::TaskRow {
            reason: Some("asked again".into()),
            updated_at: at(9),
            ..before
        };
        assert_eq!(row, expected, "{situation:?}");
        let change = TaskChange { reason: None, tags: Some(vec!["ü".into(), "x".into()]) };
        let row = records(&scene).update_task(task.id, &change, at(10)).await.unwrap();
        assert_eq!((&*row.tags, row.updated_at), (&json!(["ü", "x"]), at(10)));
        assert_eq!(scene.task(&task).await.request.tags, ["ü", "x"]);
        assert_eq!(scene.rows(&Tasks::with_ids([task.id])).await, [row]);
    }
}

/// By its field.
pub async fn change_that_does_not_fit_changes_nothing(scene: Scene) {
    let task = scene.start("x").await;
    let before = scene.rows(&Tasks::all()).await;
    let change = TaskChange { reason: Some("ü".repeat(129)), tags: Some(vec!["\0".into()]) };
    let told = faults(records(&scene).update_task(task.id, &change, at(9)).await.unwrap_err());
    assert_eq!(told[0], ("reason", Fault::TooLong { max: 128 }));
    assert_eq!(told[1].0, "tags");
    assert_eq!(scene.rows(&Tasks::all()).await, before);
    let refused = records(&scene).update_task((-1).into(), &TaskChange::default(), at(9)).await.unwrap_err();
    assert!(matches!(refused, RecordError::NotFound { what: "task", id: -1 }), "{refused:?}");
    let change = StepChange { retry_limit: Some(0), inputs: Some(Arc::new(json!([1]))) };
    let told = faults(records(&scene).update_step(task.step("x"), &change, at(9)).await.unwrap_err());
    assert_eq!(told, [("retry_limit", Fault::TooSmall { min: 1 }), ("inputs", Fault::NotAnObject)]);
    let refused = records(&scene).update_step((-1).into(), &StepChange::default(), at(9)).await.unwrap_err();
    assert!(matches!(refused, RecordError::NotFound { what: "workflow step", id: -1 }), "{refused:?}");
}

/// Its task is looked at.
pub async fn more_attempts_free_a_blocked_step(scene: Scene) {
    let task = scene.start(super::super::fixture::graph("x, other").limit("x", 1)).await;
    let claim = scene.claim(&task, "x").await;
    scene.record(failed(&task, &claim, RetryAdvice::Default)).await;
    let claimed = scene.claims_by(&task, 1, 10, 60).await;
    assert_eq!(claimed.len(), 1, "only the other one");
    assert_eq!(scene.wake(&task).await, None);
    let change = StepChange { retry_limit: Some(2), inputs: None };
    let row = records(&scene).update_step(task.step("x"), &change, at(61)).await.unwrap();
    assert_eq!((row.retry_limit, row.status, row.updated_at), (Some(2), StepState::Error, at(61)));
    assert_eq!(scene.wake(&task).await, Some(at(61)));
    let claims = scene.claims_by(&task, 1, 10, 62).await;
    assert_eq!(
        claims.iter().map(|claim| (claim.step, claim.attempt)).collect::<Vec<_>>(),
        [(task.step("x"), 2)]
    );
    let row = scene.rows(&WorkflowSteps::with_ids([task.step("x")])).await.remove(0);
    assert_eq!(row.updated_at, at(62), "a move changes it again");
}

/// It is looked at when it goes on.
pub async fn change_in_a_held_task_wakes_nobody(scene: Scene) {
    let change = StepChange { retry_limit: Some(9), inputs: None };
    let (paused, draft) = (scene.start("x").await, scene.start("x").await);
    scene.act(&paused, TaskCommand::Pause).await;
    scene.make_draft(&draft).await;
    for task in [paused, draft] {
        let before = scene.wake(&task).await;
        records(&scene).update_step(task.steps[0].1, &change, at(1)).await.unwrap();
        assert_eq!(scene.wake(&task).await, before);
    }
}

/// Nor one that is done.
pub async fn step_that_runs_is_not_changed(scene: Scene) {
    use StepSituation as S;
    let change = StepChange { retry_limit: Some(9), inputs: None };
    for (situation, may) in [
        (S::Pending, true),
        (S::Failed, true),
        (S::Exhausted, true),
        (S::InProgress, false),
        (S::Complete, false),
        (S::Cancelled, false),
        (S::ResolvedManually, false),
        (S::Skipped, false),
    ] {
        let task = match situation {
            S::Skipped => {
                scene.step_of_in(super::super::fixture::graph("x, other").skippable("x"), situation).await
            }
            _ => scene.step_in(situation).await,
        };
        let changed = records(&scene).update_step(task.step("x"), &change, at(1)).await;
        assert_eq!(changed.is_ok(), may, "{situation:?}");
        if let Err(refused) = changed {
            assert!(matches!(refused, RecordError::NotNow { what: "workflow step", .. }), "{refused:?}");
        }
    }
}

/// They are stored as they come back.
pub async fn inputs_are_changed_while_a_step_waits(scene: Scene) {
    let task = scene.start("a -> b").await;
    let change = StepChange { retry_limit: None, inputs: Some(Arc::new(json!({ "n": 1e17 }))) };
    let row = records(&scene).update_step(task.step("b"), &change, at(1)).await.unwrap();
    assert_eq!(*row.inputs, json!({ "n": 100_000_000_000_000_000_u64 }));
    assert_eq!(scene.step(&task, "b").await.inputs, row.inputs);
    assert_ne!(scene.step(&task, "a").await.inputs, row.inputs);
}
