//! An output that cannot be stored.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Cart {
    total_cents: u64,
}

#[step]
async fn price_cart(order: Context<Order>) -> StepResult<Cart> {
    Ok(Cart { total_cents: order.total })
}

fn main() {}
