//! A step that waits for itself.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[step]
async fn again(again: Output<Again>) -> StepResult<u64> {
    Ok(*again)
}

#[derive(Workflow)]
#[workflow(context = Order, steps(Again))]
struct Circle;

fn main() {}
