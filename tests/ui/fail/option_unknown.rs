//! An option that there is not.

use tasker::prelude::*;

#[step(retries = 5)]
async fn ping() -> StepResult<()> {
    Ok(())
}

fn main() {}
