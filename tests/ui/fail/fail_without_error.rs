//! A failure that is no error.

use tasker::prelude::*;

#[derive(Fail)]
enum PaymentError {
    #[fail(permanent)]
    Declined,
    Busy,
}

fn main() {}
