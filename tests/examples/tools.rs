//! Runs the programs, and reads what they wrote.

use std::collections::HashMap;
use std::io::{Write, stderr};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;
use std::time::SystemTime;
use std::{env, fs};

/// Those that can be built with the features of this test.
const EXAMPLES: &[(&str, bool)] = &[
    ("build_order", true),
    ("checkout", true),
    ("configuration", cfg!(feature = "toml")),
    ("from_yaml", cfg!(feature = "yaml")),
    ("records", true),
    ("wfformat", true),
    ("worker", cfg!(feature = "postgres")),
];
pub(crate) const ROOT: &str = env!("CARGO_MANIFEST_DIR");

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// What stands after `key: ` at the beginning of a line.
    pub(crate) fn value(&self, key: &str) -> &str {
        let mut values = self.stdout.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        values.next().unwrap_or_else(|| panic!("no line `{key}: …` in {self:?}"))
    }

    pub(crate) fn number(&self, key: &str) -> usize {
        self.value(key).parse().unwrap()
    }

    pub(crate) fn is_refused_with(&self, says: &str) {
        assert_eq!((self.code, &*self.stdout), (2, ""), "{self:?}");
        assert!(self.stderr.contains(says), "`{says}` in {self:?}");
    }
}

pub(crate) fn run(example: &str, arguments: &[&str]) -> Run {
    let mut command = Command::new(program(example));
    // What tells the tests something is no setting of the program's.
    for (name, _) in env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("TASKER_")) {
        command.env_remove(name);
    }
    let output = command.args(arguments).output().unwrap();
    let Output { status, stdout, stderr } = output;
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Run { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}

/// A file that this test alone writes.
pub(crate) fn file(name: &str, text: &str) -> String {
    let path = path(name);
    fs::write(&path, text).unwrap();
    path
}

pub(crate) fn path(name: &str) -> String {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name).into_os_string().into_string().unwrap()
}

/// The built program of an example.
pub(crate) fn program(example: &str) -> PathBuf {
    static PROGRAMS: LazyLock<PathBuf> = LazyLock::new(built);
    PROGRAMS.join(example).with_extension(env::consts::EXE_EXTENSION)
}

/// Where the examples are built: beside the directory of this test. `cargo test` builds them too, unless it is told to
/// run this test alone, or to take examples for tests; then they are built here when they are older than their sources,
/// or know of no database though this test does.
fn built() -> PathBuf {
    let test = env::current_exe().unwrap();
    let profile = test.ancestors().nth(2).unwrap();
    let programs = profile.join("examples");
    let made = |example: &&str| {
        let program = programs.join(example).with_extension(env::consts::EXE_EXTENSION);
        fs::metadata(program).and_then(|file| file.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
    };
    let sources = ["examples", "src", "engine/src", "macros/src", "storage/src"]
        .map(|source| newest(&Path::new(ROOT).join(source)));
    let has_postgres = cfg!(feature = "postgres");
    let examples: Vec<_> = EXAMPLES.iter().filter(|(_, built)| *built).map(|(name, _)| *name).collect();
    let is_old = sources.into_iter().max() > examples.iter().map(made).min();
    if is_old || (has_postgres && !knows_databases(&programs)) {
        let name = profile.file_name().unwrap().to_str().unwrap();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--profile", if name == "debug" { "dev" } else { name }]);
        cargo.args(examples.iter().map(|example| format!("--example={example}")));
        cargo.args(has_postgres.then_some("--features=postgres"));
        cargo.args(cfg!(feature = "yaml").then_some("--features=yaml"));
        cargo.args(cfg!(feature = "toml").then_some("--features=toml"));
        // Not needed by any; but with another set of features all would be built once more.
        cargo.args(cfg!(feature = "conformance").then_some("--features=conformance"));
        let status =
            cargo.arg("--target-dir").arg(profile.parent().unwrap()).current_dir(ROOT).status().unwrap();
        assert!(status.success(), "the examples could not be built");
    }
    programs
}

/// Whether the examples were built with the feature `postgres`.
fn knows_databases(programs: &Path) -> bool {
    let refused = Command::new(programs.join("checkout")).args(["--database", "nowhere"]).output().unwrap();
    !String::from_utf8_lossy(&refused.stderr).contains("--features postgres")
}

/// When anything below was changed last.
fn newest(directory: &Path) -> SystemTime {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let changed = entries.map(|entry| match entry.file_type().unwrap().is_dir() {
        true => newest(&entry.path()),
        false => entry.metadata().unwrap().modified().unwrap(),
    });
    changed.max().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// Start and end of each step of an audit, in microseconds.
pub(crate) fn intervals(audit: &str) -> HashMap<String, (u64, u64)> {
    let mut reader = csv::Reader::from_path(audit).unwrap();
    let micros = |seconds: &str| {
        let (whole, fraction) = seconds.split_once('.').unwrap();
        assert_eq!(fraction.len(), 6, "{seconds}");
        format!("{whole}{fraction}").parse().unwrap()
    };
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| (row[0].to_owned(), (micros(&row[1]), micros(&row[2])))).collect()
}

/// A test that runs nothing has to say so, even where the output of tests that pass is kept back.
pub(crate) fn say(why: &str) {
    stderr().write_all(format!("{why}\n").as_bytes()).unwrap();
}
