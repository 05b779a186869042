//! A handler whose configuration cannot be read.

use tasker::prelude::*;

struct ChargeCard {
    gateway: String,
}

#[step]
impl ChargeCard {
    async fn process(&self) -> StepResult<String> {
        Ok(self.gateway.clone())
    }
}

fn main() {}
