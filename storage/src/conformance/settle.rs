//! Covers point 5 of [`Advance`](tasker_engine::Advance), the rules of `decide::settlement` with their rows, and
//! [`Settled`].

use std::sync::Arc;

use serde_json::json;
use tasker_engine::decide::BlockedWhy;
use tasker_engine::{
    Ended, Progress, RetryAdvice, Settled, StepCommand, StepState, TaskCommand, TaskState, audit,
};

use super::check::{metadata, rows};
use super::fixture::{AdvanceCall, Scene, Started, TaskSituation, act_on_step, at, completed, failed, graph};

use TaskState as S;

/// The call settled the task so, by the row that is now the current one, and said it in the answer.
async fn settled(scene: &Scene, task: &Started, progress: &Progress, state: TaskState) {
    let record = scene.task(task).await;
    assert_eq!(record.current.state, state);
    assert_eq!(progress.settled, Some(Settled { state, by: record.current.transition }));
    assert_eq!((progress.next_wake, record.wake), (None, None));
    let unsatisfied = record.steps.iter().filter(|step| !step.current.state.is_satisfied());
    let blocked = record.steps.iter().filter(|step| step.facts().blocked().is_some());
    let ended = Ended {
        from: record.history.last().and_then(|row| row.from).expect("every row of ours has it"),
        unsatisfied: unsatisfied.count(),
        blocked: blocked.map(|step| step.name.clone()).collect(),
    };
    assert_eq!(progress.ended, Some(ended));
}

/// All done.
pub async fn task_whose_steps_are_all_complete_is_complete(scene: Scene) {
    let task = scene.start("a -> b").await;
    let a = scene.claim(&task, "a").await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &a, json!({})))).await;
    assert_eq!(progress.settled, None);
    let progress =
        scene.one(AdvanceCall::bringing(completed(&task, &progress.claims[0], json!({}))).at(3)).await;
    settled(&scene, &task, &progress, S::Complete).await;
    let record = scene.task(&task).await;
    assert_eq!(rows(&record.history), [(S::Pending, S::InProgress, 10), (S::InProgress, S::Complete, 20)]);
    assert_eq!(metadata(&record.history), [audit::task_started(2), json!({})]);
    assert_eq!((record.complete, record.history[1].at), (true, at(3)));
}

/// Looking at a settled task tells how it stands, and moves nothing.
pub async fn settled_task_is_told_and_not_moved_again(scene: Scene) {
    for situation in TaskSituation::ALL.into_iter().filter(|situation| !situation.is_open()) {
        let task = scene.task_in(situation).await;
        let before = scene.task(&task).await;
        let progress = scene.look(&task, 9).await;
        let expected = Settled { state: situation.state(), by: None };
        assert_eq!(
            progress,
            Progress { settled: Some(expected), ..Progress::nothing(task.id) },
            "{situation:?}"
        );
        assert_eq!(scene.task(&task).await, before, "{situation:?}");
    }
}

/// A blocked step waits for whatever still moves: what runs, what is ready, what only waits.
pub async fn task_errs_only_when_nothing_else_can_move(scene: Scene) {
    let task = scene.start("a -> x, b -> y, c").await;
    let claims = scene.claim_all(&task).await;
    let [a, b, c] = &claims[..] else { panic!("{claims:?}") };
    let progress = scene.one(AdvanceCall::bringing(failed(&task, a, RetryAdvice::Never))).await;
    assert_eq!(progress.settled, None, "b and c run");
    let progress = scene.one(AdvanceCall::bringing(failed(&task, c, RetryAdvice::Default)).at(1)).await;
    assert_eq!(progress.settled, None, "b runs, c waits");
    let progress = scene.one(AdvanceCall::bringing(completed(&task, b, json!({}))).at(1).room(0)).await;
    assert_eq!(progress.settled, None, "y is ready, c waits");
    let y = scene.claim_at(&task, "y", 1).await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &y, json!({}))).at(1)).await;
    assert_eq!(progress.settled, None, "c waits");
    let c = scene.claim_at(&task, "c", 60).await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &c, json!({}))).at(60)).await;
    settled(&scene, &task, &progress, S::Error).await;
    let record = scene.task(&task).await;
    assert_eq!(rows(&record.history), [(S::Pending, S::InProgress, 10), (S::InProgress, S::Error, 20)]);
    assert_eq!(record.history[1].metadata, json!({ "reason": audit::STEPS_IN_ERROR, "error_steps": ["a"] }));
    assert_eq!(record.step("x").expect("x").current.state, StepState::Pending);
}

