//! A version that is none.

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
#[workflow(version = "1.0", context = Order, steps(PriceCart))]
struct Checkout;

fn main() {}
