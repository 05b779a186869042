//! A call where a handler belongs.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}
#[derive(Serialize, Deserialize)]
struct Fetch {
    shard: u64,
}

#[step]
impl Fetch {
    async fn process(&self) -> StepResult<u64> {
        Ok(self.shard)
    }
}
#[derive(Workflow)]
#[workflow(context = Order, steps(fetch = Fetch::new(1)))]
struct Shards;

fn main() {}
