//! In which order can the packages of a lock file be built? A graph that is known only at run time.
//!
//! Each package becomes a step that waits for the packages it depends on. Then the audit trail of the run is asked
//! whether any package was begun before its dependencies were there.
//!
//! ```text
//! cargo run --example build_order
//! ```
//!
//! On a database a build outlives its process: the same lock file built again goes on where it was cut off.
//!
//! ```text
//! cargo run --example build_order --features postgres -- --database postgres://user@host/database
//! ```

mod build;
#[path = "../common/mod.rs"]
mod common;
mod lock;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use build::{Built, Journal};
use clap::Parser;
use comfy_table::Cell;
use common::{Backend, Column, Failure, Kept, ended, lines, print, table, verdict};
use lock::Lock;

/// Builds the packages of a lock file, for show: dependencies first, and as many at a time as can be.
///
/// Dependencies that members of a workspace have for their tests alone may close a cycle. A lock file does not tell them
/// from the others: edges of members that do are left out, and counted.
///
/// In a database one lock file is one build: what another process began is gone on with, and not built twice.
#[derive(Parser)]
#[command(name = "build_order", after_help = AFTER_HELP)]
struct Arguments {
    /// The lock file; that of this repository when none is named
    #[arg(value_name = "Cargo.lock", default_value = THIS_REPOSITORY, hide_default_value = true)]
    lock: PathBuf,

    #[command(flatten)]
    kept: Kept,

    /// Take over what a process was building that has not been heard of for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    lost_after: u64,

    /// Add a line to this file for each package whose build begins
    #[arg(long, value_name = "FILE")]
    journal: Option<PathBuf>,

    /// Print the graph as a Mermaid flow chart instead of the results
    #[arg(long)]
    diagram: bool,
}

const THIS_REPOSITORY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.lock");
const AFTER_HELP: &str = "\
Exit code: 0 when the order was right, 1 when it was not, 2 for a file that is no lock file.";

#[tokio::main]
async fn main() -> ExitCode {
    ended(run(&Arguments::parse()).await.err().as_slice())
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let file = arguments.lock.display().to_string();
    let text = fs::read_to_string(&arguments.lock).map_err(|error| Failure::in_file(&file, &[error]))?;
    let lock = Lock::parse(&text).map_err(|mistakes| Failure::in_file(&file, &mistakes))?;
    let journal = arguments.journal.as_deref().map(Journal::open).transpose()?;
    let definition =
        build::definition(&lock, journal).map_err(|errors| Failure::in_file(&file, &errors.errors))?;

    let backend = Backend::open(arguments.kept.database.as_ref()).await?;
    let report = build::run(&definition, &backend, Duration::from_secs(arguments.lost_after)).await?;
    let built = Built::of(&lock, &report)?;
    if arguments.diagram {
        print(&report.to_mermaid())?;
    } else {
        print(&(longest_path(&lock, &built) + &left_out(&lock) + "\n" + &figures(&lock, &built)))?;
    }
    in_order(&lock, &built)
}

fn longest_path(lock: &Lock, built: &Built) -> String {
    let columns = [
        Column::Number("level"),
        Column::Text("package on the longest path"),
        Column::Number("depends on"),
        Column::Number("begun, ms"),
        Column::Number("built, ms"),
        Column::Text("waited for all"),
    ];
    let rows = built.longest_path.iter().zip(1..).map(|(package, level)| {
        let waited = !built.too_early.iter().any(|(early, _)| early == package);
        [
            Cell::new(level),
            Cell::new(&lock.names[*package]),
            Cell::new(lock.dependencies[*package].len()),
            Cell::new(millis(built.times[*package].begun)),
            Cell::new(millis(built.times[*package].ended)),
            verdict(waited, if waited { "yes" } else { "no" }),
        ]
    });
    table(columns, rows)
}

fn millis(duration: Duration) -> String {
    format!("{:.3}", duration.as_secs_f64() * 1000.0)
}

fn left_out(lock: &Lock) -> String {
    let edges = lock.left_out.iter().map(|(package, dependency)| {
        format!(
            "left out, since it closes a cycle: {} -> {}\n",
            lock.names[*package], lock.names[*dependency]
        )
    });
    edges.collect()
}

fn figures(lock: &Lock, built: &Built) -> String {
    lines([
        ("packages", &lock.names.len()),
        ("edges", &lock.dependencies.iter().map(Vec::len).sum::<usize>()),
        ("left_out", &lock.left_out.len()),
        ("levels", &built.levels),
        ("longest_path", &built.longest_path.len()),
        ("order", &if built.too_early.is_empty() { "verified" } else { "violated" }),
    ])
}

fn in_order(lock: &Lock, built: &Built) -> Result<(), Failure> {
    let violations = built.too_early.iter().map(|(package, dependency)| {
        format!("`{}` was begun before `{}` was built", lock.names[*package], lock.names[*dependency])
    });
    let violations: Vec<_> = violations.collect();
    if violations.is_empty() { Ok(()) } else { Err(Failure::Run(violations.join("\n"))) }
}
