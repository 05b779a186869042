//! A resource that is taken without a declaration.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Pool;

#[derive(StepHandler)]
struct ChargeCard;

impl Step for ChargeCard {
    type Context = Order;
    type Output = bool;

    async fn process(&self, step: &StepContext<Self>) -> StepResult<bool> {
        Ok(step.state::<Pool>().is_ok())
    }
}

fn main() {}
