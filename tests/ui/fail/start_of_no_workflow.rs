//! A task of something that is no workflow.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

struct Checkout;

async fn start(engine: Engine) {
    let _ = engine.start::<Checkout>(Order { total: 1 }).await;
}

fn main() {}
