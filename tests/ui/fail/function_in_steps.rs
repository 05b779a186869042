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

#[derive(Workflow)]
#[workflow(context = Order, steps(price_cart))]
struct Checkout;

fn main() {}
