//! A step that works on another context.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[derive(Serialize, Deserialize)]
struct Refund {
    id: u64,
}

#[step]
async fn price_cart(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

#[step]
async fn pay_back(refund: Context<Refund>) -> StepResult<u64> {
    Ok(refund.id)
}

#[derive(Workflow)]
#[workflow(context = Order, steps(PriceCart, PayBack))]
struct Checkout;

fn main() {}
