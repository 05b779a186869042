//! Rows of others (Rails, an operator's SQL), and values at the edge of what can be stored.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Connection as _;
use tasker_engine::{
    Act, Advance, Beat, Claim, Detail, ErrorReport, Intervention, NOT_RECORDABLE, OutcomeKind, Recording,
    Rescue, RetryAdvice, Settled, SpawnedStep, StepMoved, StepState, Storage as _, StorageError, TaskCommand,
    TaskState, Timestamp, WorkerId, payload::Limits,
};
use tasker_storage::postgres::PostgresStorage;

use crate::fixture::{
    Fixture, NOW, Started, WORKER, bind, bound, bringing, call, completed, ended, later, named, new_task,
    template, wanting, yielded,
};

#[tokio::test]
async fn a_chain_runs_from_its_first_step_to_its_last() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b -> c").await;
    let mut progress = fixture.want(&task).await;
    assert!(progress.started.is_some());
    for name in ["a", "b", "c"] {
        let [claim] = &progress.claims[..] else { panic!("{progress:?}") };
        assert_eq!(claim.step, task.step(name));
        assert!(claim.parents.is_empty(), "this very call completed them");
        progress = fixture.advance(bringing([completed(&task, claim)])).await;
        assert!(matches!(progress.recorded[0].how, Recording::Recorded(_)));
    }
    assert!(matches!(progress.settled, Some(Settled { state: TaskState::Complete, by: Some(_) })));
    let record = fixture.load(&task).await;
    assert!(record.complete);
    assert_eq!(record.wake, None);
}

#[tokio::test]
async fn nulls_and_odd_sort_keys_of_rails_are_read() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let (id, a) = (task.id, task.step("a"));
    fixture
        .sql(format!(
            "UPDATE tasker_tasks SET initiator = NULL, source_system = NULL, reason = NULL, tags = NULL,
                 bypass_steps = NULL WHERE task_id = {id};
             UPDATE tasker_named_tasks SET configuration = to_jsonb('{{}}'::text);
             UPDATE tasker_workflow_steps SET attempts = NULL, retry_limit = NULL, results = NULL, inputs = NULL;
             INSERT INTO tasker_task_transitions (to_state, task_id, sort_key, most_recent, created_at, updated_at)
             VALUES ('in_progress', {id}, 0, true, now(), now());
             INSERT INTO tasker_workflow_step_transitions
                 (to_state, workflow_step_id, metadata, sort_key, most_recent, created_at, updated_at)
             VALUES ('in_progress', {a}, NULL, 3, false, '2026-01-01', now()),
                    ('error', {a}, NULL, 7, true, '2025-12-31', now());"
        ))
        .await;
    let record = fixture.load(&task).await;
    assert_eq!(record.request.initiator, "unknown");
    assert_eq!((record.request.tags.len(), record.request.bypass_steps.len()), (0, 0));
    let step = named(&record, "a");
    assert_eq!((step.attempts, step.retry_limit, step.current.state), (0, 3, StepState::Error));
    assert_eq!((&*step.results, &step.inputs), (&json!({}), &record.request.context));
    assert_eq!(
        step.history.iter().map(|row| (row.from, row.sort_key)).collect::<Vec<_>>(),
        [(None, 3), (None, 7)]
    );

    let claim = fixture.want(&task).await.claims.remove(0);
    assert_eq!((claim.step, claim.attempt), (a, 1));
    let record = fixture.load(&task).await;
    let keys: Vec<_> = named(&record, "a").history.iter().map(|row| row.sort_key).collect();
    assert_eq!(keys, [3, 7, 17, 27], "error, pending, in_progress");
}

#[tokio::test]
async fn a_history_without_a_current_row_is_pending() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    fixture
        .sql(format!(
            "INSERT INTO tasker_task_transitions (to_state, task_id, sort_key, most_recent, created_at, updated_at)
             VALUES ('in_progress', {}, 10, false, now(), now())",
            task.id
        ))
        .await;
    let record = fixture.load(&task).await;
    assert_eq!(
        (record.current.state, record.current.sort_key, record.history.len()),
        (TaskState::Pending, 0, 1)
    );
}

