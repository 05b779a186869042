//! What the macros write is clean under the strictest lints that a crate may have.
#![deny(
    warnings,
    missing_docs,
    unreachable_pub,
    unsafe_code,
    missing_debug_implementations,
    unused_qualifications,
    unused_results,
    elided_lifetimes_in_paths,
    single_use_lifetimes,
    non_ascii_idents
)]

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

/// What the workflow works on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Order {
    /// In cents.
    pub total: u64,
}

mod steps {
    use super::Order;
    use serde::{Deserialize, Serialize};
    use tasker::prelude::*;

    /// Prices the cart.
    #[step]
    pub(crate) async fn price_cart(order: Context<Order>) -> StepResult<u64> {
        Ok(order.total)
    }

    /// Charges the card.
    #[derive(Debug, Serialize, Deserialize)]
    pub(crate) struct ChargeCard {
        pub(crate) gateway: String,
    }

    #[step(retry_limit = 5, retryable = true, skippable = false, timeout_seconds = 3, name = "charge")]
    impl ChargeCard {
        async fn process(&self, cents: &Output<PriceCart>) -> StepResult<String> {
            Ok(format!("{} by {}", **cents, self.gateway))
        }
    }
}
use steps::{ChargeCard, PriceCart};

/// Ships what was paid.
#[derive(Debug, StepHandler)]
#[step(depends_on(ChargeCard))]
pub(crate) struct Ship;

impl Step for Ship {
    type Context = Order;
    type Output = String;

    async fn process(&self, step: &StepContext<Self>) -> StepResult<String> {
        step.output_of::<ChargeCard>()
    }
}

/// Why there was no payment.
#[derive(Debug, Fail)]
pub enum PaymentError {
    /// By the bank.
    #[fail(permanent, code = "DECLINED")]
    Declined,
}
impl std::fmt::Display for PaymentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no payment")
    }
}
impl std::error::Error for PaymentError {}

/// The whole.
#[derive(Debug, Workflow)]
#[workflow(context = Order, steps(PriceCart, charge = ChargeCard { gateway: "visa".into() }, Ship))]
pub struct Checkout;

fn main() {
    assert!(Checkout::definition().is_ok());
    assert!(matches!(PaymentError::Declined.fail().retry(), tasker::Retry::Never));
}
