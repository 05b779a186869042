//! Two contexts.

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
async fn compare(order: Context<Order>, refund: Context<Refund>) -> StepResult<u64> {
    Ok(order.total + refund.id)
}

fn main() {}
