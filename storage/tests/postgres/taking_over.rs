//! The rows of Rails after adoption: nobody's at first, then taken over, read and run.

use std::sync::Arc;

use serde_json::{Value, json};
use tasker_engine::{
    Act, Advance, BoundTemplate, Call, Clock as _, Creation, Definition, Detail, Engine, EngineError, Erased,
    Intervened, Intervention, MemoryQueue, NoEvents, Parent, ParentResult, Parts, Progress, Rescue, Settings,
    Settled, SimulatedClock, StepId, StepState, Storage as _, StorageError, TaskCommand, TaskId, TaskRecord,
    TaskState, Template, Timestamp, Version, handler_fn,
};
use tasker_storage::postgres::{Interrupted, PostgresStorage};

use crate::adoption::Rails;
use crate::fixture::{NOW, bind, bringing, call, later, named, new_task, outcome, template, wanting};

/// The workflow of the rows, as somebody would write it down here.
fn refund(edges: &str) -> Template {
    Template {
        namespace_name: "payments".into(),
        name: "refund".into(),
        version: Version(1, 0, 0),
        default_dependent_system: Some("gateway".into()),
        ..template(edges)
    }
}

fn definition() -> Arc<BoundTemplate> {
    bind(refund("reserve -> charge -> notify"))
}

async fn adopted() -> Rails {
    let rails = Rails::new().await;
    rails.storage.migrate().await.expect("adopted");
    rails
}

async fn taken(interrupted: Interrupted) -> Rails {
    let rails = adopted().await;
    let taken = rails.storage.take_over(&definition(), interrupted, NOW).await.expect("taken over");
    assert_eq!(taken.tasks, [2, 3, 4, 5].map(TaskId));
    rails
}

async fn load(storage: &PostgresStorage, task: i64) -> TaskRecord {
    storage.load(&[TaskId(task)], Detail::Audit).await.expect("loaded").remove(0)
}

async fn advance(storage: &PostgresStorage, call: Advance) -> Progress {
    storage.advance(call).await.expect("advanced").remove(0)
}

/// Runs whatever a task claims until it claims nothing, and answers with the steps that ran.
async fn run(storage: &PostgresStorage, task: TaskId, now: Timestamp) -> (Vec<StepId>, Option<Settled>) {
    let mut progress = advance(storage, Advance { now, ..wanting(task) }).await;
    let mut ran = vec![];
    while let [claim] = &progress.claims[..] {
        ran.push(claim.step);
        progress = advance(storage, Advance { now, ..bringing([outcome(task, claim)]) }).await;
    }
    (ran, progress.settled)
}

#[tokio::test]
async fn what_rails_made_is_left_alone_until_it_is_taken_over() {
    let rails = adopted().await;
    let storage = &rails.storage;
    let all: Vec<_> = (1..=7).map(TaskId).collect();
    assert_eq!(storage.sweep(NOW, None, 10).await.unwrap().woken, 0);
    assert_eq!(storage.load(&all, Detail::Audit).await.unwrap(), []);
    let progress = storage.advance(Advance { wanted: all, ..call() }).await.unwrap();
    assert!(progress.iter().all(|progress| progress.gone && progress.claims.is_empty()), "{progress:?}");
    assert_eq!(storage.due(later(10), 10).await.unwrap().wakes, []);
}

#[tokio::test]
async fn unfinished_tasks_are_taken_over_once_and_others_are_told_with_why_not() {
    let rails = adopted().await;
    let take = async || rails.storage.take_over(&definition(), Interrupted::Leave, NOW).await.unwrap();
    let first = take().await;
    assert_eq!((first.tasks, first.interrupted), ([2, 3, 4, 5].map(TaskId).to_vec(), vec![]));
    let told = "row 16 of tasker_workflow_step_transitions holds the unknown state `failed`";
    assert_eq!(first.left, [(TaskId(7), told.to_owned())]);
    let due = rails.storage.due(NOW, 10).await.unwrap().wakes;
    assert_eq!(due.iter().map(|wake| wake.task.0).collect::<Vec<_>>(), [2, 3, 4, 5]);
    assert_eq!(take().await.tasks, [], "there is nothing more");
}

