//! A wait in a field that there is not.

use tasker::prelude::*;

#[derive(Debug, Fail)]
enum PaymentError {
    #[fail(retry_after_seconds = wait)]
    Busy { seconds: u64 },
}

impl std::fmt::Display for PaymentError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("no payment")
    }
}
impl std::error::Error for PaymentError {}

fn main() {}
