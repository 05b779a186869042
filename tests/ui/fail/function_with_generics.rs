//! A generic function: the engine must know its types.

use tasker::Payload;
use tasker::prelude::*;

#[step]
async fn echo<T: Payload>(value: Context<T>) -> StepResult<T> {
    Ok(value.0)
}

fn main() {}
