//! One worker process: it serves the database until it is told to stop, or whoever started it has gone.

use std::io::Read as _;
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use tasker::postgres::PostgresStorage;
use tasker::prelude::*;
use tasker::{NoEvents, Settings, SystemClock};
use tokio::signal::unix::{SignalKind, signal};

use crate::Failure;
use crate::arguments::WorkerArguments;
use crate::ledger::Ledger;
use crate::workflows;

/// How often a worker tells that it lives.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// After so long it is taken for lost. Freezes last longer than that.
pub(crate) const LOST_AFTER: Duration = Duration::from_millis(1_250);
/// How long steps may go on when it is told to stop: not all of them end within it.
const GRACE: Duration = Duration::from_millis(700);

pub(crate) async fn serve(arguments: &WorkerArguments) -> Result<(), Failure> {
    tracing_subscriber::fmt().with_ansi(false).with_writer(std::io::stderr).init();
    end_with_the_parent();
    let mut told_to_stop = signal(SignalKind::terminate())?;
    let settings = Settings {
        concurrency: 24,
        poll: Some(Duration::from_millis(250)),
        heartbeat_interval: HEARTBEAT,
        worker_lost_after: LOST_AFTER,
        label: arguments.label.clone(),
        seed: arguments.seed,
        ..Settings::default()
    };
    // The server may be away at this moment: then the first call waits for it.
    let pool = PgPoolOptions::new().max_connections(4).connect_lazy(&arguments.database)?;
    let engine =
        Engine::on_postgres(PostgresStorage::from(pool), SystemClock::default(), NoEvents, settings)?;
    let ledger = Ledger::open(&arguments.ledgers, &arguments.label)?;
    for definition in workflows::all(Some(ledger), arguments.seed)? {
        while let Err(error) = engine.learn(&definition).await {
            tracing::warn!(error = &error as &dyn std::error::Error, "could not learn a workflow yet");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let stop = async move {
        told_to_stop.recv().await;
    };
    engine.worker().grace(GRACE).run_until(stop).await;
    Ok(())
}

/// Nobody writes to our input; its end means that whoever holds the other end has gone, be it by `kill -9`.
fn end_with_the_parent() {
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut vec![]);
        std::process::exit(0);
    });
}
