//! The function `cart` makes a type `Cart`, and there is one.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}
#[derive(Serialize, Deserialize)]
struct Cart {
    total_cents: u64,
}

#[step]
async fn cart(order: Context<Order>) -> StepResult<Cart> {
    Ok(Cart { total_cents: order.total })
}

fn main() {}
