//! Holds one temporary PostgreSQL server, for a whole run of the tests or for trying things by hand.
//!
//! ```text
//! cargo run -p tasker-storage --features postgres --example cluster -- [--durable] [-- COMMAND ARGUMENTS…]
//! ```
//!
//! With a command: runs it with `TASKER_TEST_DATABASE_URL` set and ends as it ends. Without one: prints that
//! variable and keeps the server until its own input ends (Ctrl-D at a keyboard).
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

use std::env;
use std::error::Error;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};

use tasker_storage::postgres::cluster::{Cluster, Durability, TEST_DATABASE_URL};

const USAGE: &str = "usage: cluster [--durable] [-- COMMAND ARGUMENTS…]";

fn main() -> ExitCode {
    let mut arguments = env::args().skip(1).peekable();
    let durability = match arguments.next_if_eq("--durable") {
        Some(_) => Durability::Durable,
        None => Durability::Fast,
    };
    let command = match arguments.next().as_deref() {
        None => Vec::new(),
        Some("--") => arguments.collect(),
        Some("--help" | "-h") => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Some(other) => {
            eprintln!("{other:?} is not understood\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    hold(durability, &command).unwrap_or_else(|error| {
        eprintln!("{error}");
        error.source().into_iter().for_each(|source| eprintln!("  because: {source}"));
        ExitCode::FAILURE
    })
}

/// Keeps a server for as long as the command runs, or else until our input ends.
fn hold(durability: Durability, command: &[String]) -> Result<ExitCode, Box<dyn Error>> {
    let cluster = Cluster::start(durability)?;
    let url = cluster.url("postgres");
    let Some((program, arguments)) = command.split_first() else {
        println!("{TEST_DATABASE_URL}={url}");
        io::copy(&mut io::stdin(), &mut io::sink())?;
        return Ok(ExitCode::SUCCESS);
    };
    let status = Command::new(program).args(arguments).env(TEST_DATABASE_URL, url).status();
    Ok(exit_code(status.map_err(|error| format!("could not run {program}: {error}"))?))
}

/// As a shell reports how a command ended: its code, or 128 and the signal that ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
