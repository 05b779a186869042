//! What ties together everything that was done for one request, across steps, processes and systems.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::Timestamp;

/// Under which name logs, traces and other systems know what a task is part of. It is stored with the task when it is
/// created, and every run of its steps is given it.
///
/// ```
/// use tasker_engine::CorrelationId;
///
/// assert!(CorrelationId::accept("checkout-7").is_some());
/// assert!(CorrelationId::accept("no blanks").is_none());
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct CorrelationId(Arc<str>);

impl CorrelationId {
    /// The longest that is accepted.
    pub const LONGEST: usize = 100;

    /// A new one, as the reference writes them: `tsk_`, the milliseconds in base 36, and six letters or digits.
    pub fn new(now: Timestamp, random: u128) -> Self {
        let millis = u128::try_from(now.as_micros() / 1000).unwrap_or(0);
        let tail = digits(random % LETTERS_AND_DIGITS.pow(6), LETTERS_AND_DIGITS);
        Self(format!("tsk_{}_{tail:0>6}", digits(millis, 36)).into())
    }

    /// One that somebody else chose, unless it is odd: letters, digits, `_` and `-`, the first neither of the last two, at
    /// most a hundred.
    pub fn accept(text: &str) -> Option<Self> {
        let mut characters = text.chars();
        let first = characters.next().is_some_and(|first| first.is_ascii_alphanumeric());
        let rest = characters.all(|other| other.is_ascii_alphanumeric() || matches!(other, '_' | '-'));
        (first && rest && text.len() <= Self::LONGEST).then(|| Self(text.into()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const LETTERS_AND_DIGITS: u128 = 62;

fn digits(mut number: u128, base: u128) -> String {
    let mut text = vec![];
    loop {
        let digit = usize::try_from(number % base).expect("a digit");
        text.push(char::from(DIGITS[digit]));
        number /= base;
        if number == 0 {
            return text.iter().rev().collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_new_one_is_written_as_the_reference_writes_it() {
        let now = Timestamp::from_micros(1_767_225_600_123_456);
        assert_eq!(CorrelationId::new(now, 0).as_str(), "tsk_mjuohs3f_000000");
        assert_eq!(CorrelationId::new(now, 61).as_str(), "tsk_mjuohs3f_00000Z");
    }

    #[test]
    fn odd_ones_are_not_accepted() {
        for odd in ["", "-a", "_a", "a b", "a\n", "ä", "a.b", &"a".repeat(101)] {
            assert_eq!(CorrelationId::accept(odd), None, "{odd:?}");
        }
        for fine in ["a", "7-_x", &"a".repeat(100)] {
            assert_eq!(CorrelationId::accept(fine).expect("accepted").as_str(), fine);
        }
    }

    proptest! {
        #[test]
        fn a_new_one_is_accepted(micros in 0..i64::MAX, random: u128) {
            let new = CorrelationId::new(Timestamp::from_micros(micros), random);
            prop_assert_eq!(CorrelationId::accept(new.as_str()), Some(new));
        }
    }
}