#[tokio::test]
async fn a_task_without_a_definition_is_another_program_s_and_nothing_is_done_to_it() {
    let fixture = Fixture::new().await;
    let (ours, theirs) = (fixture.start("a").await, fixture.start("a").await);
    fixture
        .sql(format!(
            "DELETE FROM tasker_task_definitions WHERE task_id = {}; DELETE FROM tasker_wakes",
            theirs.id
        ))
        .await;
    let both = [theirs.id, ours.id];
    let loaded = fixture.storage.load(&both, Detail::Graph).await.unwrap();
    assert_eq!(loaded.iter().map(|task| task.id).collect::<Vec<_>>(), [ours.id]);
    let swept = fixture.storage.sweep(NOW, None, 10).await.unwrap();
    assert_eq!((swept.woken, fixture.number("SELECT min(task_id) FROM tasker_wakes").await), (1, ours.id.0));

    let progress = fixture.storage.advance(Advance { wanted: both.to_vec(), ..call() }).await.unwrap();
    let [of_ours, of_theirs] = &progress[..] else { panic!("{progress:?}") };
    assert_eq!((of_ours.gone, of_ours.claims.len()), (false, 1));
    assert_eq!((of_theirs.gone, of_theirs.claims.len(), of_theirs.settled), (true, 0, None));
    let act = Intervention {
        task: theirs.id,
        act: Act::Task { command: TaskCommand::Cancel { force: false }, expected: None },
        actor: "somebody".into(),
        reason: None,
        now: NOW,
    };
    let refused = fixture.storage.intervene(act).await.unwrap_err();
    assert!(matches!(refused, StorageError::UnknownTask(id) if id == theirs.id), "{refused:?}");
    let rows = fixture.number("SELECT count(*) FROM tasker_workflow_step_transitions").await;
    assert_eq!(rows, 1, "of our step alone");
}

#[tokio::test]
async fn a_task_that_rails_deletes_takes_its_additive_rows_with_it() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    fixture.sql("DELETE FROM tasker_workflow_steps; DELETE FROM tasker_tasks").await;
    assert_eq!(fixture.number("SELECT count(*) FROM tasker_task_definitions").await, 0);
    let progress = fixture.advance(wanting(task.id)).await;
    assert!(progress.gone);
    assert_eq!(
        fixture.number("SELECT count(*) FROM tasker_wakes").await,
        0,
        "the answered wake is gone, too"
    );
}

#[tokio::test]
async fn a_draft_is_neither_run_nor_woken() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    fixture
        .sql(format!(
            "INSERT INTO tasker_task_transitions (to_state, task_id, metadata, sort_key, created_at, updated_at)
             VALUES ('pending', {}, '{{\"phase\": \"draft\"}}', 10, now(), now())",
            task.id
        ))
        .await;
    let progress = fixture.want(&task).await;
    assert_eq!((progress.claims, progress.settled, progress.next_wake), (vec![], None, None));
    assert_eq!(fixture.load(&task).await.wake, None);
    assert_eq!(fixture.storage.sweep(NOW, None, 10).await.unwrap().woken, 0);
}

