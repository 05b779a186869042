//! How a step fails: what went wrong, and whether it may be tried again.

use std::any::type_name;
use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use crate::{ErrorReport, RetryAdvice};

/// The error class of an attempt whose handler panicked.
pub const PANIC: &str = "PANIC";
/// The error class of an attempt that took longer than it may.
pub const TIMEOUT: &str = "Timeout";
/// The error class of an attempt that a stopping worker cut off.
pub const WORKER_SHUTDOWN: &str = "WorkerShutdown";
/// The error class of a step whose parent has no output, or one that does not fit.
pub const MISSING_OUTPUT: &str = "MissingOutput";
/// The error class of a step whose context, configuration or state does not fit.
pub const BAD_INPUT: &str = "BadInput";

type Source = Box<dyn Error + Send + Sync>;

/// What a step returns.
pub type StepResult<T> = Result<T, StepError>;

/// What a failed attempt says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Another attempt after the step's usual wait, as far as its limit allows.
    Later,
    /// Another attempt after exactly that wait.
    After(Duration),
    /// No other attempt.
    Never,
    /// It did not fail: it sleeps that long, and the attempt does not count.
    Snooze(Duration),
}

/// Why a step did not yield its output.
///
/// It is not a [`std::error::Error`] itself, so that `?` can take every error, whatever its type: any error is
/// retryable unless something in its chain of sources is [`Permanent`] or [`RetryAfter`].
///
/// ```
/// use tasker_engine::{Retry, StepError, StepResult};
///
/// fn parse(text: &str) -> StepResult<u64> {
///     Ok(text.parse::<u64>()?)
/// }
/// assert_eq!(parse("seven").unwrap_err().retry(), Retry::Later);
/// assert_eq!(StepError::permanent("the cart is empty").retry(), Retry::Never);
/// ```
pub struct StepError {
    retry: Retry,
    class: Cow<'static, str>,
    code: Option<String>,
    source: Source,
}

impl StepError {
    fn new<E: Into<Source>>(retry: Retry, error: E) -> Self {
        Self { retry, class: class_of::<E>(), code: None, source: error.into() }
    }

    /// May be tried again, after the step's usual wait.
    pub fn retryable(error: impl Into<Source>) -> Self {
        Self::new(Retry::Later, error)
    }

    /// Can never succeed: no other attempt.
    pub fn permanent(error: impl Into<Source>) -> Self {
        Self::new(Retry::Never, error)
    }

    /// May be tried again after exactly that wait.
    pub fn retry_after(wait: Duration, error: impl Into<Source>) -> Self {
        Self::new(Retry::After(wait), error)
    }

    /// Not a failure: run the step again after that time, and do not count this attempt.
    pub fn snooze(wait: Duration) -> Self {
        Self::new(Retry::Snooze(wait), "snoozed")
    }

    /// Adds a code of your choice, which is stored.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// Sets the class under which the error is stored; the type's name by default.
    #[must_use]
    pub fn class(mut self, class: impl Into<Cow<'static, str>>) -> Self {
        self.class = class.into();
        self
    }

    /// What it says about the next attempt.
    pub const fn retry(&self) -> Retry {
        self.retry
    }

    /// What is stored of it.
    pub fn report(&self) -> ErrorReport {
        ErrorReport { class: self.class.to_string(), message: self.chain(), code: self.code.clone() }
    }

    /// What the storage is told about the next attempt; `None` for a snooze.
    pub(crate) const fn advice(&self) -> RetryAdvice {
        match self.retry {
            Retry::Later | Retry::Snooze(_) => RetryAdvice::Default,
            Retry::After(wait) => RetryAdvice::After(wait),
            Retry::Never => RetryAdvice::Never,
        }
    }

    /// The text with those of its sources, each once.
    fn chain(&self) -> String {
        let mut text = self.source.to_string();
        let mut source = self.source.source();
        while let Some(error) = source {
            let more = error.to_string();
            if !text.contains(&more) {
                text.push_str(": ");
                text.push_str(&more);
            }
            source = error.source();
        }
        text
    }
}

