//! A lock that is held while the step waits.

use tasker::prelude::*;

use std::sync::Mutex;

async fn sleep() {}

#[step]
async fn count(seen: State<Mutex<u64>>) -> StepResult<u64> {
    let mut seen = seen.lock().unwrap();
    sleep().await;
    *seen += 1;
    Ok(*seen)
}

fn main() {}
