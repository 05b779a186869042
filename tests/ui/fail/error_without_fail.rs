//! An error that does not say whether the step may be retried.

use tasker::prelude::*;

#[step]
async fn parse() -> Result<u32, std::num::ParseIntError> {
    "1".parse()
}

fn main() {}
