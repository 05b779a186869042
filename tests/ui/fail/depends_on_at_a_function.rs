//! A dependency beside the arguments.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}
#[step]
async fn price_cart(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

#[step(depends_on(PriceCart))]
async fn charge_card() -> StepResult<u64> {
    Ok(1)
}

fn main() {}
