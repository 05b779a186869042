//! An option twice.

use tasker::prelude::*;

#[step(retry_limit = 5, retry_limit = 6)]
async fn ping() -> StepResult<()> {
    Ok(())
}

fn main() {}
