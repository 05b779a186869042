//! Covers points 3 and 4 of [`Advance`](tasker_engine::Advance): what is judged, what is claimed and what a claim
//! writes, what a [`Claim`] tells, and "The first claim of a pending task begins it".

use std::sync::Arc;

use serde_json::json;
use tasker_engine::{
    Claim, ParentResult, Progress, RetryAdvice, StepCommand, StepId, StepState, TaskCommand, TaskId,
    TaskState, audit,
};

use super::check::{metadata, rows};
use super::fixture::{
    AdvanceCall, Scene, StepSituation, TaskSituation, at, completed, failed, graph, worker,
};

fn steps(claims: &[Claim]) -> Vec<StepId> {
    claims.iter().map(|claim| claim.step).collect()
}

/// What a first claim writes for its step.
pub async fn claim_counts_the_attempt_and_writes_its_row(scene: Scene) {
    let task = scene.start("a, b").await;
    let claim = scene.claim_at(&task, "a", 3).await;
    assert_eq!((claim.attempt, &claim.parents[..]), (1, &[][..]));
    let a = scene.step(&task, "a").await;
    assert_eq!(rows(&a.history), [(StepState::Pending, StepState::InProgress, 10)]);
    assert_eq!(metadata(&a.history), [audit::step_claimed(1, worker(1))]);
    assert_eq!((a.attempts, a.last_attempted_at, a.history[0].at), (1, Some(at(3)), at(3)));
    assert!(a.in_process && !a.processed);
}

/// What the first claim writes for the task; the second claims nothing new there.
pub async fn first_claim_begins_the_task(scene: Scene) {
    let task = scene.start("a, b -> c").await;
    let first = scene.one(AdvanceCall::wanting(&task).at(2).room(1)).await;
    let record = scene.task(&task).await;
    assert_eq!(rows(&record.history), [(TaskState::Pending, TaskState::InProgress, 10)]);
    assert_eq!(metadata(&record.history), [audit::task_started(3)]);
    assert_eq!((first.started, record.history[0].at), (record.current.transition, at(2)));
    assert!(first.started.is_some());
    let second = scene.one(AdvanceCall::wanting(&task).at(3)).await;
    assert_eq!((second.claims.len(), second.started), (1, None));
    assert_eq!(scene.task(&task).await.history.len(), 1);
}

/// A call that claims nothing begins nothing.
pub async fn advance_without_room_does_not_begin_the_task(scene: Scene) {
    let task = scene.start("a").await;
    let progress = scene.look(&task, 1).await;
    assert_eq!((progress.started, progress.claims), (None, vec![]));
    assert_eq!(scene.task(&task).await.current.state, TaskState::Pending);
}

/// All roots at once, ascending.
pub async fn every_ready_step_of_a_wanted_task_is_claimed_ascending(scene: Scene) {
    let task = scene.start("d, a, c -> b, e").await;
    assert_eq!(steps(&scene.claim_all(&task).await), ["d", "a", "c", "e"].map(|name| task.step(name)));
}

/// Readiness in every state of a step: only a pending one may be claimed at once, and a failed one after its wait.
pub async fn only_pending_and_failed_steps_are_claimed(scene: Scene) {
    use StepSituation as S;
    for situation in S::ALL {
        let task = scene.step_in(situation).await;
        let claims = async |seconds| {
            let call = AdvanceCall::wanting(&task).at(seconds).handlers(&[("x", 1)]);
            scene.one(call).await.claims.len()
        };
        let at_once = matches!(situation, S::Pending | S::Reset);
        assert_eq!(claims(0).await, usize::from(at_once), "{situation:?}");
        let later = matches!(situation, S::Failed);
        assert_eq!(claims(3600).await, usize::from(later), "{situation:?}");
    }
}

/// No claims in a task that is settled or paused.
pub async fn settled_and_paused_tasks_give_no_claims(scene: Scene) {
    for situation in TaskSituation::ALL {
        if matches!(situation, TaskSituation::Pending) {
            continue;
        }
        let task = scene.task_in(situation).await;
        let before = scene.task(&task).await;
        let progress = scene.one(AdvanceCall::wanting(&task).at(3600)).await;
        assert_eq!(progress.claims, [], "{situation:?}");
        assert_eq!(scene.task(&task).await.history, before.history, "{situation:?}");
        assert_eq!(progress.settled.map(|settled| settled.by), (!situation.is_open()).then_some(None));
    }
}

