//! `impl Step` without the derive.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct ChargeCard;

impl Step for ChargeCard {
    type Context = Order;
    type Output = u64;
    async fn process(&self, _: &StepContext<Self>) -> StepResult<u64> {
        Ok(1)
    }
}

fn main() {}