#[tokio::test]
async fn what_rails_left_below_a_cancelled_step_is_cancelled() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b -> c, d").await;
    fixture
        .sql(format!(
            "INSERT INTO tasker_workflow_step_transitions
                 (to_state, workflow_step_id, metadata, sort_key, created_at, updated_at)
             VALUES ('cancelled', {}, '{{}}', 10, now(), now())",
            task.step("a")
        ))
        .await;
    let progress = fixture.want(&task).await;
    let claims = progress.claims;
    assert_eq!(claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), [task.step("d")]);
    let record = fixture.load(&task).await;
    for (name, told) in ["b", "c"].into_iter().zip(&progress.cancelled) {
        let step = named(&record, name);
        let (from, to, by) = (StepState::Pending, StepState::Cancelled, step.current.transition.unwrap());
        assert_eq!(*told, StepMoved { step: step.id, from, to, by });
        assert_eq!(step.current.state, StepState::Cancelled);
        assert_eq!(
            step.current.metadata,
            json!({ "triggered_by": "parent_cancelled", "reason": "step_cancelled" })
        );
    }
    let progress = fixture.advance(bringing([completed(&task, &claims[0])])).await;
    assert_eq!(progress.settled.map(|settled| settled.state), Some(TaskState::Complete));
    let settled = fixture.load(&task).await.current.metadata;
    assert_eq!(settled, json!({ "cancelled_steps": 3 }));
}

#[tokio::test]
async fn a_pending_step_without_attempts_left_is_blocked() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    fixture.sql("UPDATE tasker_workflow_steps SET attempts = 3").await;
    let progress = fixture.want(&task).await;
    assert_eq!(progress.settled.map(|settled| settled.state), Some(TaskState::Error));
    let record = fixture.load(&task).await;
    assert_eq!(record.current.metadata, json!({ "reason": "steps_in_error_state", "error_steps": ["a"] }));
}

#[tokio::test]
async fn a_claim_that_names_no_worker_is_left_alone() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a, b").await;
    fixture
        .sql(format!(
            "INSERT INTO tasker_workflow_step_transitions
                 (to_state, workflow_step_id, metadata, sort_key, created_at, updated_at)
             VALUES ('in_progress', {}, '{{}}', 10, '2020-01-01', now())",
            task.step("a")
        ))
        .await;
    let claims = fixture.want(&task).await.claims;
    assert_eq!(claims.len(), 1);
    let rescue = Rescue { lost_before: later(100), limit: 10, now: later(100) };
    let rescued = fixture.storage.rescue(rescue).await.unwrap();
    assert_eq!(rescued.iter().map(|rescued| rescued.step).collect::<Vec<_>>(), [task.step("b")]);
}

#[tokio::test]
async fn an_odd_moment_in_a_row_fails_no_call() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    let claim = fixture.want(&task).await.claims.remove(0);
    let until = Timestamp::from_micros(i64::MAX);
    fixture.advance(bringing([ended(&task, &claim, OutcomeKind::Snooze { until })])).await;
    for odd in ["soon", "0000-01-01T00:00:00Z", "2026-01-01", ""] {
        fixture
            .sql(format!(
                "UPDATE tasker_workflow_step_transitions SET metadata = '{{\"backoff_until\": \"{odd}\"}}' WHERE most_recent"
            ))
            .await;
        fixture.storage.advance(wanting(task.id)).await.unwrap();
        fixture.sql("UPDATE tasker_workflow_steps SET in_process = false").await;
    }
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| json!([inner]))
}

#[tokio::test]
async fn what_is_as_deep_as_allowed_comes_back() {
    let fixture = Fixture::new().await;
    let deepest = Limits::default().depth;
    let definition = bound("a -> b");
    fixture.storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    let mut new = new_task(&definition, "deep");
    new.request.context = json!({ "in": nested(deepest - 1) }).into();
    let created = fixture.storage.create(vec![new], NOW).await.unwrap();
    let tasker_engine::Creation::Created { task: id, steps, .. } = created[0].clone() else {
        panic!("{created:?}")
    };
    let task = Started { id, steps, definition };
    let claim = fixture.want(&task).await.claims.remove(0);
    fixture.advance(bringing([yielded(&task, &claim, nested(deepest))])).await;
    assert_eq!(*named(&fixture.load(&task).await, "a").results, nested(deepest));
    let other = PostgresStorage::from(fixture.pool().clone());
    let again = other.advance(bringing([completed(&task, &claim)])).await.unwrap();
    assert_eq!(again[0].claims[0].parents.len(), 1);
}

