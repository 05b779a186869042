//! The run: every order a task, all of them at once.

use std::time::{Duration, Instant};

use tasker::Request;
use tasker::prelude::*;
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::common::{Failure, Progress};
use crate::database::{Backend, Database};
use crate::orders::Order;
use crate::shop::{Catalogue, Courier, Gateway, Stock};
use crate::workflow::Checkout;

/// So many orders are started in one call.
const BATCH: usize = 256;

/// An order, and what became of it.
pub(crate) struct Served {
    pub(crate) id: String,
    pub(crate) report: Report<Checkout>,
}

/// Serves orders. Gives them in their order, and how long it took from the first call to the last result.
pub(crate) async fn serve(
    orders: &[Order],
    seed: u64,
    database: Option<Database>,
) -> Result<(Vec<Served>, Duration), Failure> {
    let progress = Progress::of_tasks(orders.len(), "serving orders");
    let backend = Backend::open(database, progress.clone()).await?;
    let chance = Chance::new(seed);
    let engine = backend.engine().state(Catalogue).state(Stock).state(Gateway(chance)).state(Courier(chance));

    let begun = Instant::now();
    let mut running = JoinSet::new();
    for batch in orders.chunks(BATCH) {
        for task in start(&engine, batch).await? {
            let place = running.len();
            running.spawn(async move { (place, task.finished().await) });
        }
    }
    let mut served = vec![];
    while let Some(done) = running.join_next().await {
        let (place, report) = done.expect("nothing ends a wait for a task before its end");
        served.push((place, report?));
    }
    let took = begun.elapsed();

    progress.done();
    served.sort_unstable_by_key(|(place, _)| *place);
    let reports = served.into_iter().map(|(_, report)| report);
    let served = orders.iter().zip(reports).map(|(order, report)| Served { id: order.id.clone(), report });
    Ok((served.collect(), took))
}

/// Starts many tasks in one call.
async fn start(engine: &Engine, orders: &[Order]) -> Result<Vec<Task<Checkout>>, Failure> {
    let definition = Checkout::definition().map_err(EngineError::from)?;
    let requests = orders.iter().map(|order| {
        let context = serde_json::to_value(order).expect("what was read from JSON can be written as such");
        Request {
            requested_at: Some(order.placed_at),
            source_system: "web shop".into(),
            ..Request::new(context)
        }
    });
    let started = engine.request_many(&definition, requests.collect()).await?;
    started.into_iter().map(|task| Ok(task?.of())).collect()
}
