//! Real workers on a real server, while everything that can go wrong does: they are killed, frozen and stopped, their
//! connections are cut, replies get lost, the server crashes, operators cancel tasks. Then it is calm, and what is left
//! is judged.
//!
//! ```text
//! chaos ──creates──▶ tasks ◀──runs── worker processes ──▶ ledgers (a file each, written by the handlers)
//!   └──kills, freezes, cuts, crashes──────┘ loses replies     │
//! judge.sql ◀── tables and ledgers ───────────────────────────┘
//! ```
//!
//! The judge is one file of SQL, which knows nothing of the engine: it holds what the tables say against what the
//! handlers wrote down themselves. That it can find what it looks for is shown by `--sabotage`, which breaks one function
//! of the database.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

mod act;
mod arguments;
mod chance;
mod database;
mod judge;
mod ledger;
mod load;
mod processes;
mod proxy;
mod run;
mod sabotage;
mod worker;
mod workflows;

use std::error::Error;
use std::process::ExitCode;

use arguments::{Arguments, Command};
use clap::Parser as _;

/// Whatever keeps a run from coming to a judgement.
type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let ended = match &arguments.command {
        Some(Command::Worker(worker)) => worker::serve(worker).await.map(|()| true),
        None => run::run(&arguments).await,
    };
    match ended {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            std::iter::successors(error.source(), |cause| (*cause).source())
                .for_each(|cause| eprintln!("  because: {cause}"));
            ExitCode::from(2)
        }
    }
}
