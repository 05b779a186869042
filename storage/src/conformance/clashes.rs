//! Covers "Atomic" and "One order of locks" for an operator against a worker or another operator at one task, in both
//! orders and at once: whatever comes first, the second judges what the first left.

use std::sync::Arc;

use serde_json::json;
use tasker_engine::{
    Intervened, Intervention, NotMoved, Recording, Refusal, RetryAdvice, StepCommand, StepState, TaskCommand,
    TaskState,
};

use super::fixture::{AdvanceCall, Order, Scene, act_on_step, act_on_task, completed, failed, race, spawned};
use super::races::{advance, bringing};

async fn intervene(scene: Scene, act: Intervention) -> Intervened {
    scene.intervene(act).await
}

fn moved(answer: &Intervened) -> bool {
    matches!(answer, Intervened::Moved { .. })
}

/// After a pause nothing is claimed; what was claimed before it runs on.
pub async fn pause_against_a_claim(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a").await;
        let one = advance(scene.clone(), AdvanceCall::wanting(&task));
        let two = intervene(scene.clone(), act_on_task(&task, TaskCommand::Pause));
        let (one, two) = race(order, one, two).await;
        let record = scene.task(&task).await;
        assert!(moved(&two) && record.is_paused(), "{order:?}");
        let runs = record.steps[0].current.state == StepState::InProgress;
        assert_eq!(one.claims.len(), usize::from(runs), "{order:?}");
        match order {
            Order::OneThenTwo => assert!(runs),
            Order::TwoThenOne => assert!(!runs),
            Order::AtOnce => {}
        }
    }
}

/// A claim that came first is fenced by the cancel.
pub async fn cancel_against_a_claim(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a -> b").await;
        let one = advance(scene.clone(), AdvanceCall::wanting(&task));
        let two = intervene(scene.clone(), act_on_task(&task, TaskCommand::Cancel { force: false }));
        let (one, two) = race(order, one, two).await;
        let record = scene.task(&task).await;
        assert!(moved(&two), "{order:?}");
        assert_eq!(record.current.state, TaskState::Cancelled);
        assert!(record.steps.iter().all(|step| step.current.state == StepState::Cancelled), "{order:?}");
        for claim in &one.claims {
            let how = scene.bring_at(completed(&task, claim, json!({})), 1).await;
            assert_eq!(how, Recording::Stale, "{order:?}");
        }
    }
}

/// Either the outcome is recorded and its child cancelled, or it is stale.
pub async fn cancel_against_an_outcome(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a -> b").await;
        let claim = scene.claim(&task, "a").await;
        let one = advance(scene.clone(), bringing(&task, &claim));
        let two = intervene(scene.clone(), act_on_task(&task, TaskCommand::Cancel { force: false }));
        let (one, two) = race(order, one, two).await;
        let record = scene.task(&task).await;
        assert!(moved(&two), "{order:?}");
        assert_eq!((record.current.state, record.wake), (TaskState::Cancelled, None), "{order:?}");
        let states: Vec<_> = record.steps.iter().map(|step| step.current.state).collect();
        match one.recorded[0].how {
            Recording::Recorded(_) => assert_eq!(states, [StepState::Complete, StepState::Cancelled]),
            Recording::Stale => assert_eq!(states, [StepState::Cancelled, StepState::Cancelled]),
            ref other => panic!("{order:?}: {other:?}"),
        }
    }
}

/// A join is cancelled while its parent spawns steps before it.
pub async fn cancel_of_a_join_against_a_spawn_before_it(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a -> join").await;
        let mut outcome = completed(&task, &scene.claim(&task, "a").await, json!({}));
        outcome.spawned = vec![spawned("s", &[], &["join"])];
        let one = advance(scene.clone(), AdvanceCall::bringing(outcome));
        let two = intervene(scene.clone(), act_on_step(&task, task.step("join"), StepCommand::Cancel));
        let (one, two) = race(order, one, two).await;
        assert!(moved(&two) && matches!(one.recorded[0].how, Recording::Recorded(_)), "{order:?}");
        let record = scene.task(&task).await;
        let join = record.step("join").expect("join");
        assert_eq!(join.current.state, StepState::Cancelled, "{order:?}");
        assert_eq!((record.steps.len(), join.parents.len()), (3, 2), "{order:?}");
        assert_eq!(one.claims.len(), 1, "{order:?}");
        let last = scene.one(bringing(&task, &one.claims[0])).await;
        assert_eq!(
            last.settled.map(|settled| settled.state),
            Some(TaskState::Cancelled),
            "{order:?}: the only leaf"
        );
    }
}

