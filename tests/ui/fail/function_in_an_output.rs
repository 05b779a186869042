//! The function where its type belongs.

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

#[step]
async fn charge_card(cents: Output<price_cart>) -> StepResult<u64> {
    Ok(1)
}

fn main() {}
