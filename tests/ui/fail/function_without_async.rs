//! A function that is not asynchronous.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[step]
fn price_cart(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

fn main() {}