/// The asking step is cancelled while it spawns a step before a join: nothing of it stays, or it is too late.
pub async fn cancel_against_a_spawned_join(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a -> join").await;
        let mut outcome = completed(&task, &scene.claim(&task, "a").await, json!({}));
        outcome.spawned = vec![spawned("s", &[], &["join"])];
        let one = advance(scene.clone(), AdvanceCall::bringing(outcome));
        let two = intervene(scene.clone(), act_on_step(&task, task.step("a"), StepCommand::Cancel));
        let (one, two) = race(order, one, two).await;
        let record = scene.task(&task).await;
        match one.recorded[0].how {
            Recording::Recorded(_) => {
                assert_eq!(two, Intervened::Not(NotMoved::Refused(Refusal::Finished)), "{order:?}");
                assert_eq!((record.steps.len(), one.claims.len()), (3, 1), "{order:?}");
            }
            Recording::Stale => {
                assert!(moved(&two), "{order:?}");
                assert_eq!((record.steps.len(), one.claims.len()), (2, 0), "{order:?}");
                assert!(
                    record.steps.iter().all(|step| step.current.state == StepState::Cancelled),
                    "{order:?}"
                );
            }
            ref other => panic!("{order:?}: {other:?}"),
        }
    }
}

/// The whole task is cancelled while a step spawns: spawned steps are cancelled with the rest, or never stored.
pub async fn cancel_of_a_task_against_a_spawn(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a -> join").await;
        let mut outcome = completed(&task, &scene.claim(&task, "a").await, json!({}));
        outcome.spawned = vec![spawned("s", &[], &["join"]), spawned("t", &["s"], &["join"])];
        let one = advance(scene.clone(), AdvanceCall::bringing(outcome));
        let two = intervene(scene.clone(), act_on_task(&task, TaskCommand::Cancel { force: false }));
        let (one, two) = race(order, one, two).await;
        assert!(moved(&two), "{order:?}");
        let record = scene.task(&task).await;
        let recorded = matches!(one.recorded[0].how, Recording::Recorded(_));
        assert_eq!(record.steps.len(), if recorded { 4 } else { 2 }, "{order:?}");
        let open = record.steps.iter().filter(|step| !step.current.state.is_settled()).count();
        assert_eq!((open, record.wake), (0, None), "{order:?}");
    }
}

/// An outcome of a paused task and its resumption: it is settled, or somebody will look at it.
pub async fn resume_against_the_last_outcome(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a").await;
        let claim = scene.claim(&task, "a").await;
        scene.act(&task, TaskCommand::Pause).await;
        let one = advance(scene.clone(), bringing(&task, &claim));
        let two = intervene(scene.clone(), act_on_task(&task, TaskCommand::Resume));
        let (one, two) = race(order, one, two).await;
        assert!(moved(&two) && matches!(one.recorded[0].how, Recording::Recorded(_)), "{order:?}");
        let record = scene.task(&task).await;
        assert!(record.complete || record.wake.is_some(), "{order:?}: nobody would settle it");
        scene.look(&task, 1).await;
        assert!(scene.task(&task).await.complete, "{order:?}");
    }
}

/// Two operators, one act: one of them moves.
pub async fn the_same_act_twice_at_once_moves_once(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a -> b").await;
        for command in [TaskCommand::Pause, TaskCommand::Resume, TaskCommand::Cancel { force: false }] {
            let [one, two] = [0, 1].map(|_| intervene(scene.clone(), act_on_task(&task, command)));
            let (one, two) = race(order, one, two).await;
            assert_eq!(usize::from(moved(&one)) + usize::from(moved(&two)), 1, "{order:?}: {one:?}, {two:?}");
            let other = if moved(&one) { &two } else { &one };
            assert_eq!(*other, Intervened::Not(NotMoved::AlreadyThere), "{order:?}");
        }
        assert_eq!(scene.task(&task).await.history.len(), 3, "{order:?}");
    }
}

/// Two acts on one step that exclude each other: one moves, and the other is told why it does not.
pub async fn acts_that_exclude_each_other_move_once(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a, b").await;
        let claim = scene.claim(&task, "a").await;
        scene.record(failed(&task, &claim, RetryAdvice::Never)).await;
        let complete = StepCommand::Complete { results: Arc::new(json!({})) };
        let one = intervene(scene.clone(), act_on_step(&task, task.step("a"), complete));
        let two = intervene(scene.clone(), act_on_step(&task, task.step("a"), StepCommand::Cancel));
        let (one, two) = race(order, one, two).await;
        let refused = Intervened::Not(NotMoved::Refused(Refusal::Finished));
        assert!(one == refused || two == refused, "{order:?}: {one:?}, {two:?}");
        assert!(moved(&one) || moved(&two), "{order:?}: {one:?}, {two:?}");
        let expected = if moved(&one) { StepState::Complete } else { StepState::Cancelled };
        assert_eq!(scene.step(&task, "a").await.current.state, expected, "{order:?}");
    }
}
