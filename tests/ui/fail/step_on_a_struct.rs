//! `#[step]` on a type.

use tasker::prelude::*;

#[step]
struct ChargeCard;

fn main() {}
