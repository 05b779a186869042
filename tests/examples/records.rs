//! `records`: models, scopes and read models over tasks of all kinds.

use std::collections::BTreeMap;

use crate::tools::{Run, run};

/// How many rows each scope found.
fn rows(run: &Run) -> BTreeMap<&str, usize> {
    let lines: Vec<_> = run.stdout.lines().collect();
    let pairs = lines.windows(2).filter_map(|pair| Some((pair[0], pair[1].strip_prefix("    rows: ")?)));
    pairs.map(|(scope, rows)| (scope, rows.parse().unwrap())).collect()
}

#[test]
fn forty_tasks_of_ten_kinds_are_found_by_forty_one_scopes() {
    let run = run("records", &["--tasks", "40"]);
    assert_eq!((run.code, &*run.stderr), (0, ""), "{run:?}");
    assert_eq!((run.number("tasks"), run.number("scopes")), (40, 41));
    let rows = rows(&run);
    assert_eq!(rows.len(), 40, "one of them is no condition: {rows:?}");
    for (scope, many) in [
        ("Tasks::active()", 12),
        ("Tasks::by_current_state(TaskState::Pending)", 8),
        ("Tasks::failed_since(ago)", 4),
        ("Tasks::in_namespace(\"shop\")", 40),
        ("Tasks::with_version(\"10.0.0\")", 0),
        ("WorkflowSteps::failed()", 12),
        ("WorkflowSteps::by_current_state(StepState::Cancelled)", 16),
        ("WorkflowStepEdges::provides_edges()", 120),
        ("NamedTasks::latest_versions()", 2),
        ("StepDagRelationships::root_steps()", 80),
        ("StepDagRelationships::with_parents()", 80),
    ] {
        assert_eq!(rows.get(scope), Some(&many), "{scope} in {run:?}");
    }
    assert!(run.stdout.contains("step_readiness of `charge`\n    waiting_for_backoff\n"), "{run:?}");
}

#[cfg(feature = "postgres")]
#[test]
fn a_database_finds_the_same_rows_as_memory_and_tells_its_statements() {
    let (memory, database) =
        (run("records", &["--tasks", "40"]), run("records", &["--tasks", "40", "--database", "temporary"]));
    assert_eq!((database.code, &*database.stderr), (0, ""), "{database:?}");
    assert_eq!(rows(&memory), rows(&database));
    let statements = database.stdout.lines().filter(|line| line.starts_with("    SELECT ")).count();
    assert_eq!(statements, 40);
}

#[test]
fn a_number_of_tasks_that_cannot_be_meant_is_refused() {
    run("records", &["--tasks", "0"]).is_refused_with("invalid value '0' for '--tasks <N>'");
}
