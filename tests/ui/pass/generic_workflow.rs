//! A generic workflow: what the compiler cannot judge is left to `build()`.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use tasker::Payload;
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
struct Echo<T: Payload> {
    #[serde(skip)]
    of: PhantomData<fn() -> T>,
}

impl<T: Payload> Echo<T> {
    const fn new() -> Self {
        Self { of: PhantomData }
    }
}

#[step]
impl<T: Payload> Echo<T> {
    async fn process(&self, value: Context<T>) -> StepResult<T> {
        Ok(value.0)
    }
}

#[derive(Workflow)]
#[workflow(context = T, steps(Echo<T>, again = Echo<T> { of: PhantomData }))]
struct Echoes<T: Payload>(PhantomData<fn() -> T>);

fn main() {
    let _ = Echo::<u64>::new();
    for definition in [Echoes::<u64>::definition(), Echoes::<String>::definition()] {
        assert_eq!(definition.unwrap().template().step_templates.len(), 2);
    }
}
