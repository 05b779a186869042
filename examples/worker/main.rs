//! A worker: serves a database, until it is told to stop.
//!
//! It has the handlers of the check-out of the example beside it, and runs whatever orders other processes leave in the
//! database. Start as many as you like; kill some. What one leaves undone the others take over.
//!
//! ```text
//! cargo run --release --features postgres --example checkout -- --database URL --enqueue-only --count 10000
//! cargo run --release --features postgres --example worker -- --database URL
//! ```

#[path = "../checkout/chance.rs"]
mod chance;
#[path = "../common/mod.rs"]
mod common;
#[path = "../checkout/errors.rs"]
mod errors;
#[path = "../checkout/orders.rs"]
#[allow(dead_code, reason = "orders are read from the database here, and from no file")]
mod orders;
#[path = "../checkout/shop.rs"]
mod shop;
mod status;
mod stop;
#[path = "../checkout/workflow.rs"]
mod workflow;

use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use chance::Chance;
use clap::Parser;
use common::{Backend, Database, Failure, ended, print};
use shop::{Catalogue, Courier, Gateway, Stock};
use status::Status;
use tasker::Settings;
use tasker::prelude::*;
use tracing_subscriber::filter::LevelFilter;
use workflow::Checkout;

/// Serves a database: runs the orders that are in it, and those that come, until it is told to stop.
///
/// On SIGTERM or Ctrl-C it claims nothing more, lets what runs end, and records it; a second one ends it at once.
#[derive(Parser)]
#[command(name = "worker", after_help = AFTER_HELP)]
struct Arguments {
    /// The PostgreSQL database, whose schema is brought up to date; or a temporary one, which it tells where it is
    #[arg(long, value_name = "URL|temporary")]
    database: Database,

    /// What people call this worker
    #[arg(long, value_name = "NAME", default_value = "")]
    label: String,

    /// How many steps run at a time
    #[arg(long, value_name = "N", default_value_t = 256)]
    concurrency: usize,

    /// How long running steps may go on when it is told to stop, in seconds
    #[arg(long, value_name = "S", default_value = "30", allow_hyphen_values = true)]
    grace: Seconds,

    /// How often it tells that it lives, in seconds
    #[arg(long, value_name = "S", default_value = "5")]
    heartbeat: Seconds,

    /// After how many seconds of silence a worker is taken for dead
    #[arg(long, value_name = "S", default_value = "30")]
    lost_after: Seconds,

    /// Decides when the gateway and the courier do not answer
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,

    /// Let the gateway and the courier always answer: then nothing but the orders decides what becomes of them
    #[arg(long)]
    reliable: bool,
}

const AFTER_HELP: &str = "\
Exit code: 0 when it stopped as it was told, 1 when the database cannot be used, 2 for arguments that cannot be used.";

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_max_level(LevelFilter::WARN).init();
    ended(serve(&Arguments::parse()).await.err().as_slice())
}

async fn serve(arguments: &Arguments) -> Result<(), Failure> {
    // Whoever tells it to stop before it has begun is heard, too.
    let told_to_stop = stop::told()?;
    let settings = settings(arguments)?;
    let status = Status::new(&arguments.label);
    let backend = Backend::open(Some(&arguments.database)).await?;
    if let Some(url) = backend.temporary_url() {
        print(&format!("database: {url}\n"))?;
    }
    let engine = in_this_shop(backend.engine(status.clone(), settings)?, arguments);
    engine.learn(&Checkout::definition().map_err(EngineError::from)?).await?;

    engine.worker().grace(arguments.grace.0).run_until(told_to_stop).await;
    print(&status.done())
}

fn settings(arguments: &Arguments) -> Result<Settings, Failure> {
    let settings = Settings {
        concurrency: arguments.concurrency,
        heartbeat_interval: arguments.heartbeat.0,
        worker_lost_after: arguments.lost_after.0,
        label: arguments.label.clone(),
        ..Settings::default()
    };
    settings.check().map_err(|errors| Failure::Input(errors.to_string()))?;
    Ok(settings)
}

/// A length of time, as the arguments write it.
#[derive(Clone, Copy)]
struct Seconds(Duration);

impl FromStr for Seconds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
        Duration::try_from_secs_f64(seconds).map(Self).map_err(|error| error.to_string())
    }
}

/// With all that the steps share, and their handlers by name, for orders of other versions of the workflow.
fn in_this_shop(engine: Engine, arguments: &Arguments) -> Engine {
    let chance = Chance::new(arguments.seed).kind(arguments.reliable);
    let engine = engine.state(Catalogue).state(Stock).state(Gateway(chance)).state(Courier(chance));
    engine.handlers(Handlers::linked())
}
