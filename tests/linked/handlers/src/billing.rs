use serde::{Deserialize, Serialize};
use tasker::prelude::*;

use crate::Order;

#[step]
async fn price_cart(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

#[derive(Serialize, Deserialize)]
struct ChargeCard {
    gateway: String,
}

#[step]
impl ChargeCard {
    async fn process(&self, cents: Output<PriceCart>) -> StepResult<String> {
        Ok(format!("{} by {}", *cents, self.gateway))
    }
}

#[derive(Workflow)]
#[workflow(namespace = "shop", name = "billing", version = "1.0.0", context = Order,
    steps(PriceCart, charge = ChargeCard { gateway: "visa".into() }))]
struct Billing;
