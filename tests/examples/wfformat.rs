//! `wfformat`: a replay on the simulated clock.

use std::fs;
use std::path::Path;

use crate::tools::{ROOT, file, intervals, path, run};

/// By hand: starter 14400, dough 612.75, rise 10800.5, then the tin, for it is the slower one: 151.4 + 4200.000001 +
/// 2100.5, cooling 3600, and slicing 75.0000005, which is rounded up.
const BREAD: &str = "\
steps: 14
edges: 15
levels: 9
longest_path_s: 35940.150002
makespan_s: 35940.150002
";

#[test]
fn a_replay_takes_as_long_as_the_longest_path() {
    let run = run("wfformat", &[&bread()]);
    assert_eq!((run.code, &*run.stderr), (0, ""));
    let (table, lines) = run.stdout.split_once("\n\n").unwrap();
    assert_eq!(lines, format!("file: {}\n{BREAD}", bread()));
    let cells: Vec<_> = table.lines().nth(3).unwrap().split(['│', '┆']).map(str::trim).collect();
    assert_eq!(cells, ["", "bread.json", "14", "15", "9", "35940.150002", "35940.150002", "exact", ""]);
}

#[test]
fn a_replay_that_takes_longer_is_told_and_fails() {
    let run = run("wfformat", &["--concurrency", "1", &bread()]);
    assert_eq!(run.code, 1, "{run:?}");
    // One after another they take the sum of all.
    assert_eq!((run.value("longest_path_s"), run.value("makespan_s")), ("35940.150002", "47055.983335"));
    assert!(
        run.stderr.contains("the makespan is 47055.983335 s, the longest path 35940.150002 s"),
        "{run:?}"
    );
}

#[test]
fn an_audit_says_when_each_step_began_and_ended() {
    let audit = path("bread.csv");
    let run = run("wfformat", &[&bread(), "--audit", &audit]);
    assert_eq!(run.code, 0, "{run:?}");
    let expected = "\
step,start_s,end_s
feed_starter,0.000000,14400.000000
warm_water,0.000000,310.500000
autolyse,310.500000,2110.500000
mix_dough,14400.000000,15012.750000
bulk_rise,15012.750000,25813.250000
shape_round,25813.250000,25997.583333
shape_tin,25813.250000,25964.650000
proof_round,25997.583333,29597.833333
proof_tin,25964.650000,30164.650001
heat_oven,0.000000,2700.000000
bake_round,29597.833333,32118.583333
bake_tin,30164.650001,32265.150001
cool,32265.150001,35865.150001
slice,35865.150001,35940.150002
";
    assert_eq!(fs::read_to_string(audit).unwrap(), expected);
}

#[test]
fn an_audit_quotes_what_csv_cannot_hold_bare() {
    let ids = ["plain", "a, b", "say \\\"hi\\\"", "two\\nlines"];
    let tasks: Vec<_> = ids.iter().map(|id| (*id, vec![], "1")).collect();
    let audit = path("quoted.csv");
    let run = run("wfformat", &[&file("quoted.json", &instance(&tasks)), "--audit", &audit]);
    assert_eq!(run.code, 0, "{run:?}");
    let rows = "plain,0.000000,1.000000\n\"a, b\",0.000000,1.000000\n\"say \"\"hi\"\"\",0.000000,1.000000\n\"two\nlines\",";
    let text = fs::read_to_string(&audit).unwrap();
    assert!(text.contains(rows), "{text}");
    assert_eq!(intervals(&audit).len(), 4);
}

