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
