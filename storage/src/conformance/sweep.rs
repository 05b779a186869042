//! Covers [`Storage::sweep`](tasker_engine::Storage::sweep), with wakes that were lost behind its back.

use std::time::Duration;

use serde_json::json;
use tasker_engine::{RetryAdvice, Storage as _, Swept, TaskCommand, TaskId};

use super::fixture::{Scene, TaskSituation, at, completed, failed};

async fn sweep(scene: &Scene, after: Option<TaskId>, limit: usize) -> Swept {
    scene.storage().sweep(at(50), after, limit).await.expect("sweep")
}

/// A task that can move and has no wake is given one.
pub async fn swept_task_without_a_wake_is_woken(scene: Scene) {
    let task = scene.start("a").await;
    let (_, generation) = scene.task(&task).await.wake.expect("a wake");
    scene.lose_wake(&task).await;
    assert_eq!(scene.wake(&task).await, None);
    assert_eq!(sweep(&scene, None, 100).await, Swept { woken: 1, next: None });
    let (due, again) = scene.task(&task).await.wake.expect("a wake");
    assert_eq!(due, at(50));
    assert!(again > generation, "each change raises the generation");
    assert_eq!(sweep(&scene, None, 100).await, Swept { woken: 0, next: None });
}

/// In every situation of a task: only one that is open, not paused and not running is woken.
pub async fn sweep_wakes_only_tasks_that_can_move(scene: Scene) {
    for situation in TaskSituation::ALL {
        let task = scene.task_in(situation).await;
        scene.lose_wake(&task).await;
        let woken = sweep(&scene, None, 100).await.woken;
        let expected = usize::from(situation == TaskSituation::Pending);
        assert_eq!(woken, expected, "{situation:?}: the other situations run, or cannot move");
    }
}

/// A task that has a wake keeps it, be it ever so late.
pub async fn sweep_leaves_wakes_alone(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim(&task, "a").await;
    scene.record(failed(&task, &claim, RetryAdvice::After(Duration::from_secs(9999)))).await;
    let before = scene.task(&task).await;
    assert_eq!(sweep(&scene, None, 100).await.woken, 0);
    assert_eq!(scene.task(&task).await, before);
}

/// A task in progress, with nothing running and no wake, is woken.
pub async fn sweep_wakes_a_task_in_progress_that_nobody_runs(scene: Scene) {
    let task = scene.start("a -> b").await;
    scene.complete(&task, "a", json!({})).await;
    scene.lose_wake(&task).await;
    assert_eq!(sweep(&scene, None, 100).await.woken, 1);
    assert_eq!(scene.wake(&task).await, Some(at(50)));
    assert_eq!(scene.drain(&task, 50).await, 1);
}

/// In pages: above `after`, ascending, until the limit is given.
pub async fn sweep_goes_on_where_it_stopped(scene: Scene) {
    let tasks = scene.start_many("a", 10).await;
    for task in &tasks {
        scene.lose_wake(task).await;
    }
    let (mut after, mut woken) = (None, Vec::new());
    for _ in 0..20 {
        let page = sweep(&scene, after, 3).await;
        assert!(page.woken <= 3, "{page:?}");
        woken.push(page.woken);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(after, None, "it ends");
    assert_eq!(woken.iter().sum::<usize>(), 10, "{woken:?}");
    assert_eq!(scene.due(50).await.wakes.len(), 10);
}

/// Tasks up to `after` are not looked at.
pub async fn sweep_looks_only_above_the_task_it_is_given(scene: Scene) {
    let made = scene.start_many("a", 4).await;
    for task in &made {
        scene.lose_wake(task).await;
    }
    assert_eq!(sweep(&scene, Some(made[1].id), 100).await, Swept { woken: 2, next: None });
    let woken: Vec<_> = scene.due(50).await.wakes.iter().map(|wake| wake.task).collect();
    assert_eq!(woken, [made[2].id, made[3].id]);
    assert_eq!(sweep(&scene, Some(made[3].id), 100).await, Swept { woken: 0, next: None });
    let first = sweep(&scene, None, 1).await;
    assert_eq!((first.woken, first.next), (1, Some(made[0].id)));
}

/// A wake that was lost and found again is answered as any other.
pub async fn swept_task_goes_on(scene: Scene) {
    let task = scene.start("a -> b").await;
    let claim = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Pause).await;
    scene.record(completed(&task, &claim, json!({}))).await;
    assert_eq!(sweep(&scene, None, 100).await.woken, 0, "it is paused");
    scene.act(&task, TaskCommand::Resume).await;
    scene.lose_wake(&task).await;
    assert_eq!(sweep(&scene, None, 100).await.woken, 1);
    assert_eq!(scene.drain(&task, 50).await, 1);
}
