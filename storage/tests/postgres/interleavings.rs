//! Two callers on one task, in a set order: a connection holds the lock of the task while both line up for it, so the
//! one that came first goes first.

use serde_json::json;
use tasker_engine::{
    Act, Advance, Intervened, Intervention, OutcomeKind, ParentResult, Progress, Recording, SpawnedStep,
    Storage as _, StorageError, TaskCommand, TaskState,
};

use crate::barrier::Barrier;
use crate::fixture::{Fixture, NOW, Started, bringing, completed, ended, named, wanting, yielded};

/// Makes both calls, the first one first, and answers what they answered.
async fn in_order<A: Send + 'static, B: Send + 'static>(
    fixture: &Fixture,
    task: &Started,
    first: impl Future<Output = Result<A, StorageError>> + Send + 'static,
    second: impl Future<Output = Result<B, StorageError>> + Send + 'static,
) -> (A, B) {
    let mut barrier = Barrier::before(fixture, task).await;
    let first = barrier.then(first).await;
    let second = barrier.then(second).await;
    barrier.lift().await;
    (first.await.unwrap().unwrap(), second.await.unwrap().unwrap())
}

fn advance(
    fixture: &Fixture,
    call: Advance,
) -> impl Future<Output = Result<Progress, StorageError>> + Send + 'static {
    let storage = fixture.storage.clone();
    async move { Ok(storage.advance(call).await?.remove(0)) }
}

fn act(
    fixture: &Fixture,
    task: &Started,
    command: TaskCommand,
) -> impl Future<Output = Result<Intervened, StorageError>> + Send + 'static {
    let storage = fixture.storage.clone();
    let act = Act::Task { command, expected: None };
    let act = Intervention { task: task.id, act, actor: "alice".into(), reason: None, now: NOW };
    async move { storage.intervene(act).await }
}

const CANCEL: TaskCommand = TaskCommand::Cancel { force: false };

/// Runs `a` and leaves its two children running.
async fn forked(fixture: &Fixture, graph: &str) -> (Started, Vec<tasker_engine::Claim>) {
    let task = fixture.start(graph).await;
    let a = fixture.want(&task).await.claims.remove(0);
    let claims = fixture.advance(bringing([completed(&task, &a)])).await.claims;
    assert_eq!(claims.len(), 2);
    (task, claims)
}

#[tokio::test]
async fn of_two_last_leaves_that_finish_at_once_the_second_settles_the_task() {
    for order in [[0, 1], [1, 0]] {
        let fixture = Fixture::new().await;
        let (task, claims) = forked(&fixture, "a -> b, a -> c").await;
        let [first, second] = order.map(|place| bringing([completed(&task, &claims[place])]));
        let (first, second) =
            in_order(&fixture, &task, advance(&fixture, first), advance(&fixture, second)).await;
        assert_eq!(first.settled, None);
        assert_eq!(second.settled.map(|settled| settled.state), Some(TaskState::Complete));
    }
}

#[tokio::test]
async fn of_two_parents_that_finish_at_once_the_second_claims_their_child() {
    for order in [[0, 1], [1, 0]] {
        let fixture = Fixture::new().await;
        let (task, claims) = forked(&fixture, "a -> b -> d, a -> c -> d").await;
        let [first, second] = order.map(|place| claims[place].clone());
        let (one, two) = in_order(
            &fixture,
            &task,
            advance(&fixture, bringing([yielded(&task, &first, json!("of the first"))])),
            advance(&fixture, bringing([completed(&task, &second)])),
        )
        .await;
        assert_eq!(one.claims, []);
        assert_eq!(two.claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), [task.step("d")]);
        let of_first = ParentResult::Value(json!("of the first").into());
        assert_eq!(
            two.claims[0].parents,
            [(first.step, of_first)],
            "what the second does not know it is told"
        );
    }
}

#[tokio::test]
async fn a_pause_before_a_claim_lets_nothing_start() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let (paused, progress) = in_order(
        &fixture,
        &task,
        act(&fixture, &task, TaskCommand::Pause),
        advance(&fixture, wanting(task.id)),
    )
    .await;
    assert!(matches!(paused, Intervened::Moved { .. }));
    assert_eq!(progress.claims, []);
    assert_eq!(fixture.load(&task).await.wake, None);
}

#[tokio::test]
async fn a_claim_before_a_pause_runs_and_is_recorded() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let (progress, paused) = in_order(
        &fixture,
        &task,
        advance(&fixture, wanting(task.id)),
        act(&fixture, &task, TaskCommand::Pause),
    )
    .await;
    assert!(matches!(paused, Intervened::Moved { task: TaskState::Pending, .. }));
    let after = fixture.advance(bringing([completed(&task, &progress.claims[0])])).await;
    assert!(matches!(after.recorded[0].how, Recording::Recorded(_)));
    assert_eq!((after.claims, after.settled), (vec![], None));
}

/// The outcome of `a`, which asks for a step that `b` is to wait for, too.
fn spawning(task: &Started, claim: &tasker_engine::Claim) -> Advance {
    let step = SpawnedStep {
        name: "more".into(),
        handler: "more".into(),
        config: json!({ "n": 1 }).into(),
        retry_limit: 2,
        retryable: true,
        after: vec![],
        before: vec!["b".into()],
    };
    let mut outcome = ended(task, claim, OutcomeKind::Completed(json!({}).into()));
    outcome.spawned.push(step);
    bringing([outcome])
}

#[tokio::test]
async fn a_cancel_before_a_spawning_outcome_adds_no_step() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let a = fixture.want(&task).await.claims.remove(0);
    let (_, progress) =
        in_order(&fixture, &task, act(&fixture, &task, CANCEL), advance(&fixture, spawning(&task, &a))).await;
    assert_eq!(progress.recorded[0].how, Recording::Stale);
    assert_eq!(fixture.load(&task).await.steps.len(), 2);
}

#[tokio::test]
async fn a_spawning_outcome_before_a_cancel_has_its_step_cancelled_too() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let a = fixture.want(&task).await.claims.remove(0);
    let (progress, cancelled) =
        in_order(&fixture, &task, advance(&fixture, spawning(&task, &a)), act(&fixture, &task, CANCEL)).await;
    assert!(matches!(&cancelled, Intervened::Moved { steps, .. } if steps.len() == 2), "{cancelled:?}");
    let late = fixture.advance(bringing([completed(&task, &progress.claims[0])])).await;
    assert_eq!(late.recorded[0].how, Recording::Stale);
    let record = fixture.load(&task).await;
    assert_eq!(named(&record, "b").parents, [task.step("a"), named(&record, "more").id]);
}

#[tokio::test]
async fn the_same_advance_twice_at_once_counts_once_and_tells_its_claim_twice() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let a = fixture.want(&task).await.claims.remove(0);
    let call = bringing([completed(&task, &a)]);
    let (first, second) =
        in_order(&fixture, &task, advance(&fixture, call.clone()), advance(&fixture, call)).await;
    assert!(matches!(first.recorded[0].how, Recording::Recorded(_)));
    assert_eq!(second.recorded[0].how, Recording::AlreadyRecorded);
    assert_eq!(first.claims[0].token, second.claims[0].token);
    assert_eq!(second.claims[0].parents.len(), 1, "told again, with all parents");
}

#[tokio::test]
async fn two_workers_that_want_one_task_claim_each_step_once() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a, b, c").await;
    let want = || wanting(task.id);
    let (first, second) =
        in_order(&fixture, &task, advance(&fixture, want()), advance(&fixture, want())).await;
    assert_eq!((first.claims.len(), second.claims.len()), (3, 0));
}
