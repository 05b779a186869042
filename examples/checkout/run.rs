//! The run: every order a task, all of them at once.

use std::time::{Duration, Instant};

use tasker::prelude::*;
use tasker::{NoEvents, Request, Settings, TaskId};
use tokio::task::JoinSet;

use crate::chance::Chance;
use crate::common::{Backend, Failure, Progress, lines};
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
    chance: Chance,
    backend: &Backend,
) -> Result<(Vec<Served>, Duration), Failure> {
    let progress = Progress::of_tasks(orders.len(), "serving orders");
    let engine = in_this_shop(backend.engine(progress.clone(), Settings::default())?, chance);

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

/// An engine with all that the steps share.
fn in_this_shop(engine: Engine, chance: Chance) -> Engine {
    engine.state(Catalogue).state(Stock).state(Gateway(chance)).state(Courier(chance))
}

/// Creates orders, and drives none of them: that is left to workers. Says how many there are.
pub(crate) async fn enqueue(orders: &[Order], backend: &Backend) -> Result<String, Failure> {
    let engine = in_this_shop(backend.engine(NoEvents, Settings::default())?, Chance::new(0));
    let begun = Instant::now();
    for batch in orders.chunks(BATCH) {
        start(&engine, batch).await?;
    }
    let per_second = orders.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(lines([("enqueued", &orders.len()), ("orders_per_second", &(per_second.round() as u64))]))
}

/// So many numbers in a row may be unused, as those of tasks whose creation failed are.
const GAP: usize = 1_000;

/// What became of the orders in a database that holds nothing else.
pub(crate) async fn served(backend: &Backend) -> Result<Vec<Served>, Failure> {
    let engine = backend.engine(NoEvents, Settings::default())?;
    let (mut served, mut unused) = (vec![], 0);
    for number in 1.. {
        match engine.task(TaskId(number)).of::<Checkout>().report().await {
            Ok(report) => {
                let id = report.record().request.context["id"].as_str().unwrap_or("?").to_owned();
                served.push(Served { id, report });
                unused = 0;
            }
            Err(EngineError::UnknownTask(_)) if unused < GAP => unused += 1,
            Err(EngineError::UnknownTask(_)) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(served)
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
