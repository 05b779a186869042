//! A derived handler whose configuration cannot be read.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[derive(StepHandler)]
struct ChargeCard {
    gateway: String,
}

impl Step for ChargeCard {
    type Context = Order;
    type Output = String;
    async fn process(&self, _: &StepContext<Self>) -> StepResult<String> {
        Ok(self.gateway.clone())
    }
}

fn main() {}
