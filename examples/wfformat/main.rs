//! Replays published executions of scientific workflows on a clock that jumps: hours pass in milliseconds.
//!
//! A file in WfFormat 1.5 says which steps a workflow had, which waited for which, and how long each of them took. Each
//! becomes a step that sleeps so long. With room for all of them the run must take exactly as long as the longest path
//! through the graph: any other figure means that a step was begun late, or early.
//!
//! ```text
//! cargo run --example wfformat -- examples/data/bread.json
//! ```

#[path = "../common/mod.rs"]
mod common;
mod instance;
mod micros;
mod replay;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use comfy_table::Cell;
use common::{Backend, Column, Failure, Kept, ended, lines, print, table, verdict};
use replay::Replay;

/// Replays executions of scientific workflows (WfFormat 1.5) on a simulated clock.
///
/// Every step sleeps as long as the file says that it took, with no limit on how many run at a time. The makespan must
/// be the longest path through the graph, to the microsecond. Edges are those of `parents`.
#[derive(Parser)]
#[command(name = "wfformat", after_help = AFTER_HELP)]
struct Arguments {
    /// Executions in WfFormat 1.5
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    /// Write when each step began and ended to this file, as CSV: step,start_s,end_s
    #[arg(long, value_name = "FILE")]
    audit: Option<PathBuf>,

    /// Run so many steps at a time at most, to see how much longer it takes then
    #[arg(long, value_name = "STEPS", default_value_t = NonZeroUsize::MAX, hide_default_value = true)]
    concurrency: NonZeroUsize,

    #[command(flatten)]
    kept: Kept,

    /// Print the graph as a Mermaid flow chart instead of the results
    #[arg(long)]
    diagram: bool,
}

const AFTER_HELP: &str = "\
Exit code: 0 when every makespan is the longest path, 1 when one is not, 2 for a file that cannot be used.";

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if arguments.audit.is_some() && arguments.files.len() > 1 {
        let why = "--audit is of one FILE, and there are several\n";
        clap::Error::raw(ErrorKind::ArgumentConflict, why).exit();
    }
    match Backend::open(arguments.kept.database.as_ref()).await {
        Ok(backend) => ended(&run(&arguments, &backend).await),
        Err(failure) => ended(&[failure]),
    }
}

/// Replays the files one after another, whatever is wrong with some of them.
async fn run(arguments: &Arguments, backend: &Backend) -> Vec<Failure> {
    let (mut replays, mut failures) = (vec![], vec![]);
    for file in &arguments.files {
        match replay::replay(file, backend, arguments.concurrency).await {
            Ok(replay) => replays.push(replay),
            Err(failure) => failures.push(failure),
        }
    }
    if let (Some(audit), [replay]) = (&arguments.audit, &replays[..]) {
        failures.extend(replay.write_audit(audit).err());
    }
    let shown = if arguments.diagram { diagrams(&replays) } else { results(&replays) };
    failures.extend(print(&shown).err());
    failures.extend(replays.iter().filter_map(Replay::wrong));
    failures
}

fn diagrams(replays: &[Replay]) -> String {
    replays.iter().map(Replay::diagram).collect()
}

fn results(replays: &[Replay]) -> String {
    if replays.is_empty() {
        return String::new();
    }
    let figures = replays.iter().map(|replay| {
        lines([
            ("file", &replay.file),
            ("steps", &replay.steps()),
            ("edges", &replay.edges()),
            ("levels", &replay.levels),
            ("longest_path_s", &replay.longest_path),
            ("makespan_s", &replay.makespan),
        ])
    });
    std::iter::once(overview(replays)).chain(figures).collect::<Vec<_>>().join("\n")
}

fn overview(replays: &[Replay]) -> String {
    let columns = [
        Column::Text("file"),
        Column::Number("steps"),
        Column::Number("edges"),
        Column::Number("levels"),
        Column::Number("longest path, s"),
        Column::Number("makespan, s"),
        Column::Text("makespan is"),
    ];
    let rows = replays.iter().map(|replay| {
        [
            Cell::new(&replay.name),
            Cell::new(replay.steps()),
            Cell::new(replay.edges()),
            Cell::new(replay.levels),
            Cell::new(replay.longest_path),
            Cell::new(replay.makespan),
            match replay.wrong() {
                None => verdict(true, "exact"),
                Some(_) => verdict(false, "wrong"),
            },
        ]
    });
    table(columns, rows)
}
