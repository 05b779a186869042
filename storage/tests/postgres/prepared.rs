//! What sqlx's macros know of the statements: that it is there, whole, and true of the schema.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection, SqlSafeStr as _};

use crate::fixture::migrated_database;

const HERE: &str = env!("CARGO_MANIFEST_DIR");
const WHAT_TO_DO: &str = "run scripts/prepare, and commit what it writes";

/// The files of `.sqlx`: name and content.
fn prepared() -> Vec<(String, Value)> {
    let files = fs::read_dir(Path::new(HERE).join(".sqlx")).expect(WHAT_TO_DO);
    let files = files.map(|file| {
        let file = file.unwrap();
        let content = serde_json::from_slice(&fs::read(file.path()).unwrap()).unwrap();
        (file.file_name().into_string().unwrap(), content)
    });
    files.collect()
}

/// Every source file below.
fn sources(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[tokio::test]
async fn what_is_prepared_is_what_the_schema_says() {
    let database = migrated_database().await;
    let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
    // As the macros do it: nothing is known of the arguments.
    connection.execute("SET plan_cache_mode = force_generic_plan").await.unwrap();
    for (name, file) in prepared() {
        let statement = file["query"].as_str().unwrap().to_owned();
        let described = connection.describe(AssertSqlSafe(statement).into_sql_str()).await;
        let described = described.unwrap_or_else(|error| panic!("{name}: {error}; {WHAT_TO_DO}"));
        assert_eq!(json!(described), file["describe"], "{name} is stale; {WHAT_TO_DO}");
    }
}

/// That each statement has a file is seen to by the compiler.
#[test]
fn what_is_prepared_is_a_statement_of_the_backend() {
    let sources: Vec<_> = sources(&Path::new(HERE).join("src/postgres"))
        .into_iter()
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let prepared = prepared();
    assert!(!prepared.is_empty());
    for (name, file) in prepared {
        // Statements stand in the source letter for letter, as raw strings where they hold quotation marks.
        let literal = format!("\"{}\"", file["query"].as_str().unwrap());
        assert!(
            sources.iter().any(|source| source.contains(&literal)),
            "{name} is of no statement; {WHAT_TO_DO}"
        );
    }
}

/// The crate is published by itself; the migrations lie in a room of the workspace.
#[test]
fn the_package_brings_along_what_it_is_built_from() {
    let listed = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--offline"])
        .current_dir(HERE)
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    for directory in ["migrations", ".sqlx"] {
        for file in fs::read_dir(Path::new(HERE).join(directory)).unwrap() {
            let file = format!("{directory}/{}", file.unwrap().file_name().into_string().unwrap());
            assert!(listed.lines().any(|line| line == file), "{file} is not in\n{listed}");
        }
    }
    assert!(listed.lines().any(|line| line == "sqlx.toml"), "{listed}");
}
