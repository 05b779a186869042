//! Covers "Atomic" and "One order of locks" for many callers at many tasks: each step is claimed once, each identity
//! created once, each loss repaired once, and nobody waits for ever.

use std::collections::BTreeSet;

use serde_json::json;
use tasker_engine::{
    Beat, Creation, NewTask, Recording, Rescue, Storage as _, TaskCommand, TaskId, TaskState, Token,
};

use super::fixture::{
    AdvanceCall, Graph, Order, Scene, Started, act_on_task, all_at_once, at, completed, race, worker,
};

/// N workers claim M steps of one task.
pub async fn many_workers_claim_each_step_of_a_task_once(scene: Scene) {
    let task = scene.start(Graph::wide(60)).await;
    let workers = (1..=8).map(|number| {
        let (scene, id) = (scene.clone(), task.id);
        async move {
            let mut claimed = Vec::new();
            for _ in 0..20 {
                let claims = scene.one(AdvanceCall::wanting(id).by(number).room(3)).await.claims;
                claimed.extend(claims.into_iter().map(|claim| (claim.step, claim.token)));
            }
            claimed
        }
    });
    let claimed: Vec<_> = all_at_once(workers).await.into_iter().flatten().collect();
    let steps: BTreeSet<_> = claimed.iter().map(|(step, _)| *step).collect();
    let tokens: BTreeSet<_> = claimed.iter().map(|(_, token)| *token).collect();
    assert_eq!((claimed.len(), steps.len(), tokens.len()), (60, 60, 60));
    assert!(scene.task(&task).await.steps.iter().all(|step| step.attempts == 1));
}

/// Workers that want the same tasks in different orders: no deadlock, no claim twice, every task settled once.
pub async fn many_workers_run_many_tasks_in_any_order(scene: Scene) {
    let tasks: Vec<TaskId> = scene.start_many("a -> c, b -> c", 12).await.iter().map(TaskId::from).collect();
    let workers = (1..=6).map(|number| {
        let (scene, mut tasks) = (scene.clone(), tasks.clone());
        async move {
            match number % 3 {
                0 => tasks.reverse(),
                1 => tasks.rotate_left(number % 12),
                _ => {}
            }
            run_until_settled(&scene, &tasks, number as u128).await
        }
    });
    let ran: Vec<Token> = all_at_once(workers).await.into_iter().flatten().collect();
    assert_eq!(ran.len(), 36, "each step is run once");
    assert_eq!(ran.iter().collect::<BTreeSet<_>>().len(), 36);
    for task in tasks {
        let record = scene.task(task).await;
        assert_eq!((record.current.state, record.history.len()), (TaskState::Complete, 2));
    }
}

/// Wants all tasks and brings what it got, in one call after the other, until all are settled.
async fn run_until_settled(scene: &Scene, tasks: &[TaskId], number: u128) -> Vec<Token> {
    let (mut ran, mut outcomes) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        let mut call = AdvanceCall::default().by(number).room(4);
        call.0.wanted = tasks.to_vec();
        call.0.outcomes = std::mem::take(&mut outcomes);
        let progress = scene.advance(call).await;
        for one in &progress {
            assert!(
                one.recorded.iter().all(|recorded| matches!(recorded.how, Recording::Recorded(_))),
                "{one:?}"
            );
            for claim in &one.claims {
                ran.push(claim.token);
                outcomes.push(completed(one.task, claim, json!({})));
            }
        }
        if outcomes.is_empty() && progress.iter().all(|one| one.settled.is_some()) {
            return ran;
        }
        // Whoever has nothing to do lets those go on who have.
        tokio::task::yield_now().await;
    }
    // A worker that found nothing for so long leaves the rest to those who run it.
    ran
}

