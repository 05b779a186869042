//! What a step function may return.

use super::Payload;
use crate::{Fail, StepResult};

/// What a step function may return: a `Result` of a [`Payload`] and an error that is a [`Fail`], under any alias.
#[diagnostic::on_unimplemented(
    message = "a step returns a `Result`, not `{Self}`",
    label = "not a `Result`",
    note = "write `-> StepResult<{Self}>` and end with `Ok(…)`"
)]
pub trait IntoStepResult {
    /// What the step yields.
    type Output: Payload;

    /// The same, with an error that says what is to be done.
    ///
    /// # Errors
    /// When the step failed.
    fn into_step_result(self) -> StepResult<Self::Output>;
}

impl<T: Payload, E: Fail> IntoStepResult for Result<T, E> {
    type Output = T;
    fn into_step_result(self) -> StepResult<T> {
        self.map_err(Fail::fail)
    }
}
