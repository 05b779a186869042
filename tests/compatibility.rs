//! What the page on compatibility says of tests is true: those that it names exist.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The names of all functions below a directory.
fn functions(directory: &Path, found: &mut HashSet<String>) {
    for entry in fs::read_dir(directory).expect("a directory of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            functions(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).expect("a source file");
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
            found.extend(names.map(str::to_owned));
        }
    }
}

/// The rows of the table of business methods: what the reference has, ours, and what holds it.
fn rows(page: &str) -> Vec<[&str; 3]> {
    let (_, table) = page.split_once("## Business methods of the models").expect("the section");
    let table = table.split("\n## ").next().expect("its text");
    let rows = table.lines().filter(|line| line.starts_with("| ")).skip(1);
    let cells = rows.map(|row| row.trim_matches('|').split(" | ").map(str::trim).collect::<Vec<_>>());
    let rows = cells.filter(|cells| !cells[0].starts_with("**"));
    rows.map(|cells| <[&str; 3]>::try_from(cells).unwrap_or_else(|cells| panic!("{cells:?}"))).collect()
}

#[test]
fn every_business_method_names_a_test_that_exists_or_a_reason() {
    let page = fs::read_to_string(Path::new(ROOT).join("docs/rails-compatibility.md")).unwrap();
    let mut known = HashSet::new();
    for directory in ["engine/src", "storage/src", "storage/tests", "tests", "src"] {
        functions(&Path::new(ROOT).join(directory), &mut known);
    }
    let rows = rows(&page);
    assert!(rows.len() > 100, "{} rows", rows.len());
    let mut left_out = 0;
    for [reference, ours, held_by] in rows {
        if ours == "left out" {
            left_out += reference.split(", ").count();
            assert!(!held_by.is_empty(), "{reference} is left out without a reason");
            continue;
        }
        let test = held_by.trim_matches('`');
        assert!(known.contains(test), "{reference}: there is no test `{test}`");
    }
    assert!(left_out <= 20, "{left_out} methods are left out");
}
