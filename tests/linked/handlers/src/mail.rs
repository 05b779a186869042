use tasker::prelude::*;

use crate::Order;

#[derive(StepHandler)]
#[step(name = "mail")]
struct Mailer;

impl Step for Mailer {
    type Context = Order;
    type Output = ();

    async fn process(&self, _: &StepContext<Self>) -> StepResult<()> {
        Ok(())
    }
}
