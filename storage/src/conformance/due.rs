//! Covers [`Storage::due`](tasker_engine::Storage::due).

use std::time::Duration;

use tasker_engine::{Due, RetryAdvice, Storage as _, TaskId};

use super::fixture::{AdvanceCall, Scene, Started, at, failed, graph};

async fn due(scene: &Scene, seconds: u64, limit: usize) -> Due {
    scene.storage().due(at(seconds), limit).await.expect("due")
}

fn tasks(due: &Due) -> Vec<TaskId> {
    due.wakes.iter().map(|wake| wake.task).collect()
}

/// Four tasks with wakes at seconds 40, 20, 20 and 30.
async fn four(scene: &Scene) -> Vec<Started> {
    let tasks = scene.start_many("a", 4).await;
    for (task, seconds) in tasks.iter().zip([40, 20, 20, 30]) {
        scene.look(task, seconds).await;
    }
    tasks
}

/// "Of each the earliest (and of those that of the lowest task)."
pub async fn due_wakes_stand_earliest_first_and_then_by_task(scene: Scene) {
    let made = four(&scene).await;
    let all = due(&scene, 100, 100).await;
    assert_eq!(tasks(&all), [made[1].id, made[2].id, made[3].id, made[0].id]);
    assert_eq!(all.wakes.iter().map(|wake| wake.due).collect::<Vec<_>>(), [20, 20, 30, 40].map(at));
    assert_eq!(all.next, None);
}

/// A wake is due from its moment on, not before; `next` is the first that is not.
pub async fn due_tells_when_the_next_wake_will_be(scene: Scene) {
    let made = four(&scene).await;
    let none = due(&scene, 19, 100).await;
    assert_eq!((tasks(&none), none.next), (vec![], Some(at(20))));
    let two = due(&scene, 20, 100).await;
    assert_eq!((tasks(&two), two.next), (vec![made[1].id, made[2].id], Some(at(30))));
    let three = due(&scene, 39, 100).await;
    assert_eq!((three.wakes.len(), three.next), (3, Some(at(40))));
}

/// What the limit leaves out is the next.
pub async fn due_keeps_to_its_limit_and_tells_what_follows(scene: Scene) {
    let made = four(&scene).await;
    let one = due(&scene, 100, 1).await;
    assert_eq!((tasks(&one), one.next), (vec![made[1].id], Some(at(20))));
    let three = due(&scene, 100, 3).await;
    assert_eq!((three.wakes.len(), three.next), (3, Some(at(40))));
    assert_eq!(due(&scene, 100, 4).await.next, None);
}

/// "In turns between namespaces": a thousand tasks of one cost a task of another a turn, not a thousand.
pub async fn due_takes_turns_between_namespaces(scene: Scene) {
    let crowd = scene.start_many(graph("a").in_namespace("crowd"), 20).await;
    let few = scene.start_many(graph("a").in_namespace("few"), 3).await;
    let of = |tasks: &[TaskId], those: &[Started]| {
        tasks.iter().copied().filter(|task| those.iter().any(|one| one.id == *task)).collect::<Vec<_>>()
    };
    let six = tasks(&due(&scene, 100, 6).await);
    for pair in six.chunks(2) {
        assert_eq!((of(pair, &crowd).len(), of(pair, &few).len()), (1, 1), "{six:?}");
    }
    let ids = |those: &[Started]| those.iter().map(|one| one.id).collect::<Vec<_>>();
    assert_eq!(of(&six, &few), ids(&few), "each in its order");
    assert_eq!(of(&six, &crowd), ids(&crowd[..3]));
    let all = due(&scene, 100, 100).await;
    assert_eq!((all.wakes.len(), all.next), (23, None));
    assert_eq!(due(&scene, 100, 22).await.next, Some(at(0)), "the last of the crowd");
}

/// "Changes nothing."
pub async fn due_changes_nothing(scene: Scene) {
    let made = four(&scene).await;
    let before = scene.task(&made[0]).await;
    assert_eq!(due(&scene, 100, 100).await, due(&scene, 100, 100).await);
    assert_eq!(scene.task(&made[0]).await, before);
}

/// Nothing stored, nothing due.
pub async fn due_of_an_empty_storage_is_nothing(scene: Scene) {
    assert_eq!(due(&scene, 100, 100).await, Due::default());
}

/// "An `advance` that wants the task answers its wake."
pub async fn wanted_task_is_no_longer_due(scene: Scene) {
    let made = four(&scene).await;
    scene.one(AdvanceCall::wanting(&made[1]).at(50)).await;
    assert_eq!(tasks(&due(&scene, 100, 100).await), [made[2].id, made[3].id, made[0].id]);
}

/// Wakes in the far future are kept.
pub async fn due_tells_of_far_futures(scene: Scene) {
    let task = scene.start("a").await;
    let claim = scene.claim(&task, "a").await;
    let wait = Duration::from_secs(100 * 365 * 86_400);
    scene.record(failed(&task, &claim, RetryAdvice::After(wait))).await;
    assert_eq!(due(&scene, 100, 100).await, Due { wakes: vec![], next: Some(at(0) + wait) });
}

/// Without room for a wake, the first one is the next.
pub async fn due_without_room_tells_only_what_is_next(scene: Scene) {
    four(&scene).await;
    assert_eq!(due(&scene, 100, 0).await, Due { wakes: vec![], next: Some(at(20)) });
}
