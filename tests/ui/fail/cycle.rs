//! Steps that wait for each other.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[step]
async fn a(c: Output<C>) -> StepResult<u64> {
    Ok(*c)
}

#[step]
async fn b(a: Output<A>) -> StepResult<u64> {
    Ok(*a)
}

#[step]
async fn c(b: Output<B>) -> StepResult<u64> {
    Ok(*b)
}

#[derive(Workflow)]
#[workflow(context = Order, steps(A, B, C))]
struct Circle;

fn main() {}
