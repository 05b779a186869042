//! The same behind an alias: the macro cannot see it.

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

type Priced = StepResult<Cart>;

#[step]
async fn cart(order: Context<Order>) -> Priced {
    Ok(Cart { total_cents: order.total })
}

fn main() {}
