//! A future that cannot move between threads.

use tasker::prelude::*;

use std::rc::Rc;

async fn sleep() {}

#[step]
async fn count() -> StepResult<u64> {
    let counter = Rc::new(1);
    sleep().await;
    Ok(*counter)
}

fn main() {}
