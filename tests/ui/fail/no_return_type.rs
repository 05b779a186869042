//! A step that returns nothing.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[step]
async fn notify(order: Context<Order>) {
    let _ = order;
}

fn main() {}
