//! A type that others cannot name as the output of a step that they can.

pub mod payments {
    use serde::{Deserialize, Serialize};
    use tasker::prelude::*;

    #[derive(Serialize, Deserialize)]
    struct Secret;

    #[step]
    pub async fn leak() -> StepResult<Secret> {
        Ok(Secret)
    }
}

fn main() {}
