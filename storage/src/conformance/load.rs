//! Covers [`Storage::load`](tasker_engine::Storage::load).

use serde_json::json;
use tasker_engine::{Detail, RetryAdvice, StepCommand, Storage as _, TaskId};

use super::fixture::{Scene, failed};

/// "In the order asked for; unknown ones are left out."
pub async fn loaded_tasks_stand_in_the_order_asked_for(scene: Scene) {
    let tasks = scene.start_many("a -> b", 4).await;
    let asked = [tasks[2].id, TaskId(i64::MAX), tasks[0].id, TaskId(-1), tasks[3].id];
    for detail in [Detail::Graph, Detail::Audit] {
        let found = scene.storage().load(&asked, detail).await.expect("load");
        let found: Vec<_> = found.iter().map(|task| task.id).collect();
        assert_eq!(found, [tasks[2].id, tasks[0].id, tasks[3].id], "{detail:?}");
    }
}

/// Nothing asked for, nothing found.
pub async fn loading_nothing_finds_nothing(scene: Scene) {
    scene.start("a").await;
    for asked in [&[][..], &[TaskId(i64::MAX)]] {
        assert_eq!(scene.storage().load(asked, Detail::Audit).await.expect("load"), []);
    }
}

/// Without the audit trail everything else is the same.
pub async fn loaded_graph_is_all_but_the_audit_trail(scene: Scene) {
    let task = scene.start("a -> b, c").await;
    let a = scene.claim(&task, "a").await;
    scene.record(failed(&task, &a, RetryAdvice::Default)).await;
    scene.complete(&task, "c", json!({ "n": 1 })).await;
    scene.act_on(&task, "b", StepCommand::Cancel).await;
    let mut whole = scene.task(&task).await;
    assert!(!whole.history.is_empty());
    let graph = scene.storage().load(&[task.id], Detail::Graph).await.expect("load").remove(0);
    whole.history.clear();
    whole.steps.iter_mut().for_each(|step| step.history.clear());
    assert_eq!(graph, whole);
}

/// Loading changes nothing.
pub async fn loading_changes_nothing(scene: Scene) {
    let task = scene.start("a").await;
    let before = scene.task(&task).await;
    assert_eq!(scene.task(&task).await, before);
    assert_eq!(scene.due(0).await.wakes.len(), 1);
}

/// Many tasks at once, each with its own steps and rows.
pub async fn loaded_tasks_keep_their_own_steps(scene: Scene) {
    let mut all = scene.start_many("a -> b", 5).await;
    all.extend(scene.start_many("x, y, z", 5).await);
    for task in all.iter().step_by(2) {
        scene.claim_all(task).await;
    }
    let ids: Vec<_> = all.iter().map(|task| task.id).collect();
    let together = scene.storage().load(&ids, Detail::Audit).await.expect("load");
    for (task, found) in all.iter().zip(together) {
        assert_eq!(found, scene.task(task).await);
    }
}
