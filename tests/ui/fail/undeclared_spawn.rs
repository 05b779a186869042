//! Steps that are added without a declaration.

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
struct Plan;

impl Step for Plan {
    type Context = Order;
    type Output = ();

    async fn process(&self, step: &StepContext<Self>) -> StepResult<()> {
        step.spawn::<PriceCart>()?.step("again", PriceCart)
    }
}

fn main() {}
