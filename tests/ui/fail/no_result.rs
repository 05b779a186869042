//! A step that returns no `Result`.

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
async fn price_cart(order: Context<Order>) -> Cart {
    Cart { total_cents: order.total }
}

fn main() {}
