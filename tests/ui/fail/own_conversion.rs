//! A conversion that `?` has already.

use tasker::prelude::*;

#[derive(Debug)]
struct PaymentError;

impl std::fmt::Display for PaymentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no payment")
    }
}
impl std::error::Error for PaymentError {}

impl From<PaymentError> for StepError {
    fn from(error: PaymentError) -> Self {
        Self::permanent(error)
    }
}

fn main() {}
