//! The examples on a database: they come to the same as in memory, and outlive a process that is killed.

use std::collections::HashMap;
use std::fs;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use tasker::postgres::PostgresStorage;
use tasker::postgres::cluster::TestDatabase;
use tasker::{Detail, StepState, Storage as _, TaskId, TaskRecord, TaskState};
use tokio::runtime::Runtime;

use crate::tools::{path, program, run};
use crate::wfformat::bread;

fn database() -> TestDatabase {
    Runtime::new().unwrap().block_on(TestDatabase::migrated()).unwrap()
}

/// The only task that is kept there.
fn task(database: &TestDatabase) -> TaskRecord {
    let loading = async {
        let storage = PostgresStorage::connect(&database.url()).await.unwrap();
        let ids: Vec<_> = (1..100).map(TaskId).collect();
        storage.load(&ids, Detail::Audit).await.unwrap()
    };
    let mut tasks = Runtime::new().unwrap().block_on(loading);
    assert_eq!(tasks.len(), 1);
    tasks.remove(0)
}

#[test]
fn a_replay_on_a_database_takes_exactly_as_long_as_in_memory() {
    let database = database();
    let (memory, kept) =
        (run("wfformat", &[&bread()]), run("wfformat", &["--database", &database.url(), &bread()]));
    assert_eq!((kept.code, &*kept.stderr), (0, ""));
    assert_eq!(kept.stdout, memory.stdout);
    assert_eq!(task(&database).current.state, TaskState::Complete);
}

#[test]
fn what_was_built_is_not_built_again() {
    let (database, journal) = (database(), journal("built"));
    let arguments = ["--database", &database.url(), "--journal", &journal];
    let first = run("build_order", &arguments);
    assert_eq!((first.code, first.value("order")), (0, "verified"), "{first:?}");
    let packages = begun(&journal);
    assert_eq!(packages.len(), first.number("packages"));
    let second = run("build_order", &arguments);
    assert_eq!(second.stdout, first.stdout, "it tells of the same build");
    assert_eq!(begun(&journal), packages);
}

#[test]
fn a_build_whose_process_is_killed_is_finished_by_another() {
    let (database, journal) = (database(), journal("killed"));
    let arguments = ["--database", &database.url(), "--lost-after", "3", "--journal", &journal];
    let mut killed = Command::new(program("build_order"));
    let mut killed = killed.args(arguments).stdout(Stdio::null()).spawn().unwrap();
    // The first level is a good part of it, and a dozen others follow.
    while begun(&journal).values().sum::<u32>() < 30 {
        assert_eq!(killed.try_wait().unwrap(), None, "it is built before it can be killed");
        thread::sleep(Duration::from_millis(1));
    }
    // As `kill -9`.
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = task(&database);
    let in_state = |state| before.steps.iter().filter(|step| step.current.state == state).count();
    assert!(in_state(StepState::InProgress) > 0, "some were under way");
    assert_eq!(before.current.state, TaskState::InProgress);

    let run = run("build_order", &arguments);
    assert_eq!((run.code, run.value("order")), (0, "verified"), "{run:?}");
    let after = task(&database);
    assert_eq!(after.current.state, TaskState::Complete);
    let begun = begun(&journal);
    for step in &after.steps {
        assert_eq!(step.current.state, StepState::Complete, "{}", step.name);
        let claims = step.history.iter().filter(|row| row.to == StepState::InProgress).count();
        assert_eq!(
            u32::try_from(claims).unwrap(),
            step.attempts,
            "each claim of {} is an attempt",
            step.name
        );
        let ran = begun.get(&*step.name).copied().unwrap_or_default();
        assert!(
            (1..=step.attempts).contains(&ran),
            "{} ran {ran} times in {} attempts",
            step.name,
            step.attempts
        );
    }
    assert!(after.steps.iter().any(|step| step.attempts > 1), "what was under way was begun again");
}

/// A database, spoilt by these statements.
fn spoilt(database: TestDatabase, statements: &str) -> TestDatabase {
    let psql = Command::new("psql").args([&database.url(), "-qXc", statements]).output().unwrap();
    assert!(psql.status.success(), "{psql:?}");
    database
}

/// Each example with what it needs to come as far as its database.
fn every_example() -> [(&'static str, Option<String>); 4] {
    [("build_order", None), ("checkout", None), ("wfformat", Some(bread())), ("worker", None)]
}

fn is_told_by_every_example(url: &str, says: &[&str]) {
    for (name, input) in every_example() {
        let run = run(name, &["--database", url].into_iter().chain(input.as_deref()).collect::<Vec<_>>());
        assert_eq!((run.code, &*run.stdout), (1, ""), "{name}: {run:?}");
        says.iter().for_each(|says| assert!(run.stderr.contains(says), "{name}: `{says}` in {run:?}"));
    }
}

#[test]
fn a_database_that_cannot_be_used_is_told_before_any_work_with_what_to_do() {
    let empty = || Runtime::new().unwrap().block_on(TestDatabase::empty()).unwrap();
    is_told_by_every_example(
        "postgres://nobody@127.0.0.1:1/nothing",
        &["no PostgreSQL server answers at 127.0.0.1:1", "is it running"],
    );
    is_told_by_every_example("postgres://a:secret@host:port/x", &["the URL of the database is not one"]);

    let newer = "INSERT INTO tasker_migrations (name, number, checksum) VALUES ('0999_later', 999, '')";
    let newer = spoilt(database(), newer);
    is_told_by_every_example(&newer.url(), &["0999_later", "use the version that made it, or a later one"]);

    let other = spoilt(empty(), "CREATE TABLE tasker_tasks (task_id bigint PRIMARY KEY)");
    is_told_by_every_example(&other.url(), &["differ from those this program knows", "migrate again"]);

    let guest = empty();
    let url = guest.url();
    let (_, place) = url.split_once('@').expect("a user");
    let role = format!("guest_{}", std::process::id());
    let guest =
        spoilt(guest, &format!("CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"));
    is_told_by_every_example(
        &format!("postgres://{role}@{place}"),
        &[&format!("GRANT CREATE ON SCHEMA public TO {role}")],
    );
    spoilt(guest, &format!("DROP ROLE {role}"));
}

/// A file that is not there yet.
fn journal(name: &str) -> String {
    let path = path(&format!("{name}.journal"));
    let _ = fs::remove_file(&path);
    path
}

/// How often each package was begun.
fn begun(journal: &str) -> HashMap<String, u32> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    let mut begun = HashMap::new();
    text.lines().for_each(|package| *begun.entry(package.to_owned()).or_default() += 1);
    begun
}
