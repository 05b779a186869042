//! Shared graphs, generations, and what only this backend can be shown.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tasker_engine::payload::Limits;
use tasker_engine::{
    Act, BoundTemplate, Detail, GraphLimits, Intervention, OutcomeKind, Recording, StepState, Storage,
    StorageError, TaskCommand, TaskId, TaskState, Timestamp,
};

use super::super::MemoryStorage;
use super::super::notes::Note;
use super::super::task::Task;
use super::{at, call, chain, completed, ended, only, request, spawned, start, workflow};

fn with_task<T>(storage: &MemoryStorage, task: TaskId, work: impl FnOnce(&Task) -> T) -> T {
    work(storage.store().task(task))
}

#[test]
fn tasks_share_the_graph_until_one_of_them_grows() {
    let storage = MemoryStorage::new();
    let tasks = start(&storage, chain(3), 2);
    let ((grows, steps), (stays, _)) = (&tasks[0], &tasks[1]);
    let shared = |storage: &MemoryStorage| {
        let store = storage.store();
        store.task(*grows).graph.is_shared_with(&store.task(*stays).graph)
    };
    assert!(shared(&storage));
    let claim = only(storage.store().advance(call(vec![], vec![*grows]))).claims.remove(0);
    let mut outcome = completed(*grows, &claim);
    outcome.spawned = vec![spawned("more", &["s1"])];
    storage.store().advance(call(vec![outcome], vec![]));
    assert!(!shared(&storage));

    let record = |task| storage.store().load(&[task], Detail::Graph).remove(0);
    let grown = record(*grows);
    assert_eq!(grown.step("s1").expect("of the template").parents, [steps[0], grown.steps[3].id]);
    assert_eq!(grown.steps[3].parents, [steps[0]]);
    assert_eq!(record(*stays).steps.len(), 3, "the other task does not grow with it");
}

#[test]
fn ids_of_spawned_steps_are_found_though_other_tasks_lie_between() {
    let storage = MemoryStorage::new();
    let tasks = start(&storage, chain(2), 2);
    for round in 0..3 {
        for (task, _) in &tasks {
            let claims = only(storage.store().advance(call(vec![], vec![*task]))).claims;
            let mut outcome = completed(*task, &claims[0]);
            outcome.spawned = vec![spawned(&format!("more {round}"), &["s1"])];
            let progress = only(storage.store().advance(call(vec![outcome], vec![])));
            assert!(matches!(progress.recorded[0].how, Recording::Recorded(_)));
            let back =
                progress.claims.iter().map(|claim| ended(*task, claim, OutcomeKind::HandBack)).collect();
            storage.store().advance(call(back, vec![]));
        }
    }
    for (task, _) in tasks {
        with_task(&storage, task, |task| {
            assert_eq!(task.steps.len(), 5);
            assert!((0..5).all(|place| task.graph.place(task.graph.id(place)) == Some(place)));
        });
    }
}

#[test]
fn a_generation_is_never_given_again() {
    let storage = MemoryStorage::new();
    let (task, _) = start(&storage, chain(1), 1).remove(0);
    let act = |command| Intervention {
        task,
        act: Act::Task { command, expected: None },
        actor: "tests".into(),
        reason: None,
        now: at(1),
    };
    let mut seen = vec![];
    for _ in 0..5 {
        seen.extend(with_task(&storage, task, |task| task.wake.told()));
        storage.store().intervene(&act(TaskCommand::Pause)).expect("it is there");
        assert_eq!(with_task(&storage, task, |task| task.wake.told()), None);
        storage.store().intervene(&act(TaskCommand::Resume)).expect("it is there");
        seen.extend(with_task(&storage, task, |task| task.wake.told()));
        storage.lose_wake(task);
        assert_eq!(storage.store().sweep(at(2), None, 10).woken, 1);
    }
    assert!(seen.is_sorted_by(|(_, before), (_, after)| before < after), "{seen:?}");
}

