//! Covers [`Storage::rescue`](tasker_engine::Storage::rescue), sentence by sentence.

use serde_json::json;
use tasker_engine::decide::BlockedWhy;
use tasker_engine::{ErrorReport, OutcomeKind, Rescued, StepState, TaskCommand, TaskState, Timestamp};

use super::fixture::{Scene, at, ended, graph, worker};

/// A worker that never beat, or not since then, is lost.
pub async fn steps_of_lost_workers_fail(scene: Scene) {
    for beats in [false, true] {
        let task = scene.start("a -> b").await;
        let claim = scene.claims_by(&task, 1, 1, 0).await.remove(0);
        if beats {
            scene.beat(1, &[claim.token], 0, 5).await;
        }
        let rescued = scene.rescue(10, 100, 40).await;
        let a = scene.step(&task, "a").await;
        let by = a.current.transition.expect("a row");
        assert_eq!(
            rescued,
            [Rescued {
                task: task.id,
                step: a.id,
                token: claim.token,
                by,
                worker: worker(1),
                attempt: 1,
                blocked: None
            }],
            "beats: {beats}"
        );
        assert_eq!((a.current.state, a.attempts, a.retryable), (StepState::Error, 1, true));
        assert_eq!(a.backoff_request_seconds, None);
        let (row, lost) = (&a.current.metadata, ErrorReport::worker_lost());
        assert_eq!((&row["error_class"], &row["error_message"]), (&json!(lost.class), &json!(lost.message)));
        assert_eq!((&row["retryable"], &row["retry_available"]), (&json!(true), &json!(true)));
        assert_eq!(row["attempt_number"], json!(1));
        assert_eq!(*a.results, json!({ "error": lost.message, "error_class": lost.class }));
        assert_eq!(a.history[1].at, at(40));
        assert_eq!(scene.wake(&task).await, Some(at(40)), "the task is woken");
        assert_eq!(scene.look(&task, 40).await.next_wake, Some(at(42)), "it waits for its next attempt");
        assert_eq!(scene.claims_by(&task, 2, 9, 42).await[0].attempt, 2);
        scene.act(&task, TaskCommand::Cancel { force: false }).await;
    }
}

/// A worker that beat since then keeps its steps; so does a claim made since then.
pub async fn steps_of_living_workers_are_left_alone(scene: Scene) {
    let task = scene.start("a, b, c").await;
    let old = scene.claims_by(&task, 1, 1, 0).await;
    scene.claims_by(&task, 2, 1, 20).await;
    scene.claims_by(&task, 3, 1, 10).await;
    scene.beat(1, &[old[0].token], 0, 15).await;
    let before = scene.task(&task).await;
    assert_eq!(scene.rescue(10, 100, 40).await, []);
    assert_eq!(scene.task(&task).await, before);
}

/// At the limit of attempts the step is blocked, and the task is woken now: it may have to settle.
pub async fn rescue_of_a_last_attempt_wakes_the_task_to_settle(scene: Scene) {
    for graph in [graph("a").limit("a", 1), graph("a").not_retryable("a")] {
        let task = scene.start(graph).await;
        scene.claims_by(&task, 1, 1, 0).await;
        let limit = scene.step(&task, "a").await.retry_limit;
        let why = if limit == 1 { BlockedWhy::RetriesExhausted } else { BlockedWhy::NotRetryable };
        assert_eq!(scene.rescue(10, 100, 40).await[0].blocked, Some(why));
        assert_eq!(scene.wake(&task).await, Some(at(40)));
        let row = scene.step(&task, "a").await.current.metadata;
        assert_eq!(row["retry_available"], json!(false));
        assert_eq!(scene.look(&task, 40).await.settled.map(|settled| settled.state), Some(TaskState::Error));
    }
}

/// At most so many a call, ascending by task and step.
pub async fn rescue_keeps_to_its_limit_ascending(scene: Scene) {
    let tasks = scene.start_many("a, b, c", 3).await;
    for (place, task) in tasks.iter().rev().enumerate() {
        scene.claims_by(task, u128::try_from(place).expect("few"), 9, 0).await;
    }
    let all: Vec<_> =
        tasks.iter().flat_map(|task| task.steps.iter().map(|(_, step)| (task.id, *step))).collect();
    let mut rescued = Vec::new();
    for expected in [4, 4, 1, 0] {
        let part = scene.rescue(10, 4, 40).await;
        assert_eq!(part.len(), expected);
        rescued.extend(part.iter().map(|one| (one.task, one.step)));
    }
    assert_eq!(rescued, all);
}

/// What runs in a paused task is rescued too; it is not woken.
pub async fn rescue_does_not_wake_a_paused_task(scene: Scene) {
    let task = scene.start("a").await;
    scene.claims_by(&task, 1, 1, 0).await;
    scene.act(&task, TaskCommand::Pause).await;
    assert_eq!(scene.rescue(10, 100, 40).await.len(), 1);
    assert_eq!(scene.wake(&task).await, None);
}

/// Nothing lost, nothing done; and nothing twice.
pub async fn rescue_without_lost_workers_changes_nothing(scene: Scene) {
    let task = scene.start("a, b").await;
    assert_eq!(scene.rescue(10, 100, 40).await, []);
    scene.claims_by(&task, 1, 1, 0).await;
    assert_eq!(scene.rescue(10, 100, 40).await.len(), 1);
    let before = scene.task(&task).await;
    assert_eq!(scene.rescue(10, 100, 41).await, []);
    assert_eq!(scene.task(&task).await, before);
}

/// A step that waited for the room of its task need not wait for the back-off of the one that is rescued.
pub async fn rescue_lets_the_other_steps_of_a_task_at_its_limit_run(scene: Scene) {
    let task = scene.start(graph("a, b").one_at_a_time()).await;
    scene.claims_by(&task, 1, 9, 0).await;
    assert_eq!(scene.wake(&task).await, None, "what runs there will move it");
    assert_eq!(scene.rescue(10, 100, 40).await.len(), 1);
    assert_eq!(scene.due(40).await.wakes.len(), 1);
    assert_eq!(scene.claims_by(&task, 2, 9, 40).await[0].step, task.step("b"));
}

/// A wake that is due already stays as it is.
pub async fn rescue_keeps_an_earlier_wake(scene: Scene) {
    let task = scene.start("a, b").await;
    let lost = scene.claims_by(&task, 1, 1, 0).await;
    let sleeper = scene.claims_by(&task, 2, 1, 0).await;
    let until: Timestamp = at(39);
    scene.record_at(ended(&task, &sleeper[0], OutcomeKind::Snooze { until }), 1).await;
    assert_eq!(scene.rescue(10, 100, 40).await[0].token, lost[0].token);
    assert_eq!(scene.wake(&task).await, Some(until));
}

/// A beat that was delayed on its way does not make a worker look dead that has beaten since.
pub async fn delayed_beat_does_not_make_a_worker_look_lost(scene: Scene) {
    let task = scene.start("a").await;
    let claims = scene.claims_by(&task, 1, 1, 0).await;
    scene.beat(1, &[claims[0].token], 0, 30).await;
    scene.beat(1, &[claims[0].token], 0, 5).await;
    assert_eq!(scene.rescue(20, 100, 40).await, []);
    assert_eq!(scene.rescue(31, 100, 60).await.len(), 1);
}
