//! An error that does not say whether the step may be retried.

use tasker::prelude::*;

#[step]
async fn parse() -> Result<u32, std::num::ParseIntError> {
    "1".parse()
}

fn main() {}

/// Another of this name: so the compiler writes out the path of ours, with whatever features it builds.
mod elsewhere {
    #[expect(dead_code)]
    pub(crate) trait Fail {}
}
