#[derive(Fail)]
#[fail(code = "PAYMENT")]
enum PaymentError {
    #[fail(permanent, code = "DECLINED")]
    Declined(String),
    #[fail(retry_after_seconds = seconds)]
    Throttled { seconds: u32 },
    Network,
}
