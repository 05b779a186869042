//! An output that is read without a declaration.

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
async fn check_stock(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

#[derive(StepHandler)]
#[step(depends_on(PriceCart))]
struct ChargeCard;

impl Step for ChargeCard {
    type Context = Order;
    type Output = u64;

    async fn process(&self, step: &StepContext<Self>) -> StepResult<u64> {
        let cents = step.output_of::<PriceCart>()?;
        let stock = step.output_of::<CheckStock>()?;
        Ok(cents + stock)
    }
}

fn main() {}