/// A paused task with something ready gives no claims; it does when it is resumed.
pub async fn paused_task_gives_no_claims_until_it_is_resumed(scene: Scene) {
    let task = scene.start("a -> b").await;
    let a = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Pause).await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &a, json!({}))).and_wanting(&task)).await;
    assert_eq!((progress.claims, progress.next_wake), (vec![], None));
    scene.act(&task, TaskCommand::Resume).await;
    let resumed = scene.one(AdvanceCall::wanting(&task)).await;
    assert_eq!(steps(&resumed.claims), [task.step("b")]);
    assert!(resumed.started.is_some(), "a pending task is begun");
}

/// A cancelled task gives no claims, not even of steps that were ready.
pub async fn cancelled_task_gives_no_claims(scene: Scene) {
    let task = scene.start("a, b").await;
    let a = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Cancel { force: false }).await;
    let call = AdvanceCall::bringing(completed(&task, &a, json!({}))).and_wanting(&task);
    assert_eq!(scene.one(call).await.claims, []);
}

/// A step runs when its last parent is done, not before.
pub async fn join_is_claimed_with_its_last_parent(scene: Scene) {
    let task = scene.start("a -> c, b -> c").await;
    let claims = scene.claim_all(&task).await;
    let first = scene.one(AdvanceCall::bringing(completed(&task, &claims[0], json!({})))).await;
    assert_eq!(first.claims, []);
    let second = scene.one(AdvanceCall::bringing(completed(&task, &claims[1], json!({})))).await;
    assert_eq!(steps(&second.claims), [task.step("c")]);
}

/// Both parents in one call.
pub async fn join_is_claimed_once_when_both_parents_finish_in_one_call(scene: Scene) {
    let task = scene.start("a -> c, b -> c").await;
    let claims = scene.claim_all(&task).await;
    let call = claims
        .iter()
        .fold(AdvanceCall::default(), |call, claim| call.and_bringing(completed(&task, claim, json!({}))));
    let progress = scene.one(call).await;
    assert_eq!(steps(&progress.claims), [task.step("c")]);
    assert_eq!(progress.claims[0].parents, [], "this call completed both");
}

/// A parent that failed, runs, waits or was cancelled is not done.
pub async fn child_waits_in_every_state_of_its_parent_but_the_satisfied(scene: Scene) {
    let all = StepSituation::ALL.into_iter().chain([StepSituation::Skipped]);
    for situation in all {
        let task = scene.step_of_in(graph("x -> child, other").skippable("x"), situation).await;
        let claims = scene.one(AdvanceCall::wanting(&task).handlers(&[("child", 1)])).await.claims;
        assert_eq!(claims.len(), usize::from(situation.state().is_satisfied()), "{situation:?}");
    }
}

/// A task that is not wanted is judged below what completed; the rest of it waits for whoever wants it.
pub async fn unwanted_task_is_judged_below_what_completed(scene: Scene) {
    let task = scene.start("a -> c, b").await;
    let a = scene.claim(&task, "a").await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &a, json!({})))).await;
    assert_eq!(steps(&progress.claims), [task.step("c")]);
    assert_eq!(steps(&scene.claim_all(&task).await), [task.step("b")]);
}

/// Tasks ascending, one progress each, however often a task is named.
pub async fn progress_is_told_once_for_each_task_ascending(scene: Scene) {
    let tasks = scene.start_many("a -> b", 4).await;
    let claim = scene.claim(&tasks[2], "a").await;
    let call = AdvanceCall::bringing(completed(&tasks[2], &claim, json!({})));
    let call = [3, 0, 2, 3].iter().fold(call, |call, place| call.and_wanting(&tasks[*place]));
    let progress = scene.advance(call).await;
    let told: Vec<_> = progress.iter().map(|progress| progress.task).collect();
    assert_eq!(told, [tasks[0].id, tasks[2].id, tasks[3].id]);
    let claimed: Vec<_> = progress.iter().flat_map(|progress| steps(&progress.claims)).collect();
    assert_eq!(claimed, [tasks[0].step("a"), tasks[2].step("b"), tasks[3].step("a")]);
}

/// A wanted task that is not there.
pub async fn unknown_wanted_task_is_gone(scene: Scene) {
    let task = scene.start("a").await;
    let nowhere = TaskId(i64::MAX);
    let progress = scene.advance(AdvanceCall::wanting(nowhere).and_wanting(&task)).await;
    assert_eq!(progress.len(), 2);
    assert_eq!((progress[0].task, progress[0].gone, progress[0].claims.len()), (task.id, false, 1));
    assert_eq!(progress[1], Progress { gone: true, ..Progress::nothing(nowhere) });
}

/// Nothing to do is no fault.
pub async fn advance_of_nothing_answers_nothing(scene: Scene) {
    let task = scene.start("a").await;
    assert_eq!(scene.advance(AdvanceCall::default()).await, []);
    assert_eq!(scene.wake(&task).await, Some(at(0)));
}

