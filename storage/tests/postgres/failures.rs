//! What goes wrong between us and the database, or there: what a caller is told, and that the same call may be made
//! again.

use std::error::Error;
use std::time::Duration;

use serde_json::json;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use sqlx::{Connection as _, Executor as _};
use tasker_engine::{
    Act, Advance, Creation, Detail, Intervened, Intervention, Recording, Storage as _, StorageError,
    TaskCommand, TaskState,
};
use tasker_storage::postgres::{DatabaseRefusal, PostgresStorage};

use crate::barrier::{Barrier, until_waiting};
use crate::fixture::{Fixture, NOW, Started, bound, bringing, completed, named, new_task, wanting};
use crate::wire::Wire;

/// Everything that an error says, and what it was made from.
fn words(error: &StorageError) -> String {
    let causes = std::iter::successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

/// What the database said.
fn refusal(error: &StorageError) -> &DatabaseRefusal {
    let source = error.source().unwrap_or_else(|| panic!("{error:?}"));
    source.downcast_ref().unwrap_or_else(|| panic!("{error:?}"))
}

/// Starts a call, ends its session while it waits for a lock that somebody holds, and answers what it came to.
async fn cut_off<T: Send + std::fmt::Debug + 'static>(
    fixture: &Fixture,
    call: impl Future<Output = Result<T, StorageError>> + Send + 'static,
) -> StorageError {
    let call = tokio::spawn(call);
    let end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while fixture.number(end).await == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    call.await.unwrap().unwrap_err()
}

/// A transaction of another program.
async fn other(fixture: &Fixture, statement: &'static str) -> PgConnection {
    let mut connection = PgConnection::connect_with(&fixture.options()).await.unwrap();
    connection.execute("BEGIN").await.unwrap();
    connection.execute(statement).await.unwrap();
    connection
}

#[tokio::test]
async fn an_advance_that_is_cut_off_has_done_nothing_and_is_made_again() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let claim = fixture.want(&task).await.claims.remove(0);
    let before = fixture.load(&task).await;
    let call = bringing([completed(&task, &claim)]);

    let barrier = Barrier::before(&fixture, &task).await;
    let storage = fixture.storage.clone();
    let error = cut_off(&fixture, {
        let call = call.clone();
        async move { storage.advance(call).await }
    })
    .await;
    assert!(error.is_transient(), "{error:?}");
    barrier.lift().await;
    assert_eq!(fixture.load(&task).await, before);

    let progress = fixture.advance(call).await;
    assert!(matches!(progress.recorded[0].how, Recording::Recorded(_)), "{progress:?}");
    assert_eq!(progress.claims.len(), 1);
}

#[tokio::test]
async fn an_act_that_is_cut_off_has_done_nothing_and_is_made_again() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let cancel = Act::Task { command: TaskCommand::Cancel { force: false }, expected: None };
    let act = Intervention { task: task.id, act: cancel, actor: "alice".into(), reason: None, now: NOW };

    let barrier = Barrier::before(&fixture, &task).await;
    let storage = fixture.storage.clone();
    let error = cut_off(&fixture, {
        let act = act.clone();
        async move { storage.intervene(act).await }
    })
    .await;
    assert!(error.is_transient(), "{error:?}");
    barrier.lift().await;
    assert_eq!(fixture.load(&task).await.current.state, TaskState::Pending);

    let moved = fixture.storage.intervene(act).await.unwrap();
    assert!(matches!(moved, Intervened::Moved { task: TaskState::Cancelled, .. }), "{moved:?}");
}

#[tokio::test]
async fn a_creation_that_is_cut_off_has_created_nothing_and_is_made_again() {
    let fixture = Fixture::new().await;
    let definition = bound("a -> b");
    fixture.storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    let tasks = vec![new_task(&definition, "one"), new_task(&definition, "two")];
    // Another program is about to write one of them, so the call waits for it to make up its mind.
    let mut other = other(
        &fixture,
        "INSERT INTO tasker_tasks (named_task_id, requested_at, identity_hash, created_at, updated_at)
        SELECT named_task_id, now(), 'two', now(), now() FROM tasker_named_tasks LIMIT 1",
    )
    .await;
    let storage = fixture.storage.clone();
    let error = cut_off(&fixture, {
        let tasks = tasks.clone();
        async move { storage.create(tasks, NOW).await }
    })
    .await;
    assert!(error.is_transient(), "{error:?}");
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!(fixture.number("SELECT count(*) FROM tasker_tasks").await, 0);

    let created = fixture.storage.create(tasks, NOW).await.unwrap();
    assert!(created.iter().all(|created| matches!(created, Creation::Created { .. })), "{created:?}");
}

