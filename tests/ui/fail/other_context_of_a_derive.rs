//! A derived handler that works on another context.

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

#[derive(StepHandler)]
struct PayBack;

impl Step for PayBack {
    type Context = Refund;
    type Output = u64;
    async fn process(&self, step: &StepContext<Self>) -> StepResult<u64> {
        Ok(step.context()?.id)
    }
}

#[derive(Workflow)]
#[workflow(context = Order, steps(PayBack))]
struct Checkout;

fn main() {}
