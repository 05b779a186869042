//! A resource that cannot be shared between threads.

use tasker::prelude::*;

use std::cell::RefCell;

#[step]
async fn count(seen: State<RefCell<u64>>) -> StepResult<u64> {
    Ok(*seen.borrow())
}

fn main() {}