#[test]
fn a_file_that_cannot_be_used_is_refused_with_name_and_place() {
    let long = "x".repeat(129);
    for (name, text, says) in [
        (
            "parent.json",
            instance(&[("knead", vec![], "1"), ("bake", vec!["kned"], "1")]),
            "workflow.specification.tasks[1]: step `bake` waits for `kned`, which is not a step of this workflow \
             (did you mean `knead`?)",
        ),
        (
            "cycle.json",
            instance(&[("a", vec!["c"], "1"), ("b", vec!["a"], "1"), ("c", vec!["b"], "1")]),
            "workflow.specification.tasks[0]: steps wait for each other: a → b → c → a",
        ),
        (
            "self.json",
            instance(&[("a", vec!["a"], "1")]),
            "workflow.specification.tasks[0]: step `a` waits for itself",
        ),
        (
            "blank.json",
            instance(&[(" ", vec![], "1")]),
            "workflow.specification.tasks: step ` `: name is blank",
        ),
        ("long.json", instance(&[(&long, vec![], "1")]), "name has 129 characters, at most 128 are allowed"),
        (
            "late.json",
            instance(&[("a", vec![], "-1")]),
            "workflow.execution.tasks[0].runtimeInSeconds: -1 of `a` is not",
        ),
        (
            "ever.json",
            instance(&[("a", vec![], "9e12"), ("b", vec!["a"], "9e12")]),
            "the longest path takes more",
        ),
        (
            "old.json",
            "{\"schemaVersion\": \"1.3\"}".to_owned(),
            "schemaVersion: `1.3` is not understood, only `1.5` is",
        ),
        ("prose.json", "Dear reader,".to_owned(), "expected value at line 1 column 1"),
    ] {
        let path = file(name, &text);
        let run = run("wfformat", &[&path]);
        run.is_refused_with(&format!("error: {path}: "));
        run.is_refused_with(says);
    }
}

#[test]
fn a_doubled_id_is_refused_with_both_places() {
    let text = instance(&[("a", vec![], "1"), ("b", vec![], "1")]);
    let text =
        text.replace(r#"{"id":"b","parents":[]}"#, r#"{"id":"a","parents":[]},{"id":"b","parents":[]}"#);
    let both = "workflow.specification.tasks[0] and workflow.specification.tasks[1]: two steps are named `a`";
    run("wfformat", &[&file("doubled.json", &text)]).is_refused_with(both);
}

#[test]
fn every_file_is_run_though_one_is_bad() {
    let other = file("other.json", &instance(&[("a", vec![], "0.0000014"), ("b", vec!["a"], "0.0000015")]));
    let run = run("wfformat", &["no/such.json", &bread(), &other]);
    assert_eq!(run.code, 2, "{run:?}");
    assert!(run.stderr.starts_with("error: no/such.json: "), "{run:?}");
    let blocks: Vec<_> = run.stdout.split("\n\n").collect();
    assert_eq!(blocks[0].lines().count(), 6, "a frame, a head and two files: {run:?}");
    assert_eq!(blocks[1], format!("file: {}\n{}", bread(), BREAD.trim_end()));
    assert!(blocks[2].ends_with("longest_path_s: 0.000003\nmakespan_s: 0.000003\n"), "{run:?}");
}

#[test]
fn an_audit_is_of_one_file() {
    let audit = path("never.csv");
    run("wfformat", &["--audit", &audit, &bread(), &bread()])
        .is_refused_with("error: --audit is of one FILE");
    assert!(!Path::new(&audit).exists());
}

pub(crate) fn bread() -> String {
    format!("{ROOT}/examples/data/bread.json")
}

/// A file in WfFormat of tasks with id, parents and runtime.
fn instance(tasks: &[(&str, Vec<&str>, &str)]) -> String {
    let specified = tasks.iter().map(|(id, parents, _)| format!(r#"{{"id":"{id}","parents":{parents:?}}}"#));
    let executed =
        tasks.iter().map(|(id, _, runtime)| format!(r#"{{"id":"{id}","runtimeInSeconds":{runtime}}}"#));
    let (specified, executed): (Vec<_>, Vec<_>) = (specified.collect(), executed.collect());
    format!(
        r#"{{"schemaVersion":"1.5","workflow":{{"specification":{{"tasks":[{}]}},"execution":{{"tasks":[{}]}}}}}}"#,
        specified.join(","),
        executed.join(",")
    )
}
