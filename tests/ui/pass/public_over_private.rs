//! A public step may take what is private, and a public workflow may have private steps; only outputs are public.
#![deny(warnings)]
#![allow(private_interfaces)]

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}
struct Pool;

#[step]
async fn price_cart(order: Context<Order>) -> StepResult<u64> {
    Ok(order.total)
}

/// Public.
#[step]
pub async fn charge_card(
    order: Context<Order>,
    cents: Output<PriceCart>,
    pool: State<Pool>,
) -> StepResult<u64> {
    let _ = pool;
    Ok(order.total + *cents)
}

/// Public.
#[derive(Serialize, Deserialize)]
pub struct Refund {
    pub(crate) share: u64,
}

#[step]
impl Refund {
    async fn process(&self, cents: Output<PriceCart>) -> StepResult<u64> {
        Ok(*cents / self.share)
    }
}

/// Public.
#[derive(StepHandler)]
#[step(depends_on(PriceCart), state(Pool))]
pub struct Notify;

impl Step for Notify {
    type Context = serde_json::Value;
    type Output = ();

    async fn process(&self, step: &StepContext<Self>) -> StepResult<()> {
        let _ = (step.output_of::<PriceCart>()?, step.state::<Pool>()?);
        Ok(())
    }
}

mod inside {
    use super::{ChargeCard, Order, PriceCart, Refund};
    use tasker::prelude::*;

    #[derive(Workflow)]
    #[workflow(context = u64, steps(Nothing))]
    pub struct Other;

    #[step]
    async fn nothing() -> StepResult<()> {
        Ok(())
    }

    #[derive(Workflow)]
    #[workflow(context = Order, steps(PriceCart, ChargeCard, refund = Refund { share: 2 }))]
    pub(super) struct Checkout;
}

fn main() {
    assert!(inside::Checkout::definition().is_ok() && inside::Other::definition().is_ok());
    let _ = Notify;
}