/// What the database refuses and we do not foresee: here by a constraint of the test's own.
#[tokio::test]
async fn one_outcome_that_the_database_refuses_fails_its_own_step_only() {
    let fixture = Fixture::new().await;
    let wide = (0..99).map(|number| format!("s{number}")).collect::<Vec<_>>().join(", ");
    let task = fixture.start(&wide).await;
    let claims = fixture.want(&task).await.claims;
    fixture
        .sql("ALTER TABLE tasker_workflow_steps ADD CONSTRAINT none_is_odd CHECK (NOT results ? 'odd')")
        .await;
    let outcomes = claims.iter().enumerate().map(|(place, claim)| match place {
        17 | 60 => yielded(&task, claim, json!({ "odd": true })),
        _ => completed(&task, claim),
    });
    let progress = fixture.advance(bringing(outcomes)).await;
    for (place, recorded) in progress.recorded.iter().enumerate() {
        match (&recorded.how, place) {
            (Recording::NotRecordable(_, ErrorReport { class, message, .. }), 17 | 60) => {
                assert_eq!(class, NOT_RECORDABLE);
                assert!(message.contains("none_is_odd"), "{message}");
            }
            (Recording::Recorded(_), _) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(progress.settled.map(|settled| settled.state), Some(TaskState::Error));
}

#[tokio::test]
async fn a_call_that_is_refused_for_no_outcome_changes_nothing() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let claim = fixture.want(&task).await.claims.remove(0);
    let before = fixture.load(&task).await;
    fixture
        .sql("ALTER TABLE tasker_workflow_steps ADD CONSTRAINT nothing CHECK (NOT in_process) NOT VALID")
        .await;
    let error = fixture.storage.advance(bringing([completed(&task, &claim)])).await.unwrap_err();
    assert!(matches!(error, StorageError::Refused(_)), "{error:?}");
    assert_eq!(fixture.load(&task).await, before);
}

#[tokio::test]
async fn a_spawned_step_takes_its_number_from_a_name_that_is_shared() {
    let fixture = Fixture::new().await;
    for _ in 0..2 {
        let task = fixture.start("a").await;
        let claim = fixture.want(&task).await.claims.remove(0);
        let mut outcome = completed(&task, &claim);
        let step = |name: &str| SpawnedStep {
            name: name.into(),
            handler: "fetch".into(),
            config: Value::Null.into(),
            retry_limit: 1,
            retryable: true,
            after: vec![],
            before: vec![],
        };
        outcome.spawned = vec![step("fetch_2"), step("fetch_1")];
        assert_eq!(fixture.advance(bringing([outcome])).await.claims.len(), 2);
        assert_eq!(*named(&fixture.load(&task).await, "fetch_1").binding.config, Value::Null);
    }
    assert_eq!(fixture.number("SELECT count(*) FROM tasker_named_steps WHERE name LIKE 'fetch%'").await, 2);
}

#[tokio::test]
async fn learning_and_creating_again_use_up_no_numbers_of_names() {
    let fixture = Fixture::new().await;
    let before = {
        fixture.start("a -> b").await;
        fixture.number("SELECT last_value FROM tasker_named_steps_named_step_id_seq").await
    };
    for _ in 0..3 {
        fixture.start("a -> b").await;
    }
    assert_eq!(fixture.number("SELECT last_value FROM tasker_named_steps_named_step_id_seq").await, before);
}

#[tokio::test]
async fn a_definition_with_a_bad_configuration_is_refused_with_its_field() {
    let fixture = Fixture::new().await;
    let mut bad = template("a");
    bad.step_templates[0].handler_config = json!({ "text": "\0" });
    let error = fixture.storage.learn(&[bind(bad)], NOW).await.unwrap_err();
    assert!(matches!(error, StorageError::Payload { field: "handler_config", .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_that_is_cut_is_transient_and_the_next_call_goes_through() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    fixture.want(&task).await;
    let mut other = sqlx::PgConnection::connect_with(&fixture.options()).await.unwrap();
    sqlx::query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                 WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    .execute(&mut other)
    .await
    .unwrap();
    let mut failed = 0;
    while let Err(error) = fixture.storage.advance(wanting(task.id)).await {
        assert!(error.is_transient(), "{error:?}");
        failed += 1;
        assert!(failed < 20, "the pool makes new connections");
    }
}

#[tokio::test]
async fn a_beat_that_came_late_does_not_make_its_worker_look_dead() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    fixture.want(&task).await;
    let beat = |now| Beat { worker: WORKER, label: "it".into(), held: vec![], hand_back_before: NOW, now };
    for now in [later(50), later(10)] {
        assert_eq!(fixture.storage.beat(beat(now)).await.unwrap(), []);
    }
    let rescue = Rescue { lost_before: later(50), limit: 10, now: later(60) };
    assert_eq!(fixture.storage.rescue(rescue).await.unwrap(), []);
    let rescue = Rescue { lost_before: later(51), ..rescue };
    let rescued = fixture.storage.rescue(rescue).await.unwrap();
    assert_eq!(rescued.len(), 1);
    let late =
        Claim { token: rescued[0].token, step: rescued[0].step, attempt: 1, retries: false, parents: vec![] };
    let late = fixture.advance(bringing([completed(&task, &late)])).await;
    assert_eq!(late.recorded[0].how, Recording::Stale);
    let record = fixture.load(&task).await;
    let step = named(&record, "a");
    assert_eq!(step.results["error_class"], "WorkerLost");
    assert_eq!(record.wake.map(|(due, _)| due), Some(later(60)), "woken by the rescue");
}

#[tokio::test]
async fn a_claim_that_its_worker_does_not_know_of_is_handed_back() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a, b, c").await;
    let claims = fixture.want(&task).await.claims;
    let other = WorkerId::numbered(2);
    let beat = |worker, hand_back_before| Beat {
        worker,
        label: "it".into(),
        held: vec![claims[1].token],
        hand_back_before,
        now: later(9),
    };
    assert_eq!(fixture.storage.beat(beat(WORKER, NOW)).await.unwrap(), [], "none is that old");
    assert_eq!(fixture.storage.beat(beat(other, later(1))).await.unwrap(), [], "they are not its own");
    let handed_back = fixture.storage.beat(beat(WORKER, later(1))).await.unwrap();
    assert!(handed_back.iter().map(|one| one.token).eq([claims[0].token, claims[2].token]));
    let record = fixture.load(&task).await;
    let states: Vec<_> = record.steps.iter().map(|step| (step.current.state, step.attempts)).collect();
    assert_eq!(states, [(StepState::Pending, 0), (StepState::InProgress, 1), (StepState::Pending, 0)]);
    assert_eq!(record.wake.map(|(due, _)| due), Some(later(9)));
}

#[tokio::test]
async fn a_wait_is_stored_in_whole_seconds_and_governs_to_the_microsecond() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    let claim = fixture.want(&task).await.claims.remove(0);
    let error = ErrorReport { class: "Busy".into(), message: "later".into(), code: Some("503".into()) };
    let wait = Duration::from_micros(1_000_001);
    let retry = RetryAdvice::After(wait);
    let progress =
        fixture.advance(bringing([ended(&task, &claim, OutcomeKind::Failed { error, retry })])).await;
    assert_eq!(progress.next_wake, Some(NOW + wait));
    let record = fixture.load(&task).await;
    let step = named(&record, "a");
    assert_eq!(step.backoff_request_seconds, Some(2));
    assert_eq!(step.current.metadata["backoff_until"], json!(NOW + wait));
    assert_eq!(
        (&step.current.metadata["retryable"], &step.current.metadata["retry_available"]),
        (&json!(true), &json!(true))
    );
}