/// Every blocked step is named, ascending, whatever blocked it.
pub async fn errored_task_names_its_blocked_steps(scene: Scene) {
    let task = scene.start(graph("d, c, b, a -> z, e").limit("d", 1).not_retryable("c")).await;
    scene.act_on(&task, "e", StepCommand::Cancel).await;
    let claims = scene.claim_all(&task).await;
    let retry = [RetryAdvice::Default, RetryAdvice::Default, RetryAdvice::Never, RetryAdvice::Never];
    let call = claims.iter().zip(retry).rev();
    let call = call
        .fold(AdvanceCall::default(), |call, (claim, retry)| call.and_bringing(failed(&task, claim, retry)));
    let progress = scene.one(call).await;
    settled(&scene, &task, &progress, S::Error).await;
    let row = scene.task(&task).await.current.metadata;
    assert_eq!(row["error_steps"], json!(["d", "c", "b", "a"]));
    let why: Vec<_> = progress.recorded.iter().rev().map(|recorded| recorded.blocked).collect();
    use BlockedWhy as B;
    assert_eq!(why, [B::RetriesExhausted, B::NotRetryable, B::NotRetryable, B::NotRetryable].map(Some));
}

/// A cancelled branch does not keep the task from being complete.
pub async fn task_with_a_cancelled_branch_is_complete_and_says_so(scene: Scene) {
    let task = scene.start("a -> b, c").await;
    scene.act_on(&task, "a", StepCommand::Cancel).await;
    let c = scene.claim(&task, "c").await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &c, json!({})))).await;
    settled(&scene, &task, &progress, S::Complete).await;
    assert_eq!(scene.task(&task).await.current.metadata, json!({ "cancelled_steps": 2 }));
}

/// When every leaf is cancelled, so is the task; also when other steps were done.
pub async fn task_whose_leaves_are_all_cancelled_is_cancelled(scene: Scene) {
    let task = scene.start("a -> b, a -> c -> d").await;
    scene.complete(&task, "a", json!({})).await;
    scene.act_on(&task, "b", StepCommand::Cancel).await;
    scene.act_on(&task, "c", StepCommand::Cancel).await;
    let progress = scene.look(&task, 1).await;
    settled(&scene, &task, &progress, S::Cancelled).await;
    let row = scene.task(&task).await.current.metadata;
    assert_eq!(row, json!({ "cancelled_steps": 3, "triggered_by": audit::ALL_LEAVES_CANCELLED }));
}

/// A pending task is cancelled without being begun.
pub async fn pending_task_is_cancelled_without_being_begun(scene: Scene) {
    let task = scene.start("a -> b").await;
    scene.act_on(&task, "a", StepCommand::Cancel).await;
    let progress = scene.look(&task, 1).await;
    settled(&scene, &task, &progress, S::Cancelled).await;
    assert_eq!(progress.started, None);
    assert_eq!(rows(&scene.task(&task).await.history), [(S::Pending, S::Cancelled, 10)]);
}

/// "A pending task that becomes complete is begun first."
pub async fn pending_task_that_becomes_complete_is_begun_first(scene: Scene) {
    let task = scene.start("a -> b").await;
    for name in ["a", "b"] {
        scene.act_on(&task, name, StepCommand::Complete { results: Arc::new(json!({})) }).await;
    }
    assert_eq!(scene.task(&task).await.current.state, S::Pending, "an act settles nothing");
    let progress = scene.look(&task, 4).await;
    settled(&scene, &task, &progress, S::Complete).await;
    let record = scene.task(&task).await;
    assert_eq!(rows(&record.history), [(S::Pending, S::InProgress, 10), (S::InProgress, S::Complete, 20)]);
    assert_eq!(metadata(&record.history), [audit::task_started(2), json!({})]);
    assert_eq!(progress.started, Some(record.history[0].id));
    assert!(record.history.iter().all(|row| row.at == at(4)));
}

/// What an operator resolved or passed over counts as done.
pub async fn resolved_and_skipped_steps_count_as_done(scene: Scene) {
    let task = scene.start(graph("a, b, c").skippable("b")).await;
    scene.complete(&task, "a", json!({})).await;
    scene.act_on(&task, "b", StepCommand::Skip).await;
    scene.act_on(&task, "c", StepCommand::Resolve { results: None }).await;
    let progress = scene.look(&task, 1).await;
    settled(&scene, &task, &progress, S::Complete).await;
    assert_eq!(scene.task(&task).await.current.metadata, json!({}));
}

