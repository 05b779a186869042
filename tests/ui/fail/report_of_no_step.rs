//! The output of a step that the workflow does not have.

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
async fn other(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

#[derive(Workflow)]
#[workflow(context = Order, steps(PriceCart))]
struct Checkout;

fn read(report: Report<Checkout>) {
    let _ = report.output::<Other>();
}

fn main() {}
