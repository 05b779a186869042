//! A borrowed context: `Context<Order>` derefs to it.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[step]
async fn price_cart(order: &Order) -> StepResult<u64> {
    Ok(order.total)
}

fn main() {}