#[tokio::test]
async fn a_task_that_was_taken_over_and_lost_its_wake_is_swept() {
    let rails = taken(Interrupted::Leave).await;
    rails.sql("DELETE FROM tasker_wakes").await;
    assert_eq!(
        rails.storage.sweep(NOW, None, 10).await.unwrap().woken,
        3,
        "but for that which runs somewhere"
    );
    let due = rails.storage.due(NOW, 10).await.unwrap().wakes;
    assert_eq!(due.iter().map(|wake| wake.task.0).collect::<Vec<_>>(), [2, 3, 5]);
}

#[tokio::test]
async fn a_task_of_other_steps_or_edges_is_left() {
    for (edges, why) in [
        (
            "reserve -> notify -> charge",
            "its steps are gateway/reserve, gateway/charge, gateway/notify, \
             those of the definition are gateway/reserve, gateway/notify, gateway/charge",
        ),
        (
            "reserve -> charge",
            "its steps are gateway/reserve, gateway/charge, gateway/notify, \
             those of the definition are gateway/reserve, gateway/charge",
        ),
        (
            "reserve -> charge, reserve -> notify",
            "these steps wait for others than in the definition: notify",
        ),
    ] {
        let rails = adopted().await;
        let taken = rails.storage.take_over(&bind(refund(edges)), Interrupted::Fail, NOW).await.unwrap();
        assert_eq!(taken.tasks, []);
        assert_eq!(taken.left[0], (TaskId(2), why.to_owned()));
    }
    let rails = adopted().await;
    let of_another_version = Template { version: Version(2, 0, 0), ..refund("reserve -> charge -> notify") };
    let taken = rails.storage.take_over(&bind(of_another_version), Interrupted::Leave, NOW).await.unwrap();
    assert_eq!((taken.tasks, taken.left), (vec![], vec![]));
}

#[tokio::test]
async fn a_fresh_task_is_pending_with_what_rails_left_null() {
    let rails = taken(Interrupted::Leave).await;
    let task = load(&rails.storage, 2).await;
    assert_eq!(
        (task.current.state, task.current.transition, &task.history[..]),
        (TaskState::Pending, None, &[][..])
    );
    let request = &task.request;
    assert_eq!(
        (&*request.initiator, &*request.source_system, &*request.reason),
        ("web", "unknown", "unknown")
    );
    assert_eq!((request.bypass_steps.len(), request.tags.len(), task.complete), (0, 0, false));
    let charge = named(&task, "charge");
    assert_eq!((charge.current.state, charge.attempts, charge.retry_limit), (StepState::Pending, 0, 3));
    assert_eq!((&charge.inputs, &*charge.results), (&task.request.context, &json!({})));
    assert_eq!(charge.parents, [StepId(21)]);
}

#[tokio::test]
async fn rows_without_a_state_before_and_with_gaps_are_read_in_order() {
    let rails = taken(Interrupted::Leave).await;
    let task = load(&rails.storage, 3).await;
    let of_task: Vec<_> = task.history.iter().map(|row| (row.from, row.to, row.sort_key)).collect();
    assert_eq!(of_task, [(None, TaskState::InProgress, 10), (None, TaskState::Pending, 20)]);
    let charge = named(&task, "charge");
    let of_step: Vec<_> = charge.history.iter().map(|row| (row.from, row.to, row.sort_key)).collect();
    assert_eq!(of_step, [(None, StepState::InProgress, 10), (None, StepState::Error, 45)]);
    assert_eq!((charge.current.state, charge.attempts), (StepState::Error, 1));
}

#[tokio::test]
async fn a_history_without_a_current_row_reads_pending_and_goes_on_behind_its_last_row() {
    let rails = taken(Interrupted::Leave).await;
    let task = load(&rails.storage, 5).await;
    assert_eq!((task.current.state, task.current.sort_key), (TaskState::Pending, 20));
    let reserve = named(&task, "reserve");
    assert_eq!(reserve.current.state, StepState::Pending);
    let of_step: Vec<_> = reserve.history.iter().map(|row| (row.from, row.to, row.sort_key)).collect();
    assert_eq!(
        of_step,
        [(None, StepState::InProgress, 10), (Some(StepState::InProgress), StepState::Pending, 20)],
        "a row says so, and what comes next comes after all that was"
    );
}

#[tokio::test]
async fn an_unknown_state_is_an_error_that_names_the_row() {
    let rails = taken(Interrupted::Leave).await;
    rails
        .sql("UPDATE tasker_workflow_step_transitions SET to_state = 'failed' WHERE workflow_step_id = 32 AND most_recent")
        .await;
    let error = rails.storage.load(&[TaskId(3)], Detail::Graph).await.unwrap_err();
    assert!(matches!(&error, StorageError::Corrupt { what, .. } if what.contains("step 32")), "{error:?}");
}

