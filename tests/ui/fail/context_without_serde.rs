//! A context that cannot be read from JSON.

use tasker::prelude::*;

struct Order {
    total: u64,
}

#[step]
async fn price_cart(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

fn main() {}
