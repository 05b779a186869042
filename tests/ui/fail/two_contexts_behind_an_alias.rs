//! Two contexts, which the macro cannot see.

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
type Refunded = Context<Refund>;

#[step]
async fn compare(order: Context<Order>, refund: Refunded) -> StepResult<u64> {
    Ok(order.total + refund.id)
}

fn main() {}
