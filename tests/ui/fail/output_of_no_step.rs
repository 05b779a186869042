//! The output of something that is no step.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Cart {
    total_cents: u64,
}

#[step]
async fn charge_card(cart: Output<Cart>) -> StepResult<u64> {
    Ok(1)
}

fn main() {}