#[test]
fn unsettled_steps_below_a_cancelled_one_are_cancelled_when_the_task_is_wanted() {
    let storage = MemoryStorage::new();
    let (task, _) =
        start(&storage, workflow(4, |place| [vec![], vec![0], vec![1], vec![]][place].clone()), 1).remove(0);
    storage.store().touch(task, at(1), |task, pen| {
        task.move_step(pen, 0, StepState::Cancelled, Note::Bypassed, |_| {});
        task.move_step(pen, 1, StepState::Complete, Note::Bypassed, |_| {});
    });
    let progress = only(storage.store().advance(call(vec![], vec![task])));
    assert_eq!(progress.claims.len(), 1, "the branch that lives");
    let told: Vec<_> = progress.cancelled.iter().map(|moved| (moved.from, moved.to)).collect();
    assert_eq!(told, [(StepState::Pending, StepState::Cancelled)]);
    let states =
        with_task(&storage, task, |task| task.steps.iter().map(|step| step.state).collect::<Vec<_>>());
    assert_eq!(states[1..3], [StepState::Complete, StepState::Cancelled]);
    let progress = only(storage.store().advance(call(vec![completed(task, &progress.claims[0])], vec![])));
    assert_eq!(progress.settled.map(|settled| settled.state), Some(TaskState::Complete));
}

#[test]
fn a_sleep_beyond_the_years_that_can_be_written_does_not_govern() {
    let storage = MemoryStorage::new();
    let (task, _) = start(&storage, chain(1), 1).remove(0);
    let claim = only(storage.store().advance(call(vec![], vec![task]))).claims.remove(0);
    let until = Timestamp::from_micros(i64::MAX);
    storage.store().advance(call(vec![ended(task, &claim, OutcomeKind::Snooze { until })], vec![]));
    let record = storage.store().load(&[task], Detail::Graph).remove(0);
    assert_eq!(record.steps[0].facts(), with_task(&storage, task, |task| task.facts(0)));
}

#[test]
fn configurations_are_checked_and_normalised_when_they_are_learned() {
    let storage = MemoryStorage::new();
    let bound = |config| {
        let mut template = chain(1);
        template.step_templates[0].handler_config = config;
        Arc::new(BoundTemplate::new(template, GraphLimits::default()).expect("a sound workflow"))
    };
    let refused = storage.store().learn(&[bound(json!({ "good": 1 })), bound(json!("\0"))], at(0));
    assert!(matches!(refused, Err(StorageError::Payload { field: "handler_config", .. })));
    assert!(storage.store().definitions.is_empty(), "all of them, or none");

    let float = bound(json!({ "big": 1e17 }));
    storage.store().learn(&[Arc::clone(&float)], at(0)).expect("it can be stored");
    storage.store().create(vec![request(&float, "float".into())], at(0)).expect("it was learned");
    let record = storage.store().load(&[TaskId(1)], Detail::Graph).remove(0);
    assert_eq!(*record.steps[0].binding.config, json!({ "big": 100_000_000_000_000_000_u64 }));
    assert_eq!(record.template.step_templates[0].handler_config, *record.steps[0].binding.config);
}

#[test]
fn limits_are_those_that_were_given() {
    let storage = MemoryStorage::with_limits(Limits { bytes: 8, depth: 2 });
    let (task, _) = start(&storage, chain(1), 1).remove(0);
    let claim = only(storage.store().advance(call(vec![], vec![task]))).claims.remove(0);
    let outcome = ended(task, &claim, OutcomeKind::Completed(Arc::new(json!("too long"))));
    let progress = only(storage.store().advance(call(vec![outcome], vec![])));
    assert!(matches!(progress.recorded[0].how, Recording::NotRecordable(..)), "{progress:?}");
}

/// Neither shrinks nor spins: a page of no tasks goes on where it was asked to begin.
#[test]
fn an_empty_page_of_the_sweep_ends_where_it_began() {
    let storage = MemoryStorage::new();
    for (task, _) in start(&storage, chain(1), 3) {
        storage.lose_wake(task);
    }
    let swept = storage.store().sweep(at(1), Some(TaskId(1)), 0);
    assert_eq!((swept.woken, swept.next), (0, Some(TaskId(1))));
    let swept = storage.store().sweep(at(1), None, 2);
    assert_eq!((swept.woken, swept.next), (2, Some(TaskId(2))));
    let swept = storage.store().sweep(at(1), swept.next, 2);
    assert_eq!((swept.woken, swept.next), (1, None));
}

/// Clones are one storage, and its futures can go to any thread.
#[tokio::test]
async fn clones_share_their_tasks() {
    let storage = MemoryStorage::new();
    let (task, _) = start(&storage, chain(1), 1).remove(0);
    let other = storage.clone();
    let loaded = tokio::spawn(async move { other.load(&[task], Detail::Audit).await });
    assert_eq!(loaded.await.expect("it does not panic").expect("memory is there").len(), 1);
    assert_eq!(
        storage.due(at(0) + Duration::from_secs(1), 10).await.expect("memory is there").wakes.len(),
        1
    );
}
