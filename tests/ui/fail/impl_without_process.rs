//! An `impl` block without `process`.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct ChargeCard {
    gateway: String,
}

#[step]
impl ChargeCard {
    async fn run(&self) -> StepResult<String> {
        Ok(self.gateway.clone())
    }
}

fn main() {}