/// Of n concurrent creates of one identity exactly one creates.
pub async fn many_creates_of_one_identity_create_once(scene: Scene) {
    let definition = scene.learn("a -> b").await;
    for _ in 0..10 {
        let request = scene.request(&definition);
        let creates = (0..8).map(|_| {
            let (scene, request) = (scene.clone(), request.clone());
            async move { scene.create(vec![request]).await.remove(0) }
        });
        let answers = all_at_once(creates).await;
        let created: Vec<_> = answers
            .iter()
            .filter_map(|answer| match answer {
                Creation::Created { task, .. } => Some(*task),
                Creation::Duplicate { .. } => None,
            })
            .collect();
        let [task] = created[..] else { panic!("one creates: {answers:?}") };
        let duplicates = answers.iter().filter(|answer| **answer == Creation::Duplicate { task }).count();
        assert_eq!(duplicates, 7, "{answers:?}");
    }
    assert_eq!(scene.due(0).await.wakes.len(), 10);
}

/// Two batches with the same identities in opposite orders: no deadlock, and each is created once.
pub async fn batches_of_one_identity_each_in_opposite_orders_create_once(scene: Scene) {
    let definition = scene.learn("a -> b").await;
    let mut stored = 0;
    for order in Order::all() {
        let forwards: Vec<NewTask> = (0..20).map(|_| scene.request(&definition)).collect();
        let backwards: Vec<NewTask> = forwards.iter().rev().cloned().collect();
        let [one, two] = [forwards, backwards].map(|requests| {
            let scene = scene.clone();
            async move { scene.create(requests).await }
        });
        let (one, two) = race(order, one, two).await;
        for (one, two) in one.iter().zip(two.iter().rev()) {
            match (one, two) {
                (Creation::Created { task, .. }, Creation::Duplicate { task: same })
                | (Creation::Duplicate { task: same }, Creation::Created { task, .. }) => {
                    assert_eq!(task, same)
                }
                other => panic!("{order:?}: {other:?}"),
            }
        }
        stored += 20;
        assert_eq!(scene.due(0).await.wakes.len().min(1000), stored.min(1000), "{order:?}");
    }
}

/// Operators and workers at the same tasks, in opposite orders: nobody waits for ever, and no rule is broken.
pub async fn operators_and_workers_at_the_same_tasks_break_no_rule(scene: Scene) {
    let tasks: Vec<TaskId> =
        scene.start_many("a -> c, b -> c, d", 6).await.iter().map(TaskId::from).collect();
    let workers = (1..=4).map(|number| {
        let (scene, mut tasks) = (scene.clone(), tasks.clone());
        let operator = number == 4;
        async move {
            if number % 2 == 0 {
                tasks.reverse();
            }
            match operator {
                true => operate(&scene, &tasks).await,
                false => work(&scene, &tasks, number).await,
            }
        }
    });
    all_at_once(workers).await;
    for task in &tasks {
        let record = scene.task(*task).await;
        assert!(record.wake.is_some() || record.is_paused() || !record.current.state.is_open(), "{record:?}");
    }
}

async fn operate(scene: &Scene, tasks: &[TaskId]) {
    for command in [TaskCommand::Pause, TaskCommand::Resume, TaskCommand::Cancel { force: false }] {
        for task in tasks {
            scene.intervene(act_on_task(*task, command)).await;
            tokio::task::yield_now().await;
        }
    }
}

async fn work(scene: &Scene, tasks: &[TaskId], number: u128) {
    let mut outcomes = Vec::new();
    for _ in 0..12 {
        let mut call = AdvanceCall::default().by(number).room(3);
        call.0.wanted = tasks.to_vec();
        call.0.outcomes = std::mem::take(&mut outcomes);
        for one in scene.advance(call).await {
            let claims = one.claims.iter();
            outcomes.extend(claims.map(|claim| completed(one.task, claim, json!({}))));
        }
    }
}

/// A worker that is thought lost brings its outcome: one of the two ends the step.
pub async fn rescue_against_the_outcome_of_a_slow_worker(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a").await;
        let claim = scene.claim(&task, "a").await;
        let (one, two) = (scene.clone(), scene.clone());
        let outcome = completed(&task, &claim, json!({}));
        let one = async move { one.bring_at(outcome, 40).await };
        let rescue = Rescue { lost_before: at(10), limit: 100, now: at(40) };
        let two = async move { two.storage().rescue(rescue).await.expect("rescue") };
        let (how, rescued) = race(order, one, two).await;
        match how {
            Recording::Recorded(_) => assert_eq!(rescued, [], "{order:?}"),
            Recording::Stale => assert_eq!(rescued.len(), 1, "{order:?}"),
            other => panic!("{order:?}: {other:?}"),
        }
        assert_eq!(scene.step(&task, "a").await.history.len(), 2, "{order:?}");
    }
}