#[tokio::test]
async fn what_rails_began_is_finished_here() {
    let rails = taken(Interrupted::Leave).await;
    let storage = &rails.storage;
    for (task, steps) in [(2, vec![21, 22, 23]), (3, vec![32, 33]), (5, vec![51, 52, 53])] {
        let (ran, settled) = run(storage, TaskId(task), later(60)).await;
        assert_eq!(ran, steps.into_iter().map(StepId).collect::<Vec<_>>(), "task {task}");
        assert_eq!(settled.map(|settled| settled.state), Some(TaskState::Complete), "task {task}");
    }
    let task = load(storage, 3).await;
    let charge = named(&task, "charge");
    assert_eq!((charge.attempts, charge.current.state), (2, StepState::Complete));
    let keys: Vec<_> = charge.history.iter().map(|row| row.sort_key).collect();
    assert_eq!(keys, [10, 45, 55, 65, 75], "in progress, error; pending, in progress, complete");
}

#[tokio::test]
async fn what_rails_recorded_reaches_the_steps_that_wait_for_it() {
    let rails = taken(Interrupted::Leave).await;
    let progress = advance(&rails.storage, Advance { now: later(60), ..wanting(TaskId(3)) }).await;
    let [claim] = &progress.claims[..] else { panic!("{progress:?}") };
    let recorded = ParentResult::Value(Arc::new(json!({ "done": 31 })));
    assert_eq!(claim.parents, [(StepId(31), recorded)]);
}

#[tokio::test]
async fn a_step_that_rails_left_in_progress_is_not_rescued() {
    let rails = taken(Interrupted::Leave).await;
    let storage = &rails.storage;
    let rescue = Rescue { lost_before: later(1000), limit: 10, now: later(1000) };
    assert_eq!(storage.rescue(rescue).await.unwrap(), []);
    let (ran, settled) = run(storage, TaskId(4), later(1000)).await;
    assert_eq!((ran, settled), (vec![], None), "its task waits for it");
    assert_eq!(named(&load(storage, 4).await, "charge").current.state, StepState::InProgress);
}

#[tokio::test]
async fn a_step_that_rails_left_in_progress_fails_when_that_is_asked_for() {
    let rails = adopted().await;
    let storage = &rails.storage;
    let taken = storage.take_over(&definition(), Interrupted::Fail, NOW).await.unwrap();
    assert_eq!(taken.interrupted, [StepId(42)]);
    let task = load(storage, 4).await;
    let charge = named(&task, "charge");
    assert_eq!((charge.current.state, charge.attempts), (StepState::Error, 1), "its attempt is counted");
    assert_eq!(charge.results["error_class"], "WorkerLost");
    assert_eq!(charge.current.metadata["error_class"], "WorkerLost");
    let (ran, settled) = run(storage, TaskId(4), later(60)).await;
    assert_eq!(ran, [StepId(42), StepId(43)]);
    assert_eq!(settled.map(|settled| settled.state), Some(TaskState::Complete));
    assert_eq!(named(&load(storage, 4).await, "charge").attempts, 2);
}

#[tokio::test]
async fn a_failed_task_is_taken_over_and_an_operator_can_retry_it() {
    let rails = adopted().await;
    rails
        .sql(
            "UPDATE tasker_task_transitions SET to_state = 'error' WHERE task_id = 3 AND most_recent;
             UPDATE tasker_workflow_steps SET attempts = 3 WHERE workflow_step_id = 32",
        )
        .await;
    let storage = &rails.storage;
    let taken = storage.take_over(&definition(), Interrupted::Leave, NOW).await.unwrap();
    assert!(taken.tasks.contains(&TaskId(3)), "{taken:?}");
    assert_eq!(load(storage, 3).await.wake, None, "it stays as it is");
    let act = Intervention {
        task: TaskId(3),
        act: Act::Task { command: TaskCommand::Retry, expected: Some(TaskState::Error) },
        actor: "alice".into(),
        reason: None,
        now: NOW,
    };
    assert!(matches!(storage.intervene(act).await.unwrap(), Intervened::Moved { .. }));
    let (ran, settled) = run(storage, TaskId(3), NOW).await;
    assert_eq!((ran, settled.unwrap().state), (vec![StepId(32), StepId(33)], TaskState::Complete));
}

