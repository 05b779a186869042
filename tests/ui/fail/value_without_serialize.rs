//! A value that cannot be written as a configuration.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

#[derive(Deserialize)]
struct ChargeCard {
    gateway: String,
}

#[step]
impl ChargeCard {
    async fn process(&self) -> StepResult<String> {
        Ok(self.gateway.clone())
    }
}

#[derive(Workflow)]
#[workflow(context = Order, steps(charge = ChargeCard { gateway: "visa".into() }))]
struct Checkout;

fn main() {}