/// A second worker gets what the first left, and nothing twice.
pub async fn claimed_step_is_not_claimed_again(scene: Scene) {
    let task = scene.start("a, b, c").await;
    let first = scene.one(AdvanceCall::wanting(&task).room(2)).await;
    let second = scene.one(AdvanceCall::wanting(&task).by(2)).await;
    let third = scene.one(AdvanceCall::wanting(&task).by(3)).await;
    assert_eq!(steps(&first.claims), [task.step("a"), task.step("b")]);
    assert_eq!(steps(&second.claims), [task.step("c")]);
    assert_eq!(third.claims, []);
    assert_eq!(scene.step(&task, "c").await.current.metadata, audit::step_claimed(1, worker(2)));
}

/// What each kind of parent yields, ascending by step.
pub async fn claim_tells_what_each_parent_yielded(scene: Scene) {
    let names = ["handler", "null", "by_hand", "resolved", "resolved_bare", "skipped", "bypassed"];
    let joined = names.map(|name| format!("{name} -> child")).join(", ");
    let definition = scene.learn(graph(&joined).skippable("skipped").skippable("bypassed")).await;
    let mut request = scene.request(&definition);
    request.request.bypass_steps = vec!["bypassed".into()];
    let task = scene.create_one(&definition, request).await;
    scene.complete(&task, "handler", json!({ "n": 1 })).await;
    scene.complete(&task, "null", json!(null)).await;
    scene.act_on(&task, "by_hand", StepCommand::Complete { results: Arc::new(json!([2])) }).await;
    scene.act_on(&task, "resolved", StepCommand::Resolve { results: Some(Arc::new(json!({}))) }).await;
    scene.act_on(&task, "resolved_bare", StepCommand::Resolve { results: None }).await;
    scene.act_on(&task, "skipped", StepCommand::Skip).await;
    let value = |value| ParentResult::Value(Arc::new(value));
    let yielded = [
        value(json!({ "n": 1 })),
        value(json!(null)),
        value(json!([2])),
        value(json!({})),
        ParentResult::Absent,
        ParentResult::Skipped,
        ParentResult::Skipped,
    ];
    let expected: Vec<_> = names.iter().map(|name| task.step(name)).zip(yielded).collect();
    assert_eq!(scene.claim(&task, "child").await.parents, expected);
}

/// Parents that this very call completed are not sent back; earlier ones are.
pub async fn claim_leaves_out_parents_that_the_call_completed(scene: Scene) {
    let task = scene.start("a -> c, b -> c").await;
    scene.complete(&task, "a", json!("of a")).await;
    let b = scene.claim(&task, "b").await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &b, json!("of b")))).await;
    let of_a = ParentResult::Value(Arc::new(json!("of a")));
    assert_eq!(progress.claims[0].parents, [(task.step("a"), of_a)]);
}

/// A second attempt is told all parents, and which attempt it is.
pub async fn second_attempt_is_told_all_parents(scene: Scene) {
    let task = scene.start("a -> b").await;
    let a = scene.claim(&task, "a").await;
    let first = scene.one(AdvanceCall::bringing(completed(&task, &a, json!("of a")))).await.claims.remove(0);
    assert_eq!((first.attempt, &first.parents[..]), (1, &[][..]));
    scene.record(failed(&task, &first, RetryAdvice::Default)).await;
    let second = scene.claim_at(&task, "b", 60).await;
    let of_a = ParentResult::Value(Arc::new(json!("of a")));
    assert_eq!((second.attempt, second.parents), (2, vec![(task.step("a"), of_a)]));
}

/// A wide level and the join below it, finished a few at a time.
pub async fn wide_join_is_claimed_when_all_its_parents_are_done(scene: Scene) {
    let edges: Vec<_> = (0..150).map(|step| format!("root -> p{step} -> join")).collect();
    let task = scene.start(graph(&edges.join(", "))).await;
    let root = scene.claim(&task, "root").await;
    let claims = scene.one(AdvanceCall::bringing(completed(&task, &root, json!({})))).await.claims;
    assert_eq!(claims.len(), 150);
    let mut joins = vec![];
    for (chunk, claims) in claims.rchunks(40).enumerate() {
        assert_eq!(joins, [], "chunk {chunk}");
        let call = claims.iter().enumerate().fold(AdvanceCall::default(), |call, (place, claim)| {
            call.and_bringing(completed(&task, claim, json!({ "place": place })))
        });
        joins = scene.one(call).await.claims;
    }
    assert_eq!(joins.len(), 1);
    assert_eq!(joins[0].parents.len(), 120, "the last call completed thirty of them");
    assert!(joins[0].parents.is_sorted_by_key(|(parent, _)| *parent));
}