/// "Unless paused": what runs is recorded, and the task settles when it is resumed.
pub async fn paused_task_is_settled_only_after_it_is_resumed(scene: Scene) {
    let task = scene.start("a").await;
    let a = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Pause).await;
    let progress = scene.one(AdvanceCall::bringing(completed(&task, &a, json!({}))).and_wanting(&task)).await;
    assert_eq!((progress.settled, progress.next_wake), (None, None));
    assert!(scene.task(&task).await.is_paused());
    scene.act(&task, TaskCommand::Resume).await;
    let progress = scene.look(&task, 2).await;
    settled(&scene, &task, &progress, S::Complete).await;
    let states: Vec<_> = scene.task(&task).await.history.iter().map(|row| row.to).collect();
    assert_eq!(states, [S::InProgress, S::Pending, S::Pending, S::InProgress, S::Complete]);
}

/// A paused task whose step fails for good errs when it is resumed.
pub async fn paused_task_errs_only_after_it_is_resumed(scene: Scene) {
    let task = scene.start("a").await;
    let a = scene.claim(&task, "a").await;
    scene.act(&task, TaskCommand::Pause).await;
    let progress = scene.one(AdvanceCall::bringing(failed(&task, &a, RetryAdvice::Never))).await;
    assert_eq!(progress.settled, None);
    scene.act(&task, TaskCommand::Resume).await;
    let progress = scene.look(&task, 2).await;
    settled(&scene, &task, &progress, S::Error).await;
    assert_eq!(scene.task(&task).await.history.last().map(|row| row.from), Some(Some(S::Pending)));
}

/// An errored task that an operator frees goes back by way of `pending` and `in_progress`.
pub async fn errored_task_that_was_freed_completes_by_way_of_in_progress(scene: Scene) {
    let task = scene.task_in(TaskSituation::Error).await;
    let results = Arc::new(json!({}));
    scene.intervene(act_on_step(&task, task.step("x"), StepCommand::Complete { results })).await;
    assert_eq!(scene.task(&task).await.current.state, S::Pending);
    let progress = scene.look(&task, 2).await;
    settled(&scene, &task, &progress, S::Complete).await;
    let states: Vec<_> = scene.task(&task).await.history.iter().map(|row| row.to).collect();
    assert_eq!(states, [S::InProgress, S::Error, S::Pending, S::InProgress, S::Complete]);
}

/// A task that errs again after a retry says so again.
pub async fn retried_task_may_err_again(scene: Scene) {
    let task = scene.task_in(TaskSituation::Error).await;
    scene.act(&task, TaskCommand::Retry).await;
    let x = scene.claim(&task, "x").await;
    let progress = scene.one(AdvanceCall::bringing(failed(&task, &x, RetryAdvice::Never))).await;
    settled(&scene, &task, &progress, S::Error).await;
    assert_eq!(scene.task(&task).await.history.len(), 5);
}

/// Two leaves in one call.
pub async fn last_two_leaves_in_one_call_settle_the_task(scene: Scene) {
    let task = scene.start("a, b").await;
    let claims = scene.claim_all(&task).await;
    let call = claims
        .iter()
        .fold(AdvanceCall::default(), |call, claim| call.and_bringing(completed(&task, claim, json!({}))));
    let progress = scene.one(call).await;
    settled(&scene, &task, &progress, S::Complete).await;
}

/// A last success beside a permanent failure.
pub async fn last_success_beside_a_permanent_failure_errs(scene: Scene) {
    let task = scene.start("a, b").await;
    let claims = scene.claim_all(&task).await;
    let call = AdvanceCall::bringing(failed(&task, &claims[0], RetryAdvice::Never));
    let progress = scene.one(call.and_bringing(completed(&task, &claims[1], json!({})))).await;
    settled(&scene, &task, &progress, S::Error).await;
}

/// Several tasks of one call settle each for itself.
pub async fn tasks_of_one_call_settle_each_for_itself(scene: Scene) {
    let tasks = scene.start_many("a", 3).await;
    let mut call = AdvanceCall::default();
    for (place, task) in tasks.iter().enumerate() {
        let claim = scene.claim(task, "a").await;
        call = call.and_bringing(match place {
            0 => completed(task, &claim, json!({})),
            1 => failed(task, &claim, RetryAdvice::Never),
            _ => failed(task, &claim, RetryAdvice::Default),
        });
    }
    let progress = scene.advance(call).await;
    settled(&scene, &tasks[0], &progress[0], S::Complete).await;
    settled(&scene, &tasks[1], &progress[1], S::Error).await;
    assert_eq!(progress[2].settled, None);
}

/// A wide task settles once, whatever the order of its outcomes.
pub async fn wide_task_settles_with_its_last_outcome(scene: Scene) {
    let task = scene.start(super::fixture::Graph::wide(20)).await;
    let claims = scene.claim_all(&task).await;
    for (place, claim) in claims.iter().rev().enumerate() {
        let progress = scene.one(AdvanceCall::bringing(completed(&task, claim, json!({})))).await;
        assert_eq!(progress.settled.is_some(), place == 19, "{place}");
    }
}
