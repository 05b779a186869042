//! A derived handler whose output cannot be stored.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Receipt;

#[derive(StepHandler)]
struct ChargeCard;

impl Step for ChargeCard {
    type Context = Order;
    type Output = Receipt;
    async fn process(&self, _: &StepContext<Self>) -> StepResult<Receipt> {
        Ok(Receipt)
    }
}

fn main() {}
