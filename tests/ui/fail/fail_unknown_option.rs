//! A verdict that there is not.

use tasker::prelude::*;

#[derive(Debug, Fail)]
enum PaymentError {
    #[fail(fatal)]
    Declined,
}

impl std::fmt::Display for PaymentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no payment")
    }
}
impl std::error::Error for PaymentError {}

fn main() {}
