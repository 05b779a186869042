//! A configuration that cannot be read from JSON.

use tasker::prelude::*;

struct Limits {
    rows: u64,
}

#[step]
async fn fetch(limits: Config<Limits>) -> StepResult<u64> {
    Ok(limits.rows)
}

fn main() {}
