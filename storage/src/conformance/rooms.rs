//! Covers [`Room`], and the limits of point 4 of [`Advance`](tasker_engine::Advance): in all, by
//! task, by handler, and the limit that a task has itself.

use serde_json::json;
use tasker_engine::{Claim, HandlerName, RetryAdvice, Room, StepId};

use super::fixture::{AdvanceCall, Graph, Scene, at, completed, failed, graph};

fn steps(claims: &[Claim]) -> Vec<StepId> {
    claims.iter().map(|claim| claim.step).collect()
}

/// In all: in turns, one step of each task and then the next one of each, ascending.
pub async fn total_room_goes_to_tasks_in_turns(scene: Scene) {
    let tasks = scene.start_many("a, b, c", 3).await;
    let wanting = |room| {
        tasks.iter().rev().fold(AdvanceCall::default(), |call, task| call.and_wanting(task)).room(room)
    };
    let claimed = async |room| -> Vec<_> {
        let progress = scene.advance(wanting(room)).await;
        progress.iter().map(|progress| steps(&progress.claims)).collect()
    };
    let of =
        |place: usize, names: &[&str]| names.iter().map(|name| tasks[place].step(name)).collect::<Vec<_>>();
    assert_eq!(claimed(4).await, [of(0, &["a", "b"]), of(1, &["a"]), of(2, &["a"])]);
    assert_eq!(claimed(1).await, [of(0, &["c"]), vec![], vec![]]);
    assert_eq!(claimed(100).await, [vec![], of(1, &["b", "c"]), of(2, &["b", "c"])]);
}

/// A task with many steps does not keep others waiting, whichever is the older one.
pub async fn huge_task_leaves_room_to_small_ones(scene: Scene) {
    for huge_first in [true, false] {
        let first = scene.start(if huge_first { Graph::wide(40) } else { graph("a") }).await;
        let second = scene.start(if huge_first { graph("a") } else { Graph::wide(40) }).await;
        let third = scene.start("a").await;
        let call = AdvanceCall::wanting(&first).and_wanting(&second).and_wanting(&third).room(5);
        let claims: Vec<_> = scene.advance(call).await.iter().map(|progress| progress.claims.len()).collect();
        assert_eq!(claims, if huge_first { [3, 1, 1] } else { [1, 3, 1] });
    }
}

/// Tasks that are wanted go before those that only bring outcomes, so that long chains do not keep others out.
pub async fn wanted_tasks_have_the_first_turn(scene: Scene) {
    let (chain, waiting) = (scene.start("a -> b, a -> c").await, scene.start("a, b").await);
    let claim = scene.claim(&chain, "a").await;
    let call = AdvanceCall::bringing(completed(&chain, &claim, json!({}))).and_wanting(&waiting);
    let progress = scene.advance(call.room(1)).await;
    assert_eq!(progress.iter().map(|progress| progress.claims.len()).collect::<Vec<_>>(), [0, 1]);
    assert_eq!(progress[0].next_wake, Some(at(0)), "what is left over is not forgotten");
    let rest = scene.advance(AdvanceCall::wanting(&chain).and_wanting(&waiting).room(2)).await;
    assert_eq!(rest.iter().map(|progress| progress.claims.len()).collect::<Vec<_>>(), [1, 1]);
}

/// Without room an outcome is recorded and nothing taken.
pub async fn without_room_outcomes_are_recorded_and_nothing_is_claimed(scene: Scene) {
    let task = scene.start("a -> b").await;
    let claim = scene.claim(&task, "a").await;
    let progress = scene
        .one(AdvanceCall::bringing(completed(&task, &claim, json!({}))).and_wanting(&task).room(0))
        .await;
    assert_eq!((progress.recorded.len(), progress.claims.len()), (1, 0));
}

/// Of one task: what runs counts, whoever runs it.
pub async fn room_of_a_task_counts_what_runs_over_all_workers(scene: Scene) {
    let task = scene.start(Graph::wide(6)).await;
    let first = scene.one(AdvanceCall::wanting(&task).per_task(2)).await;
    assert_eq!(first.claims.len(), 2);
    assert_eq!(scene.one(AdvanceCall::wanting(&task).by(2).per_task(2)).await.claims, []);
    assert_eq!(scene.one(AdvanceCall::wanting(&task).by(2).per_task(3)).await.claims.len(), 1);
    assert_eq!(scene.one(AdvanceCall::wanting(&task).by(3).per_task(1)).await.claims, []);
}

