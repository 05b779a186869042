//! Holds one temporary PostgreSQL server, for a whole run of the tests or for trying things by hand.
//!
//! ```text
//! cargo run -p tasker-storage --features cluster --example cluster -- [--durable] [--migrated] [-- COMMAND ARGUMENTS…]
//! ```
//!
//! With a command: runs it with `TASKER_TEST_DATABASE_URL` set and ends as it ends. Without one: prints that
//! variable and keeps the server until its own input ends (Ctrl-D at a keyboard). With `--migrated` there is also
//! `TASKER_SQLX_DATABASE_URL`, the URL of a database with the schema, against which statements are prepared.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

use std::env;
use std::error::Error;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, ExitCode, ExitStatus};

use tasker_storage::postgres::cluster::{Cluster, Durability, TEST_DATABASE_URL, TestDatabase};
use tokio::runtime::Builder;

const USAGE: &str = "usage: cluster [--durable] [--migrated] [-- COMMAND ARGUMENTS…]";

/// The variable in which sqlx's macros look for a database; `sqlx.toml` says so.
const SQLX_DATABASE_URL: &str = "TASKER_SQLX_DATABASE_URL";

/// What is asked for.
struct Asked {
    durability: Durability,
    migrated: bool,
    command: Vec<String>,
}

fn main() -> ExitCode {
    let mut asked = Asked { durability: Durability::Fast, migrated: false, command: vec![] };
    let mut arguments = env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--durable" => asked.durability = Durability::Durable,
            "--migrated" => asked.migrated = true,
            "--" => asked.command = arguments.by_ref().collect(),
            "--help" | "-h" => {
                println!("{USAGE}");
                return ExitCode::SUCCESS;
            }
            other => {
                eprintln!("{other:?} is not understood\n{USAGE}");
                return ExitCode::from(2);
            }
        }
    }
    hold(&asked).unwrap_or_else(|error| {
        eprintln!("{error}");
        error.source().into_iter().for_each(|source| eprintln!("  because: {source}"));
        ExitCode::FAILURE
    })
}

/// Keeps a server for as long as the command runs, or else until our input ends.
fn hold(asked: &Asked) -> Result<ExitCode, Box<dyn Error>> {
    let cluster = Cluster::start(asked.durability)?;
    let mut urls = vec![(TEST_DATABASE_URL, cluster.url("postgres"))];
    // Removed when it is dropped, before the server is.
    let database = asked.migrated.then(|| migrated(&cluster)).transpose()?;
    urls.extend(database.iter().map(|database| (SQLX_DATABASE_URL, database.url())));
    let Some((program, arguments)) = asked.command.split_first() else {
        urls.iter().for_each(|(name, url)| println!("{name}={url}"));
        io::copy(&mut io::stdin(), &mut io::sink())?;
        return Ok(ExitCode::SUCCESS);
    };
    let status = Command::new(program).args(arguments).envs(urls).status();
    Ok(exit_code(status.map_err(|error| format!("could not run {program}: {error}"))?))
}

/// A database with the schema.
fn migrated(cluster: &Cluster) -> Result<TestDatabase, Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(TestDatabase::migrated_on(&cluster.url("postgres")))?)
}

/// As a shell reports how a command ended: its code, or 128 and the signal that ended it.
fn exit_code(status: ExitStatus) -> ExitCode {
    let code = status.code().or_else(|| Some(128 + status.signal()?));
    code.and_then(|code| u8::try_from(code).ok()).map_or(ExitCode::FAILURE, ExitCode::from)
}
