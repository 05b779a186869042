//! A lifetime with a name.

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
async fn charge_card<'a>(cents: &'a Output<PriceCart>) -> StepResult<u64> {
    Ok(**cents)
}

fn main() {}