/// A storage whose next reply is lost on its way.
async fn losing_a_reply(fixture: &Fixture) -> (PostgresStorage, Wire) {
    let wire = Wire::to(fixture.options().get_socket().expect("a socket").clone()).await;
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .test_before_acquire(false)
        .connect_with(wire.options(&fixture.options()))
        .await;
    (PostgresStorage::from(pool.unwrap()), wire)
}

/// The pool tries a connection that comes back to it, and it is not that reply which is to be lost.
async fn lose_the_next_reply(storage: &PostgresStorage, wire: &Wire) {
    while storage.pool().num_idle() == 0 {
        tokio::task::yield_now().await;
    }
    wire.lose_the_next_reply();
}

#[tokio::test]
async fn an_advance_whose_reply_is_lost_is_made_again_and_records_nothing_twice() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a -> b").await;
    let (storage, wire) = losing_a_reply(&fixture).await;
    let claim = storage.advance(wanting(task.id)).await.unwrap()[0].claims[0].clone();
    let call = bringing([completed(&task, &claim)]);

    lose_the_next_reply(&storage, &wire).await;
    let error = storage.advance(call.clone()).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(named(&fixture.load(&task).await, "a").history.len(), 2, "it was committed");

    let again = storage.advance(call).await.unwrap().remove(0);
    assert_eq!(again.recorded[0].how, Recording::AlreadyRecorded);
    assert_eq!(again.claims[0].step, task.step("b"), "the claim that the lost reply told of");
    let after = fixture.load(&task).await;
    assert_eq!((named(&after, "a").history.len(), named(&after, "b").history.len()), (2, 1));
}

#[tokio::test]
async fn a_creation_whose_reply_is_lost_is_made_again_and_creates_nothing_twice() {
    let fixture = Fixture::new().await;
    let definition = bound("a -> b");
    let (storage, wire) = losing_a_reply(&fixture).await;
    storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    storage.create(vec![new_task(&definition, "before")], NOW).await.unwrap();

    lose_the_next_reply(&storage, &wire).await;
    let error = storage.create(vec![new_task(&definition, "one")], NOW).await.unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    let again = storage.create(vec![new_task(&definition, "one")], NOW).await.unwrap();
    assert!(matches!(again[..], [Creation::Duplicate { .. }]), "{again:?}");
    assert_eq!(fixture.number("SELECT count(*) FROM tasker_workflow_steps").await, 4);
}

/// As Rails moves a step: it knows nothing of the task's lock.
#[tokio::test]
async fn a_row_that_another_program_wrote_at_that_moment_is_seen_when_the_call_is_made_again() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a, b").await;
    let mut rails = other(
        &fixture,
        "INSERT INTO tasker_workflow_step_transitions
            (to_state, from_state, sort_key, most_recent, workflow_step_id, created_at, updated_at)
        SELECT 'resolved_manually', 'pending', 10, true, min(workflow_step_id), now(), now()
        FROM tasker_workflow_steps",
    )
    .await;
    let call = tokio::spawn({
        let (storage, task) = (fixture.storage.clone(), task.id);
        async move { storage.advance(wanting(task)).await }
    });
    until_waiting(&fixture, 1).await;
    rails.execute("COMMIT").await.unwrap();
    let error = call.await.unwrap().unwrap_err();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(refusal(&error).constraint(), Some("idx_on_workflow_step_id_most_recent_97d5374ad6"));
    assert!(words(&error).contains("another program"), "{}", words(&error));

    let claims = fixture.want(&task).await.claims;
    assert_eq!(claims.iter().map(|claim| claim.step).collect::<Vec<_>>(), [task.step("b")]);
}

#[tokio::test]
async fn two_who_wait_for_each_other_are_told_that_it_may_pass() {
    let fixture = Fixture::new().await;
    let (first, second) = (fixture.start("a").await, fixture.start("a").await);
    // It gives up long before the other one would.
    let options = fixture.options().options([("deadlock_timeout", "1s")]);
    let storage = PostgresStorage::from(PgPool::connect_with(options).await.unwrap());
    let mut other = PgConnection::connect_with(&fixture.options()).await.unwrap();
    other.execute("SET deadlock_timeout = '20s'").await.unwrap();
    other.execute("BEGIN").await.unwrap();
    lock(&mut other, &second).await;
    // The call takes the first task as soon as it may, with the other one behind it; then it waits for the second.
    let call = Advance { wanted: vec![first.id, second.id], ..bringing([]) };
    let mut barrier = Barrier::before(&fixture, &first).await;
    let call = barrier.then(async move { storage.advance(call).await }).await;
    let other = barrier.then(async move { lock(&mut other, &first).await }).await;
    barrier.lift().await;
    let error = call.await.unwrap().unwrap_err();
    other.await.unwrap();
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(refusal(&error).code(), "40P01");
}

