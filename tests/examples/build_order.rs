//! `build_order`: a graph that is known only at run time.

use std::fs;
use std::path::Path;

use crate::tools::{ROOT, file, run};

#[test]
fn every_package_of_this_repository_is_built_after_its_dependencies() {
    let run = run("build_order", &[]);
    assert_eq!(run.code, 0, "{run:?}");
    let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap();
    let packages = lock.lines().filter(|line| *line == "[[package]]").count();
    let dependencies = lock.lines().filter(|line| line.starts_with(" \"")).count();
    assert_eq!(run.number("packages"), packages);
    assert_eq!(run.number("edges") + run.number("left_out"), dependencies);
    assert_eq!(run.value("order"), "verified");
    assert_eq!(run.value("longest_path"), run.value("levels"));
}

#[test]
fn a_test_dependency_that_closes_a_cycle_is_left_out_and_counted() {
    let lock = [
        package("app", &["codec", "net"]),
        package("codec", &["testing"]),
        package("net", &["codec"]),
        package("testing", &["codec", "net"]),
    ];
    let run = run("build_order", &[&file("cycle.lock", &lock.concat())]);
    assert_eq!(run.code, 0, "{run:?}");
    let (table, lines) = run.stdout.split_once("left out, ").unwrap();
    let path: Vec<_> = table.lines().filter_map(|line| line.split('┆').nth(1)).map(str::trim).collect();
    assert_eq!(
        path,
        ["package on the longest path", "testing 1.0.0", "codec 1.0.0", "net 1.0.0", "app 1.0.0"]
    );
    assert_eq!(
        lines,
        "since it closes a cycle: testing 1.0.0 -> codec 1.0.0\n\
         left out, since it closes a cycle: testing 1.0.0 -> net 1.0.0\n\
         \n\
         packages: 4\nedges: 4\nleft_out: 2\nlevels: 4\nlongest_path: 4\norder: verified\n"
    );
}

#[test]
fn what_is_no_lock_file_is_refused_with_name_and_place() {
    for (name, text, says) in [
        ("prose.lock", "Dear reader,\n", "not a lock file: TOML parse error at line 1, column 6"),
        (
            "manifest.lock",
            "[package]\nname = \"a\"\n",
            "not a lock file: TOML parse error at line 1, column 1",
        ),
        ("empty.lock", "", "not a lock file: there is no [[package]] in it"),
        ("missing.lock", &package("a", &["b"]), "line 5: couldn't resolve dependency: b"),
        (
            "other.lock",
            &package("a", &["b 2.0.0"]),
            "package `a 1.0.0` depends on `b 2.0.0`, which is not in it",
        ),
        (
            "elsewhere.lock",
            &(foreign("a", "b") + &foreign("b", "a")),
            "steps wait for each other: a 1.0.0 → b 1.0.0",
        ),
    ] {
        let path = file(name, text);
        run("build_order", &[&path]).is_refused_with(&format!("error: {path}: {says}"));
    }
    let absent = "no/such/Cargo.lock";
    run("build_order", &[absent]).is_refused_with(&format!("error: {absent}: "));
}

/// A package as a lock file has it: one of the workspace, since it has no source.
pub(crate) fn package(name: &str, dependencies: &[&str]) -> String {
    let dependencies: String =
        dependencies.iter().map(|dependency| format!(" \"{dependency}\",\n")).collect();
    format!("[[package]]\nname = \"{name}\"\nversion = \"1.0.0\"\ndependencies = [\n{dependencies}]\n\n")
}

fn foreign(name: &str, dependency: &str) -> String {
    let source = "source = \"registry+https://github.com/rust-lang/crates.io-index\"\ndependencies";
    package(name, &[dependency]).replace("dependencies", source)
}
