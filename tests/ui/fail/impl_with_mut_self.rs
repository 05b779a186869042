//! A handler that wants to change itself.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Count {
    seen: u64,
}

#[step]
impl Count {
    async fn process(&mut self) -> StepResult<u64> {
        self.seen += 1;
        Ok(self.seen)
    }
}

fn main() {}