/// A task at the worker's limit for one task goes on with each outcome, and without a wake.
pub async fn task_at_the_room_of_a_task_is_moved_by_its_outcomes(scene: Scene) {
    let task = scene.start(Graph::wide(4)).await;
    let mut claims = scene.one(AdvanceCall::wanting(&task).per_task(1)).await.claims;
    for name in ["s0", "s1", "s2", "s3"] {
        assert_eq!(steps(&claims), [task.step(name)]);
        assert_eq!(scene.wake(&task).await, None, "its outcome moves it");
        claims = scene
            .one(AdvanceCall::bringing(completed(&task, &claims[0], json!({}))).per_task(1))
            .await
            .claims;
    }
    assert_eq!(claims, []);
    assert!(scene.task(&task).await.complete);
}

/// The room of a task is one for each task.
pub async fn room_of_a_task_holds_for_each_task_alone(scene: Scene) {
    let tasks = scene.start_many("a, b, c", 3).await;
    let call = tasks.iter().fold(AdvanceCall::default().per_task(2), |call, task| call.and_wanting(task));
    let progress = scene.advance(call).await;
    assert_eq!(progress.iter().map(|progress| progress.claims.len()).collect::<Vec<_>>(), [2, 2, 2]);
}

/// By handler: each for so many steps, an absent one for none.
pub async fn room_of_a_handler_is_its_own(scene: Scene) {
    let graph =
        Graph::wide(6).handler("s0", "red").handler("s2", "red").handler("s4", "red").handler("s5", "blue");
    let task = scene.start(graph).await;
    let progress =
        scene.one(AdvanceCall::wanting(&task).handlers(&[("red", 2), ("blue", 5), ("s1", 0)])).await;
    assert_eq!(steps(&progress.claims), ["s0", "s2", "s5"].map(|name| task.step(name)));
    let rest = scene.one(AdvanceCall::wanting(&task)).await;
    assert_eq!(steps(&rest.claims), ["s1", "s3", "s4"].map(|name| task.step(name)));
}

/// The room of a handler is one for the whole call.
pub async fn room_of_a_handler_is_shared_by_all_tasks(scene: Scene) {
    let tasks = scene.start_many("a, b", 3).await;
    let call = tasks
        .iter()
        .fold(AdvanceCall::default().handlers(&[("a", 2), ("b", 1)]), |call, task| call.and_wanting(task));
    let progress = scene.advance(call).await;
    let claimed: Vec<_> = progress.iter().map(|progress| steps(&progress.claims)).collect();
    let step = |place: usize, name: &str| tasks[place].step(name);
    assert_eq!(claimed, [vec![step(0, "a"), step(0, "b")], vec![step(1, "a")], vec![]], "in turns");
}

/// Some handlers have a room of their own, the others as much as there is.
pub async fn limited_handlers_leave_the_others_their_room(scene: Scene) {
    let graph =
        Graph::wide(6).handler("s0", "red").handler("s1", "red").handler("s2", "blue").handler("s3", "red");
    let task = scene.start(graph).await;
    let progress = scene.one(AdvanceCall::wanting(&task).limited(&[("red", 2), ("blue", 0), ("x", 1)])).await;
    assert_eq!(steps(&progress.claims), ["s0", "s1", "s4", "s5"].map(|name| task.step(name)));
    assert_eq!(progress.next_wake, Some(at(0)), "what has no room now is not parked");
    assert_eq!(progress.no_room, ["blue", "red"].map(HandlerName::from));
    let none = scene.one(AdvanceCall::wanting(&task).limited(&[("red", 0), ("x", 0)]).room(0)).await;
    assert_eq!((none.claims, none.next_wake), (vec![], Some(at(0))));
    assert_eq!(none.no_room, ["red"].map(HandlerName::from), "others have none of their own");
    let rest = scene.one(AdvanceCall::wanting(&task).limited(&[])).await;
    assert_eq!(steps(&rest.claims), ["s2", "s3"].map(|name| task.step(name)));
    assert!(rest.no_room.is_empty());
}

/// A task passes over what has no room, and takes what has.
pub async fn full_handler_keeps_back_only_its_own_steps(scene: Scene) {
    let tasks = scene.start_many(Graph::wide(3).handler("s0", "red").one_at_a_time(), 2).await;
    let call = AdvanceCall::wanting(&tasks[0]).and_wanting(&tasks[1]).limited(&[("red", 1)]);
    let claimed: Vec<_> = scene.advance(call).await.iter().map(|progress| steps(&progress.claims)).collect();
    assert_eq!(claimed, [vec![tasks[0].step("s0")], vec![tasks[1].step("s1")]]);
    assert_eq!(scene.wake(&tasks[1]).await, Some(at(0)), "for its first step");
}

