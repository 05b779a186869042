//! Steps of something that is no step.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Cart {
    total_cents: u64,
}

#[step]
async fn plan(carts: Spawn<Cart>) -> StepResult<()> {
    let _ = carts;
    Ok(())
}

fn main() {}
