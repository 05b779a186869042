//! The data layer: models, scopes, associations and read models over tasks of all kinds.
//!
//! Fills a storage with tasks, ten kinds of them; then asks each scope of the reference how many rows it finds, and tells
//! the statement that finds them on PostgreSQL; then asks the read models.
//!
//! ```text
//! cargo run --features postgres --example records -- --database temporary
//! ```

#[path = "../common/mod.rs"]
mod common;
mod fill;
mod kinds;
mod walk;

use std::process::ExitCode;

use clap::Parser;
use common::{Backend, Failure, Kept, ended, print};
use tasker::{NoEvents, Settings};

/// Fills a storage with tasks of all kinds, and walks through its models, scopes and read models.
#[derive(Parser)]
#[command(name = "records", after_help = AFTER_HELP)]
struct Arguments {
    /// How many tasks
    #[arg(long, value_name = "N", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    tasks: u32,

    #[command(flatten)]
    kept: Kept,
}

const AFTER_HELP: &str = "\
Exit code: 0 when every scope was answered, 1 when the storage failed, 2 for arguments that cannot be used.";

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => ended(&[failure]),
    }
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let backend = Backend::open(arguments.kept.database.as_ref()).await?;
    let engine = backend.engine(NoEvents, Settings::default())?;
    fill::fill(&engine, arguments.tasks).await?;
    print(&walk::walk(&engine).await?)
}
