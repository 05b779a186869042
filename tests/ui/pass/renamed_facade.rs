//! A facade under another name, and one that is re-exported: `crate = path`.

mod company {
    pub use ::tasker as workflows;
}

use company::workflows::prelude::{
    Context, Fail, Output, Step, StepContext, StepError, StepHandler, StepResult, Workflow, step,
};

// Nothing that the macros write may find this.
mod tasker {}

#[step(crate = company::workflows)]
async fn price_cart(order: Context<u64>) -> StepResult<u64> {
    Ok(*order)
}

struct ChargeCard;

impl<'de> serde::Deserialize<'de> for ChargeCard {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        Ok(Self)
    }
}

#[step(crate = company::workflows)]
impl ChargeCard {
    async fn process(&self, cents: Output<PriceCart>) -> Result<u64, Declined> {
        if *cents == 0 { Err(Declined) } else { Ok(*cents) }
    }
}

#[derive(StepHandler)]
#[step(crate = company::workflows, optional(ChargeCard))]
struct Ship;

impl Step for Ship {
    type Context = u64;
    type Output = bool;

    async fn process(&self, step: &StepContext<Self>) -> StepResult<bool> {
        Ok(step.optional_output_of::<ChargeCard>()?.is_some())
    }
}

#[derive(Debug, Fail)]
#[fail(crate = company::workflows, permanent)]
struct Declined;
impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("declined")
    }
}
impl std::error::Error for Declined {}

#[derive(Workflow)]
#[workflow(crate = company::workflows, context = u64, steps(PriceCart, ChargeCard, Ship))]
struct Checkout;

fn main() {
    assert!(Checkout::definition().is_ok());
    let _: StepError = Declined.fail();
}