#[tokio::test]
async fn our_tasks_run_beside_those_of_rails_under_the_same_names() {
    let rails = adopted().await;
    let storage = &rails.storage;
    let definition = definition();
    storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    let requests = vec![new_task(&definition, "ours"), new_task(&definition, "rails 2")];
    let created = storage.create(requests, NOW).await.unwrap();
    let [Creation::Created { task, steps, .. }, Creation::Duplicate { task: TaskId(2) }] = &created[..]
    else {
        panic!("{created:?}")
    };
    let (ran, settled) = run(storage, *task, NOW).await;
    assert_eq!((&ran, settled.unwrap().state), (steps, TaskState::Complete));

    let count =
        async |statement| sqlx::query_scalar::<_, i64>(statement).fetch_one(rails.pool()).await.unwrap();
    assert_eq!(count("SELECT count(*) FROM tasker_named_tasks").await, 1);
    assert_eq!(count("SELECT count(*) FROM tasker_named_steps").await, 3);
    let configuration =
        "SELECT count(*) FROM tasker_named_tasks WHERE jsonb_typeof(configuration) = 'string'";
    assert_eq!(count(configuration).await, 1, "a row that Rails wrote stays as it is");
    let touched =
        "SELECT count(*) FROM tasker_workflow_steps WHERE task_id <= 7 AND updated_at > '2025-12-31'";
    assert_eq!(count(touched).await, 0);
}

/// The workflow with handlers that yield what they were given.
fn handlers() -> Definition {
    let step = || {
        handler_fn(|call: Call| async move {
            let parents: Result<Vec<Option<Value>>, _> = call.parents().iter().map(Parent::output).collect();
            Ok(json!({ "context": call.raw_context(), "after": parents? }))
        })
    };
    let mut builder = Definition::builder("payments", "refund", "1.0.0");
    for (name, after) in [("reserve", None), ("charge", Some("reserve")), ("notify", Some("charge"))] {
        builder = builder.step(name, step()).after(after).dependent_system("gateway");
    }
    builder.build().expect("a sound workflow")
}

/// An engine that has learned the workflow, and the tasks that it took over.
async fn engine(rails: &Rails) -> (Engine, Definition, Vec<TaskId>) {
    let definition = handlers();
    let clock = SimulatedClock::new(later(60));
    let taken = rails.storage.take_over(definition.bound(), Interrupted::Fail, clock.now()).await.unwrap();
    let queue = MemoryQueue::new(Arc::new(clock.clone()));
    let parts: Parts<Erased> = Parts {
        storage: Arc::new(rails.storage.clone()),
        queue: Arc::new(queue),
        clock: Arc::new(clock),
        events: Arc::new(NoEvents),
    };
    let engine = Engine::new(parts, Settings::default()).unwrap();
    engine.learn(&definition).await.unwrap();
    (engine, definition, taken.tasks)
}

#[tokio::test]
async fn a_task_that_cannot_be_read_stops_nobody_but_those_who_wait_for_it() {
    let rails = adopted().await;
    let (engine, _, tasks) = engine(&rails).await;
    rails
        .sql("UPDATE tasker_workflow_step_transitions SET to_state = 'failed' WHERE workflow_step_id = 32 AND most_recent")
        .await;
    let waits = tasks.iter().map(|task| {
        let task = engine.task(*task);
        tokio::spawn(async move { task.finished().await })
    });
    let waits: Vec<_> = waits.collect();
    for (task, wait) in tasks.iter().zip(waits) {
        match wait.await.unwrap() {
            Ok(report) => assert!(report.is_complete() && task.0 != 3, "task {task}"),
            Err(EngineError::Storage(error)) => {
                assert!(
                    matches!(&*error, StorageError::Corrupt { .. }) && task.0 == 3,
                    "task {task}: {error:?}"
                );
            }
            Err(other) => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_engine_finishes_what_rails_began() {
    let rails = adopted().await;
    let (engine, definition, tasks) = engine(&rails).await;
    for task in tasks {
        let report = engine.task(task).finished().await.unwrap();
        assert_eq!(report.state(), TaskState::Complete, "task {task}");
    }
    let report = engine.task(TaskId(3)).report().await.unwrap();
    let charge: Value = report.output_of("charge").unwrap();
    assert_eq!(charge, json!({ "context": { "order": 3 }, "after": [{ "done": 31 }] }));
    let new = engine.start_definition(&definition, json!({ "order": 8 })).await.unwrap();
    assert!(new.finished().await.unwrap().is_complete());
}
