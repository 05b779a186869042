//! A type that others cannot name as the output of a step that they can.

pub mod payments {
    use serde::{Deserialize, Serialize};
    use tasker::prelude::*;

    #[derive(Serialize, Deserialize)]
    struct Wallet;

    #[step]
    pub async fn leak() -> StepResult<Wallet> {
        Ok(Wallet)
    }
}

fn main() {}
