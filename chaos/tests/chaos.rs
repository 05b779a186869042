//! Runs the program as a user would: chaos loses nothing, and what is broken on purpose is found.

use std::process::{Command, Output};

/// What a run printed, and how it ended.
struct Run {
    code: Option<i32>,
    said: String,
}

impl Run {
    /// The number after `name: ` at the beginning of a line.
    fn number(&self, name: &str) -> u64 {
        let mut lines = self.said.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        let number = lines.next().and_then(|number| number.parse().ok());
        number.unwrap_or_else(|| panic!("no line `{name}: …` in\n{}", self.said))
    }
}

fn run(arguments: &str) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_chaos")).args(arguments.split(' ')).output().unwrap();
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code(), said: text(stdout) + &text(stderr) }
}

#[test]
fn half_a_minute_of_chaos_loses_and_doubles_nothing() {
    let run = run("--seconds 30 --workers 3");
    assert_eq!(run.code, Some(0), "{}", run.said);
    for none in ["lost", "doubled", "attempts_over_limit", "wrong"] {
        assert_eq!(run.number(none), 0, "{none} in\n{}", run.said);
    }
    for some in ["tasks", "kills", "freezes", "dropped_connections", "lost_replies", "restarts", "rescued"] {
        assert!(run.number(some) > 0, "no {some} in\n{}", run.said);
    }
}

/// A fault, for how long it is let be, and what the judge is to say.
const FAULTS: [(&str, &str, &str); 4] = [
    ("no-fence", "--seconds 15 --calm 6", "doubled"),
    ("no-rescue", "--seconds 5 --calm 6", "lost"),
    ("forget-attempt", "--seconds 3 --calm 3", "doubled"),
    ("lose-wakes", "--seconds 3 --calm 5", "lost"),
];

/// A machine that is busy with other things gets so little done in a run that the fault may hit nothing.
const TRIES: usize = 6;

/// Side by side, because they mostly wait.
#[test]
fn what_is_broken_on_purpose_is_found() {
    std::thread::scope(|scope| {
        for (sabotage, length, what) in FAULTS {
            let arguments = format!("{length} --workers 3 --sabotage {sabotage}");
            scope.spawn(move || {
                let mut runs = std::iter::repeat_with(|| run(&arguments)).take(TRIES);
                let found = runs.any(|run| run.code == Some(1) && run.number(what) > 0);
                assert!(found, "{what} was not found in {TRIES} runs with {sabotage}");
            });
        }
    });
}

#[test]
fn a_kept_run_says_where_it_is() {
    let run = run("--seconds 1 --workers 1 --keep");
    assert_eq!(run.code, Some(0), "{}", run.said);
    let place = |name: &str| {
        let line = run.said.lines().find_map(|line| line.strip_prefix(name)).expect(name);
        std::path::PathBuf::from(line.split(' ').next().unwrap())
    };
    let (database, ledgers) = (place("database: "), place("ledgers: "));
    assert!(database.join("PG_VERSION").exists() && ledgers.join("w0.0.jsonl").exists(), "{}", run.said);
    std::fs::remove_dir_all(database.parent().unwrap()).unwrap();
    std::fs::remove_dir_all(ledgers).unwrap();
}
