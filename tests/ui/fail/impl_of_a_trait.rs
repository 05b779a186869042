//! `#[step]` on the `impl` of a trait.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}
#[derive(Serialize, Deserialize)]
struct ChargeCard {
    gateway: String,
}

#[step]
impl Step for ChargeCard {
    type Context = Order;
    type Output = String;
    async fn process(&self, _: &StepContext<Self>) -> StepResult<String> {
        Ok(self.gateway.clone())
    }
}

fn main() {}
