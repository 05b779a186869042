//! One output of two steps.

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

#[step]
async fn count(rows: Output<Fetch>) -> StepResult<u64> {
    Ok(*rows)
}

#[derive(Workflow)]
#[workflow(context = Order, steps(fetch_1 = Fetch { shard: 1 }, fetch_2 = Fetch { shard: 2 }, Count))]
struct Shards;

fn main() {}
