//! `wfformat` on published executions: graphs that nobody here drew.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use crate::tools::{ROOT, intervals, path, run, say};

/// File, steps, edges, levels, and the longest path as computed without this engine.
pub(crate) const PUBLISHED: [(&str, usize, usize, usize, &str); 6] = [
    ("epigenomics-chameleon-hep-1seq-100k-001", 41, 48, 9, "104.822000"),
    ("1000genome-chameleon-2ch-100k-001", 52, 76, 3, "204.686000"),
    ("soykb-chameleon-10fastq-10ch-001", 96, 194, 11, "2933.276000"),
    ("bwa-chameleon-small-001", 104, 400, 3, "91.370927"),
    ("rnaseq-dirt02-001", 197, 451, 10, "759.454000"),
    ("montage-chameleon-2mass-015d-001", 310, 798, 8, "26.385000"),
];

#[test]
fn published_executions_take_exactly_their_longest_path() {
    let Some(directory) = published() else { return };
    for (name, steps, edges, levels, longest) in PUBLISHED {
        let input = directory.join(name).with_extension("json");
        let audit = path(&format!("{name}.csv"));
        let run = run("wfformat", &[input.to_str().unwrap(), "--audit", &audit]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(
            [run.number("steps"), run.number("edges"), run.number("levels")],
            [steps, edges, levels],
            "{name}"
        );
        assert_eq!([run.value("longest_path_s"), run.value("makespan_s")], [longest, longest], "{name}");
        each_step_begins_with_the_end_of_its_last_parent(&input, &audit);
    }
}

/// By the audit, and the file as read by another reader than the example's.
fn each_step_begins_with_the_end_of_its_last_parent(path: &Path, audit: &str) {
    let intervals = intervals(audit);
    let file: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let tasks = |of: &str| file["workflow"][of]["tasks"].as_array().unwrap().clone();
    assert_eq!(intervals.len(), tasks("specification").len());
    for task in tasks("specification") {
        let parents =
            task["parents"].as_array().unwrap().iter().map(|parent| intervals[parent.as_str().unwrap()].1);
        assert_eq!(intervals[task["id"].as_str().unwrap()].0, parents.max().unwrap_or(0), "{task}");
    }
    for task in tasks("execution") {
        let (start, end) = intervals[task["id"].as_str().unwrap()];
        let micros = (task["runtimeInSeconds"].as_f64().unwrap() * 1e6).round();
        assert!(((end - start) as f64 - micros).abs() < 0.5, "{task}");
    }
}

/// Where the published executions are; they are not part of this repository.
pub(crate) fn published() -> Option<PathBuf> {
    let named = env::var_os("TASKER_WFINSTANCES").map(PathBuf::from);
    let directory = named.unwrap_or_else(|| Path::new(ROOT).join("../shared/data/wfinstances"));
    if directory.is_dir() {
        return Some(directory);
    }
    say(&format!(
        "published executions not run: {} is not there; set TASKER_WFINSTANCES",
        directory.display()
    ));
    None
}
