//! `configuration`: what layers come to, where each value comes from, and every mistake.

use crate::tools::{ROOT, Run, run};

fn data(name: &str) -> String {
    format!("{ROOT}/examples/data/{name}")
}

/// The value of a setting and where it comes from, without the directory.
fn setting<'a>(run: &'a Run, path: &str) -> (&'a str, &'a str) {
    let mut found = run.stdout.lines().filter_map(|line| line.strip_prefix(path)?.strip_prefix(" = "));
    let (value, origin) = found.next().and_then(|rest| rest.rsplit_once("  # ")).unwrap();
    (value.trim_end(), origin.rsplit('/').next().unwrap())
}

#[test]
fn each_value_is_printed_with_its_origin_and_secrets_are_masked() {
    let file = data("tasker.toml");
    let arguments = [&*file, "--environment", "production", "--set", "backoff.max_backoff_seconds=90"];
    let run = run("configuration", &arguments);
    assert_eq!((run.code, &*run.stderr), (0, ""), "{run:?}");
    for (path, value, origin) in [
        ("engine.identity_strategy", "\"hash\"", "tasker.toml:3:21 (file)"),
        ("execution.step_timeout_seconds", "600", "tasker.production.toml:5:24 (environment file)"),
        ("backoff.max_backoff_seconds", "90", "code"),
        ("backoff.reenqueue_delays.waiting_for_dependencies", "20", "tasker.toml:11:49 (file)"),
        ("backoff.reenqueue_delays.processing", "10", "default"),
        ("database.url", "\"[FILTERED]\"", "tasker.production.toml:2:7 (environment file)"),
    ] {
        assert_eq!(setting(&run, path), (value, origin), "{path}");
    }
    assert!(!run.stdout.contains("a-password"), "{run:?}");
    let warnings = run.stdout.lines().filter(|line| line.starts_with("warning: "));
    let warnings: Vec<_> = warnings.map(|line| line.rsplit('/').next().unwrap()).collect();
    let inert =
        "tasker.production.toml:7:24 (environment file): execution.min_concurrent_steps: has no effect";
    assert_eq!(warnings, [inert]);
}

#[test]
fn what_nobody_has_set_can_be_left_out() {
    let run = run("configuration", &["--changed", "--set", "cache.default_ttl=9"]);
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    assert_eq!(setting(&run, "cache.default_ttl"), ("9", "code"));
}

#[test]
fn ten_mistakes_are_ten_lines() {
    let run = run("configuration", &[&data("bad/tasker.toml")]);
    assert_eq!((run.code, &*run.stdout), (2, ""), "{run:?}");
    assert_eq!(run.stderr.lines().filter(|line| line.contains("bad/tasker.toml:")).count(), 10, "{run:?}");
}
