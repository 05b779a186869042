//! An optional output that is read without a declaration.

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

#[derive(StepHandler)]
struct ChargeCard;

impl Step for ChargeCard {
    type Context = Order;
    type Output = u64;

    async fn process(&self, step: &StepContext<Self>) -> StepResult<u64> {
        Ok(step.optional_output_of::<PriceCart>()?.unwrap_or_default())
    }
}

fn main() {}
