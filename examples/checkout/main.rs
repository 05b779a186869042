//! The check-out of a shop: hundreds of orders at once, some of which nobody can serve.
//!
//! Every order of a file becomes a task of one typed workflow. Carts are empty, cards are declined, and a payment gateway
//! does not always answer: what can never succeed is blocked with a code, what may is tried again.
//!
//! ```text
//! cargo run --release --example checkout
//! cargo run --release --example checkout -- --order W-40118
//! cargo run --release --features postgres --example checkout -- --database URL --enqueue-only --count 10000
//! ```
//!
//! What the last of them leaves in the database is run by any number of processes of the example `worker`.

mod chance;
#[path = "../common/mod.rs"]
mod common;
mod errors;
mod orders;
mod results;
mod run;
mod shop;
mod trail;
mod workflow;

use std::fs;
use std::io::{Write, stderr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use chance::Chance;
use clap::Parser;
use common::{Backend, Failure, Kept, ended, print};
use orders::{Malformed, Order};
use results::Results;
use tasker::prelude::*;
use workflow::Checkout;

/// Serves the orders of a shop, all at once: validate, price, reserve, charge, ship, notify.
///
/// What goes wrong follows from the orders and the seed alone: the counts are the same in every run, in memory and on a
/// database.
#[derive(Parser)]
#[command(name = "checkout", after_help = AFTER_HELP)]
struct Arguments {
    /// The orders, one a line, in JSON; those that come with the program when no file is named
    #[arg(long, value_name = "FILE", default_value = THIS_SHOP, hide_default_value = true)]
    orders: PathBuf,

    /// Serve this order alone, and show its audit trail
    #[arg(long, value_name = "ID")]
    order: Option<String>,

    /// Decides when the gateway and the courier do not answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Let the gateway and the courier always answer: then nothing but the orders decides what becomes of them
    #[arg(long)]
    reliable: bool,

    #[command(flatten)]
    kept: Kept,

    /// Create the orders in the database, and leave it to workers to serve them
    #[arg(long, requires = "database", conflicts_with_all = ["order", "diagram"])]
    enqueue_only: bool,

    /// So many orders: those of the file over and over, each time under other numbers
    #[arg(long, value_name = "N", requires = "enqueue_only")]
    count: Option<usize>,

    /// Show what became of the orders in the database, whoever served them, and serve none
    #[arg(long, requires = "database", conflicts_with_all = ["order", "diagram", "enqueue_only"])]
    results: bool,

    /// Print the workflow as a Mermaid flow chart; with --order, what became of that order
    #[arg(long)]
    diagram: bool,
}

const THIS_SHOP: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/orders.jsonl");
const AFTER_HELP: &str = "\
Exit code: 0 when every order was completed or blocked, 1 when the run failed, 2 for a file that cannot be used. A line \
that is no order is reported, and the others are run.";

#[tokio::main]
async fn main() -> ExitCode {
    ended(run(&Arguments::parse()).await.err().as_slice())
}

async fn run(arguments: &Arguments) -> Result<(), Failure> {
    if arguments.diagram && arguments.order.is_none() {
        return print(&Checkout::definition().map_err(EngineError::from)?.to_mermaid());
    }
    let file = arguments.orders.display().to_string();
    let (mut orders, malformed) = read(arguments)?;
    if let Some(id) = &arguments.order {
        orders.retain(|order| order.id == *id);
        if orders.is_empty() {
            return Err(Failure::in_file(&file, &[format!("there is no order `{id}`")]));
        }
    }
    let backend = Backend::open(arguments.kept.database.as_ref()).await?;
    if arguments.enqueue_only {
        let orders = orders::repeated(orders, arguments.count);
        return print(&run::enqueue(&orders, &backend).await?);
    }
    let chance = Chance::new(arguments.seed).kind(arguments.reliable);
    let (served, took) = match arguments.results {
        true => (run::served(&backend).await?, Duration::ZERO),
        false => run::serve(&orders, chance, &backend).await?,
    };
    match &served[..] {
        [order] if arguments.diagram => print(&order.report.to_mermaid()),
        [order] if arguments.order.is_some() => print(&trail::trail(order)),
        _ => {
            let results = Results::of(&served, took)?;
            print(&(results.overview() + "\n" + &results.figures(malformed.len())))
        }
    }
}

/// Reads the orders, and reports the lines that are none.
fn read(arguments: &Arguments) -> Result<(Vec<Order>, Vec<Malformed>), Failure> {
    let file = arguments.orders.display().to_string();
    let text = fs::read(&arguments.orders).map_err(|error| Failure::in_file(&file, &[error]))?;
    let (orders, malformed) = orders::parse(&text);
    if let ([], [first, ..]) = (&orders[..], &malformed[..]) {
        return Err(Failure::in_file(&file, &[format!("there is no order in it; {first}")]));
    }
    for line in &malformed {
        // When nobody reads on, nobody is there to be told.
        let _ = writeln!(stderr(), "warning: {file}: {line}");
    }
    Ok((orders, malformed))
}
