//! A part of the context that cannot be read from JSON.

use tasker::prelude::*;

struct Billing {
    card: String,
}

#[step]
async fn check_card(billing: Part<Billing>) -> StepResult<usize> {
    Ok(billing.card.len())
}

fn main() {}
