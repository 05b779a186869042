//! A workflow that does not say on what it works.

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

#[derive(Workflow)]
#[workflow(steps(PriceCart))]
struct Checkout;

fn main() {}