/// The type's name; plain texts have none worth telling.
fn class_of<E>() -> Cow<'static, str> {
    match type_name::<E>() {
        "&str" | "alloc::string::String" => Cow::Borrowed("StepError"),
        name if name.starts_with("alloc::boxed::Box<dyn") => Cow::Borrowed("StepError"),
        name => Cow::Borrowed(name),
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.chain())
    }
}

impl fmt::Debug for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({:?}", self.chain(), self.retry)?;
        if let Some(code) = &self.code {
            write!(f, ", {code}")?;
        }
        f.write_str(")")
    }
}

impl<E: Into<Source>> From<E> for StepError {
    fn from(error: E) -> Self {
        let class = class_of::<E>();
        let source: Source = error.into();
        Self { retry: verdict(&*source), class, code: None, source }
    }
}

/// What the first error of the chain that has an opinion says.
fn verdict(error: &(dyn Error + 'static)) -> Retry {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<Permanent>() {
            return Retry::Never;
        }
        if let Some(after) = error.downcast_ref::<RetryAfter>() {
            return Retry::After(after.wait);
        }
        next = error.source();
    }
    Retry::Later
}

/// An error that makes a step give up, wherever it stands in a chain of sources.
///
/// Use it deep inside code that knows nothing of steps: `anyhow::bail!(Permanent::new("card is stolen"))`.
#[derive(Debug)]
pub struct Permanent {
    message: String,
}

impl Permanent {
    /// With a text for people.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for Permanent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for Permanent {}

/// An error that says when to try again, wherever it stands in a chain of sources.
#[derive(Debug)]
pub struct RetryAfter {
    wait: Duration,
    message: String,
}

impl RetryAfter {
    /// With a text for people.
    pub fn new(wait: Duration, message: impl Into<String>) -> Self {
        Self { wait, message: message.into() }
    }
}

impl fmt::Display for RetryAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for RetryAfter {}

/// An error type that says itself what is to be done.
///
/// Implement it for an enum of yours and return `Result<T, MyError>` from the step. Beware: `?` on such an error inside
/// a function that returns [`StepResult`] takes the way of every other error, and `fail` is not asked.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say whether the step may be retried",
    label = "this error type",
    note = "return `StepResult<T>`: there `?` turns every error into a retryable one, and `.permanent()?` gives up",
    note = "or implement `tasker::Fail` for `{Self}`, as `#[derive(Fail)]` does"
)]
pub trait Fail {
    /// What is to be done.
    fn fail(self) -> StepError;
}

impl Fail for StepError {
    fn fail(self) -> StepError {
        self
    }
}

/// Says of any error, where it occurs, what is to be done.
pub trait ResultExt<T> {
    /// Gives up.
    ///
    /// # Errors
    /// The same, permanent.
    fn permanent(self) -> StepResult<T>;

    /// Tries again after exactly that wait.
    ///
    /// # Errors
    /// The same, with that wait.
    fn retry_after(self, wait: Duration) -> StepResult<T>;
}

impl<T, E: Into<Source>> ResultExt<T> for Result<T, E> {
    fn permanent(self) -> StepResult<T> {
        self.map_err(StepError::permanent)
    }
    fn retry_after(self, wait: Duration) -> StepResult<T> {
        self.map_err(|error| StepError::retry_after(wait, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Wrapped(Permanent);
    impl fmt::Display for Wrapped {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("could not pay")
        }
    }
    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&self.0)
        }
    }

    #[test]
    fn a_permanent_source_survives_wrapping() {
        let error = StepError::from(Wrapped(Permanent::new("card is stolen")));
        assert_eq!(error.retry(), Retry::Never);
        assert_eq!(error.to_string(), "could not pay: card is stolen");
        let wait = Duration::from_secs(3);
        assert_eq!(StepError::from(RetryAfter::new(wait, "busy")).retry(), Retry::After(wait));
    }

    #[test]
    fn the_class_is_the_type_and_plain_texts_have_none() {
        assert_eq!(
            StepError::from("x".parse::<u8>().unwrap_err()).report().class,
            type_name::<std::num::ParseIntError>()
        );
        assert_eq!(StepError::from("text").report().class, "StepError");
        assert_eq!(StepError::permanent("text").class("Odd").code("E1").report().code.as_deref(), Some("E1"));
    }
}
