//! What the program is told.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::sabotage::Sabotage;

/// Kills, freezes and cuts off real workers for a while, and judges what is left.
#[derive(Debug, Parser)]
#[command(name = "chaos", after_help = AFTER_HELP)]
pub(crate) struct Arguments {
    /// How long things go wrong
    #[arg(long, value_name = "S", default_value_t = 30)]
    pub(crate) seconds: u64,

    /// How many worker processes there are
    #[arg(long, value_name = "W", default_value_t = 3)]
    pub(crate) workers: usize,

    /// What is done when, and what the steps do, is drawn from it; random and told by default
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// How long the workers may take to settle everything when it is calm again
    #[arg(long, value_name = "S", default_value_t = 180)]
    pub(crate) calm: u64,

    /// Leave the database and the ledgers, and say where
    #[arg(long)]
    pub(crate) keep: bool,

    /// Break one function of the database, to see that the judge finds it
    #[arg(long, value_name = "KIND")]
    pub(crate) sabotage: Option<Sabotage>,

    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

const AFTER_HELP: &str = "\
Exit code: 0 when nothing was lost, doubled or otherwise wrong, 1 when something was, 2 when it did not come to a judgement. \
A seed gives the same deeds in the same order, but the machine decides what they hit.";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// One of the workers; started by the program itself
    #[command(hide = true)]
    Worker(WorkerArguments),
}

/// What one worker process is told.
#[derive(Debug, Args)]
pub(crate) struct WorkerArguments {
    /// The database
    #[arg(long)]
    pub(crate) database: String,

    /// The directory for its ledger
    #[arg(long)]
    pub(crate) ledgers: PathBuf,

    /// What it is called
    #[arg(long)]
    pub(crate) label: String,

    /// What its steps do is drawn from it
    #[arg(long)]
    pub(crate) seed: u64,
}
