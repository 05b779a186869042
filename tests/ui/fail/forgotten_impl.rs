//! The derive without `impl Step`.

use tasker::prelude::*;

#[derive(StepHandler)]
struct ChargeCard;

fn main() {}
