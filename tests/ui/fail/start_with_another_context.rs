//! A task that is started with another context.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[derive(Serialize, Deserialize)]
struct Refund {
    id: u64,
}

#[step]
async fn price_cart(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

#[derive(Workflow)]
#[workflow(context = Order, steps(PriceCart))]
struct Checkout;

async fn start(engine: Engine) {
    let _ = engine.start::<Checkout>(Refund { id: 1 }).await;
}

fn main() {}