async fn lock(connection: &mut PgConnection, task: &Started) {
    sqlx::query("SELECT FROM tasker_tasks WHERE task_id = $1 FOR NO KEY UPDATE")
        .bind(task.id.0)
        .execute(connection)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_statement_that_takes_too_long_may_pass() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    for (setting, code) in [("statement_timeout", "57014"), ("lock_timeout", "55P03")] {
        let options = fixture.options().options([(setting, "20ms")]);
        let storage = PostgresStorage::from(PgPool::connect_with(options).await.unwrap());
        let barrier = Barrier::before(&fixture, &task).await;
        let error = storage.advance(wanting(task.id)).await.unwrap_err();
        barrier.lift().await;
        assert!(error.is_transient(), "{error:?}");
        assert_eq!(refusal(&error).code(), code);
    }
    assert_eq!(fixture.want(&task).await.claims.len(), 1);
}

#[tokio::test]
async fn an_isolation_at_which_tasks_are_not_moved_is_refused_with_what_to_do() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    for isolation in ["repeatable read", "serializable"] {
        let options = fixture.options().options([("default_transaction_isolation", isolation)]);
        let storage = PostgresStorage::from(PgPool::connect_with(options).await.unwrap());
        let error = storage.advance(wanting(task.id)).await.unwrap_err();
        assert!(matches!(error, StorageError::Refused(_)), "{error:?}");
        assert!(words(&error).contains("`default_transaction_isolation`"), "{}", words(&error));
        // Calls that say themselves at which isolation they work do so.
        storage.load(&[task.id], Detail::Audit).await.unwrap();
        let cancel = Act::Task { command: TaskCommand::Pause, expected: None };
        let act = Intervention { task: task.id, act: cancel, actor: "alice".into(), reason: None, now: NOW };
        storage.intervene(act).await.unwrap();
    }
}

#[tokio::test]
async fn a_schema_that_is_not_found_is_refused_with_what_to_do() {
    let fixture = Fixture::new().await;
    let options = fixture.options().options([("search_path", "elsewhere")]);
    let storage = PostgresStorage::from(PgPool::connect_with(options).await.unwrap());
    let error = storage.due(NOW, 1).await.unwrap_err();
    assert!(matches!(error, StorageError::Refused(_)), "{error:?}");
    for word in ["`migrate`", "`search_path`"] {
        assert!(words(&error).contains(word), "{}", words(&error));
    }
}

/// A role of the test's own: roles belong to the server, which other tests share.
fn role(fixture: &Fixture) -> String {
    format!("guest_of_{}", fixture.options().get_database().expect("a name"))
}

#[tokio::test]
async fn a_server_that_takes_no_more_connections_may_take_one_later() {
    let fixture = Fixture::new().await;
    let role = role(&fixture);
    fixture.sql(format!("CREATE ROLE {role} LOGIN CONNECTION LIMIT 0")).await;
    let url = fixture.url();
    let (_, place) = url.split_once('@').expect("a user");
    let url = format!("postgres://{role}@{place}");
    let error = PostgresStorage::connect(&url).await.unwrap_err();
    fixture.sql(format!("DROP ROLE {role}")).await;
    assert!(error.is_transient(), "{error:?}");
    assert_eq!(refusal(&error).code(), "53300");
}

#[tokio::test]
async fn a_user_without_rights_is_refused_with_what_to_do() {
    let fixture = Fixture::new().await;
    let task = fixture.start("a").await;
    let role = role(&fixture);
    fixture.sql(format!("CREATE ROLE {role} LOGIN")).await;
    let pool = PgPool::connect_with(fixture.options().username(&role)).await.unwrap();
    let error = PostgresStorage::from(pool.clone()).advance(wanting(task.id)).await.unwrap_err();
    pool.close().await;
    fixture.sql(format!("DROP ROLE {role}")).await;
    assert!(matches!(error, StorageError::Refused(_)), "{error:?}");
    assert!(words(&error).contains("the right to use the schema"), "{}", words(&error));
}

#[tokio::test]
async fn what_users_store_is_not_told_by_an_error() {
    let fixture = Fixture::new().await;
    let definition = bound("a");
    fixture.storage.learn(std::slice::from_ref(&definition), NOW).await.unwrap();
    fixture.sql("ALTER TABLE tasker_tasks ADD CONSTRAINT none_may CHECK (context ? 'may')").await;
    let mut task = new_task(&definition, "one");
    task.request.context = json!({ "password": "open sesame" }).into();
    let error = fixture.storage.create(vec![task], NOW).await.unwrap_err();
    assert!(matches!(error, StorageError::Refused(_)), "{error:?}");
    assert_eq!(refusal(&error).constraint(), Some("none_may"));
    let everything = format!("{} {error:?}", words(&error));
    for word in ["sesame", "INSERT", "SELECT", "tasker_create("] {
        assert!(!everything.contains(word), "{everything}");
    }
}