/// Two rescuers share the work, or one does it all.
pub async fn two_rescues_at_once_rescue_each_step_once(scene: Scene) {
    for order in Order::all() {
        let tasks = scene.start_many("a, b", 3).await;
        for task in &tasks {
            scene.claim_all(task).await;
        }
        let rescue = |scene: Scene| async move {
            let rescue = Rescue { lost_before: at(10), limit: 100, now: at(40) };
            scene.storage().rescue(rescue).await.expect("rescue")
        };
        let (one, two) = race(order, rescue(scene.clone()), rescue(scene.clone())).await;
        let rescued: BTreeSet<_> = one.iter().chain(&two).map(|one| one.token).collect();
        assert_eq!((one.len() + two.len(), rescued.len()), (6, 6), "{order:?}");
        for task in &tasks {
            assert!(scene.task(task).await.steps.iter().all(|step| step.history.len() == 2), "{order:?}");
            scene.act(task, TaskCommand::Cancel { force: false }).await;
        }
    }
}

/// A beat that misses a claim, and the outcome under that claim: one of the two ends it.
pub async fn beat_against_an_outcome(scene: Scene) {
    for order in Order::all() {
        let task = scene.start("a").await;
        let claim = scene.claim(&task, "a").await;
        let (one, two) = (scene.clone(), scene.clone());
        let outcome = completed(&task, &claim, json!({}));
        let one = async move { one.bring_at(outcome, 20).await };
        let beat = Beat {
            worker: worker(1),
            label: String::new(),
            held: vec![],
            hand_back_before: at(10),
            now: at(20),
        };
        let two = async move { two.storage().beat(beat).await.expect("beat") };
        let (how, handed_back) = race(order, one, two).await;
        match how {
            Recording::Recorded(_) => assert_eq!(handed_back, [], "{order:?}"),
            Recording::Stale => {
                assert!(handed_back.iter().map(|one| one.token).eq([claim.token]), "{order:?}")
            }
            other => panic!("{order:?}: {other:?}"),
        }
    }
}

/// Two sweeps wake each task once.
pub async fn two_sweeps_at_once_wake_each_task_once(scene: Scene) {
    for order in Order::all() {
        let tasks: Vec<Started> = scene.start_many("a", 4).await;
        for task in &tasks {
            scene.lose_wake(task).await;
        }
        let sweep =
            |scene: Scene| async move { scene.storage().sweep(at(5), None, 100).await.expect("sweep") };
        let (one, two) = race(order, sweep(scene.clone()), sweep(scene.clone())).await;
        assert_eq!(one.woken + two.woken, 4, "{order:?}");
    }
}

/// Hundreds of tasks in one call: all created, all claimed, all recorded, all settled, each for itself.
pub async fn hundreds_of_tasks_go_through_one_call_each_time(scene: Scene) {
    let definition = scene.learn("a -> b").await;
    let created = scene.create((0..300).map(|_| scene.request(&definition)).collect()).await;
    let mut call = AdvanceCall::default();
    for one in &created {
        let Creation::Created { task, .. } = one else { panic!("{one:?}") };
        call = call.and_wanting(*task);
    }
    for settled in [false, false, true] {
        let progress = scene.advance(call.room(1000)).await;
        assert_eq!(progress.len(), 300);
        call = AdvanceCall::default();
        for one in &progress {
            assert_eq!(
                (one.settled.is_some(), one.claims.len()),
                (settled, usize::from(!settled)),
                "{one:?}"
            );
            for claim in &one.claims {
                call = call.and_bringing(completed(one.task, claim, json!({ "of": claim.step })));
            }
        }
    }
    assert_eq!(scene.due(9999).await.wakes, []);
}
