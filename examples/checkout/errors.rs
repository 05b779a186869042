//! How steps fail: what can never succeed, and what is worth another attempt.

use std::time::Duration;

use tasker::prelude::*;
use thiserror::Error;

/// An order that the shop cannot serve, however often it tries.
#[derive(Debug, Error, Fail)]
pub(crate) enum Refusal {
    #[error("the cart is empty")]
    #[fail(permanent, code = "EMPTY_CART")]
    EmptyCart,
    #[error("{quantity} of `{product}` cannot be ordered, only 1 to 99")]
    #[fail(permanent, code = "BAD_QUANTITY")]
    BadQuantity { product: String, quantity: u32 },
    #[error("there is no product `{0}`")]
    #[fail(permanent, code = "UNKNOWN_PRODUCT")]
    UnknownProduct(String),
    #[error("{wanted} of \"{title}\" are wanted, {there} are there")]
    #[fail(permanent, code = "OUT_OF_STOCK")]
    OutOfStock { title: &'static str, wanted: u32, there: u32 },
}

/// A service that did not answer; the next attempt waits a little longer than the last one.
#[derive(Debug, Error)]
#[error("the {service} did not answer")]
pub(crate) struct Unavailable {
    pub(crate) service: &'static str,
    pub(crate) attempt: u32,
}

impl Fail for Unavailable {
    fn fail(self) -> StepError {
        let wait = Duration::from_millis(10) * self.attempt;
        StepError::retry_after(wait, self).code("UNAVAILABLE")
    }
}

/// Why there is no payment.
#[derive(Debug, Error)]
pub(crate) enum Unpaid {
    #[error("{card} was declined: {why}")]
    Declined { card: String, why: &'static str },
    #[error(transparent)]
    Down(#[from] Unavailable),
}

impl Fail for Unpaid {
    fn fail(self) -> StepError {
        match self {
            Self::Declined { .. } => StepError::permanent(self).code("CARD_DECLINED"),
            Self::Down(error) => error.fail(),
        }
    }
}
