//! How steps fail.

use std::time::Duration;

use serde_json::json;
use tasker::prelude::*;
use tasker::{PANIC, Permanent, Retry, RetryAfter, TaskState};

use crate::world::{World, on_every_backend};
use crate::{failure, run_built};

on_every_backend! {
    are_stored_with_class_code_and_text_and_the_worker_lives
}

#[derive(Debug, thiserror::Error, Fail)]
#[fail(code = "PAYMENT")]
enum PaymentError {
    #[error("declined: {0}")]
    #[fail(permanent, code = "DECLINED", class = "Declined")]
    Declined(String),
    #[error("busy")]
    #[fail(retry_after_seconds = 30)]
    Busy,
    #[error("throttled")]
    #[fail(retry_after_seconds = seconds)]
    Throttled { seconds: u32 },
    #[error("broken")]
    Broken(#[source] Permanent),
    #[error("network")]
    Network(#[from] std::num::ParseIntError),
    #[error("stubborn")]
    #[fail(retryable)]
    Stubborn(#[source] Permanent),
}

#[derive(Debug, thiserror::Error, Fail)]
#[error("no such customer")]
#[fail(permanent, code = "NO_CUSTOMER")]
struct NoCustomer;

#[test]
fn a_derive_says_what_is_to_be_done() {
    let seconds = |seconds| Retry::After(Duration::from_secs(seconds));
    let parse = || "x".parse::<u64>().unwrap_err();
    for (error, retry, code) in [
        (PaymentError::Declined("no".into()).fail(), Retry::Never, "DECLINED"),
        (PaymentError::Busy.fail(), seconds(30), "PAYMENT"),
        (PaymentError::Throttled { seconds: 7 }.fail(), seconds(7), "PAYMENT"),
        (PaymentError::Broken(Permanent::new("gone")).fail(), Retry::Never, "PAYMENT"),
        (PaymentError::Network(parse()).fail(), Retry::Later, "PAYMENT"),
        (PaymentError::Stubborn(Permanent::new("gone")).fail(), Retry::Later, "PAYMENT"),
        (NoCustomer.fail(), Retry::Never, "NO_CUSTOMER"),
    ] {
        assert_eq!((error.retry(), error.report().code.as_deref()), (retry, Some(code)), "{error}");
    }
    assert_eq!(PaymentError::Declined("no".into()).fail().report().class, "Declined");
    assert!(PaymentError::Busy.fail().report().class.ends_with("PaymentError"));
}

#[step]
async fn declined() -> Result<u64, PaymentError> {
    Err(PaymentError::Declined("stolen".into()))
}
#[step(retry_limit = 2)]
async fn panics() -> StepResult<u64> {
    let none: Vec<u64> = vec![];
    Ok(none[0])
}
async fn deep() -> anyhow::Result<u64> {
    use anyhow::Context as _;
    Err(anyhow::Error::new(Permanent::new("gone"))).context("while reading")
}
#[step]
async fn any_error() -> StepResult<u64> {
    Ok(deep().await?)
}
#[step]
async fn by_hand() -> StepResult<u64> {
    "x".parse().permanent()
}

async fn are_stored_with_class_code_and_text_and_the_worker_lives(world: World) {
    let builder = Definition::builder("tests", "failures", "1.0.0");
    let builder = builder.step("declined", Declined).step("panics", Panics).step("any_error", AnyError);
    let report = run_built(&world, &builder.step("by_hand", ByHand).build().unwrap(), json!({})).await;
    assert_eq!(report.state(), TaskState::Error);
    assert_eq!(failure(&report, "declined", "error"), "declined: stolen");
    assert_eq!(report.step("declined").unwrap().current.metadata["error_code"], "DECLINED");
    assert_eq!(failure(&report, "panics", "error_class"), PANIC);
    assert!(failure(&report, "panics", "error").contains("index out of bounds"));
    assert!(failure(&report, "any_error", "error").contains("while reading: gone"));
    let attempts =
        ["declined", "panics", "any_error", "by_hand"].map(|step| report.step(step).unwrap().attempts);
    assert_eq!(attempts, [1, 2, 1, 1]);
}

#[test]
fn a_wait_may_be_asked_for_anywhere_in_the_chain() {
    let wait = Duration::from_secs(9);
    let error = anyhow::Error::new(RetryAfter::new(wait, "busy")).context("while paying");
    assert_eq!(StepError::from(error).retry(), Retry::After(wait));
}
