//! The output of a step that may be skipped.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[step(skippable)]
async fn price_cart(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

#[step]
async fn charge_card(cents: Output<PriceCart>) -> StepResult<u64> {
    Ok(*cents)
}

#[derive(Workflow)]
#[workflow(context = Order, steps(PriceCart, ChargeCard))]
struct Checkout;

fn main() {}
