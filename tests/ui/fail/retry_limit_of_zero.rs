//! No attempt at all.

use tasker::prelude::*;

#[step(retry_limit = 0)]
async fn ping() -> StepResult<()> {
    Ok(())
}

fn main() {}
