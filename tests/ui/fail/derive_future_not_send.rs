//! A derived handler whose future cannot move between threads.

use serde::{Deserialize, Serialize};
use tasker::prelude::*;

#[derive(Serialize, Deserialize)]
struct Order {
    total: u64,
}

use std::rc::Rc;

async fn sleep() {}

#[derive(StepHandler)]
struct Count;

impl Step for Count {
    type Context = Order;
    type Output = u64;

    async fn process(&self, step: &StepContext<Self>) -> StepResult<u64> {
        let counter = Rc::new(step.context()?.total);
        sleep().await;
        Ok(*counter)
    }
}

fn main() {}