/// No handler, no claim.
pub async fn worker_without_handlers_claims_nothing(scene: Scene) {
    let task = scene.start("a, b").await;
    assert_eq!(scene.one(AdvanceCall::wanting(&task).handlers(&[])).await.claims, []);
}

/// All rooms hold at once: the narrowest decides.
pub async fn all_rooms_hold_at_once(scene: Scene) {
    let tasks = scene.start_many("a, b, c, d", 2).await;
    let handlers = [("b", 9), ("d", 9)];
    let call = AdvanceCall::wanting(&tasks[0]).and_wanting(&tasks[1]).per_task(2).room(3).handlers(&handlers);
    let progress = scene.advance(call).await;
    let claimed: Vec<_> = progress.iter().map(|progress| steps(&progress.claims)).collect();
    assert_eq!(claimed, [vec![tasks[0].step("b"), tasks[0].step("d")], vec![tasks[1].step("b")]]);
}

/// A task that runs one step at a time does so over two workers.
pub async fn task_of_one_step_at_a_time_keeps_to_it_over_two_workers(scene: Scene) {
    let task = scene.start(graph("a, b, c").one_at_a_time()).await;
    let first = scene.one(AdvanceCall::wanting(&task)).await;
    assert_eq!(steps(&first.claims), [task.step("a")]);
    let second = scene.one(AdvanceCall::wanting(&task).by(2)).await;
    assert_eq!((second.claims, second.next_wake), (vec![], None));
    assert_eq!(scene.wake(&task).await, None, "at its own limit its outcome moves it");
    let next = scene.one(AdvanceCall::bringing(completed(&task, &first.claims[0], json!({}))).by(2)).await;
    assert_eq!(steps(&next.claims), [task.step("b")]);
}

/// Its outcome judges all its steps, not only children; also when the outcome is a failure.
pub async fn outcome_of_a_limited_task_judges_all_its_steps(scene: Scene) {
    let task = scene.start(graph("a -> d, b, c").one_at_a_time()).await;
    let a = scene.one(AdvanceCall::wanting(&task)).await.claims.remove(0);
    let next = scene.one(AdvanceCall::bringing(failed(&task, &a, RetryAdvice::Default))).await;
    assert_eq!(steps(&next.claims), [task.step("b")]);
    let next = scene.one(AdvanceCall::bringing(completed(&task, &next.claims[0], json!({})))).await;
    assert_eq!(steps(&next.claims), [task.step("c")]);
}

/// A worker's own limit never widens that of the task.
pub async fn limit_of_a_task_holds_beside_a_wider_room(scene: Scene) {
    let task = scene.start(graph("a, b, c").one_at_a_time()).await;
    assert_eq!(scene.one(AdvanceCall::wanting(&task).per_task(3)).await.claims.len(), 1);
}

/// Two steps that finish in one call free two places.
pub async fn room_of_a_task_is_counted_after_the_outcomes(scene: Scene) {
    let task = scene.start(Graph::wide(6)).await;
    let claims = scene.one(AdvanceCall::wanting(&task).per_task(2)).await.claims;
    let call = claims
        .iter()
        .fold(AdvanceCall::default(), |call, claim| call.and_bringing(completed(&task, claim, json!({}))));
    let next = scene.one(call.per_task(2)).await;
    assert_eq!(steps(&next.claims), [task.step("s2"), task.step("s3")]);
}

/// `Room::of` is room for every handler and task.
pub async fn plain_room_takes_every_handler_and_task(scene: Scene) {
    let task = scene.start(Graph::wide(9)).await;
    let mut call = AdvanceCall::wanting(&task);
    call.0.room = Room::of(5);
    assert_eq!(scene.one(call).await.claims.len(), 5);
}

/// A worker that is to take no step of a task takes none, also of one with a limit of its own.
pub async fn room_for_no_step_of_a_task_claims_nothing(scene: Scene) {
    for graph in [graph("a, b"), graph("a, b").one_at_a_time()] {
        let task = scene.start(graph).await;
        assert_eq!(scene.one(AdvanceCall::wanting(&task).per_task(0)).await.claims, []);
    }
}
