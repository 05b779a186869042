//! Seconds as a file writes them, in whole microseconds: exact, never by way of a binary fraction.

use std::fmt;
use std::time::Duration;

/// Whole microseconds. Written as seconds with six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Micros(pub(crate) u64);

impl Micros {
    /// Takes the text of a JSON number of seconds; half a microsecond is rounded up. `None` when it is no number, below
    /// zero, or more than 64 bits hold.
    pub(crate) fn of_seconds(number: &str) -> Option<Self> {
        let unsigned = number.strip_prefix('-').unwrap_or(number);
        let (mantissa, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, fraction].concat();
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_start_matches('0');
        if significant.is_empty() {
            return Some(Self(0));
        }
        if unsigned.len() < number.len() {
            return None;
        }
        // How many of the significant digits stand before the point, once seconds are microseconds.
        let zeros = digits.len() - significant.len();
        let before_point =
            exponent.parse::<i64>().ok()?.checked_add(6 + whole.len() as i64 - zeros as i64)?;
        shifted(significant, before_point).map(Self)
    }
}

/// The number that has so many of these digits before its point, to the nearest whole.
fn shifted(digits: &str, before_point: i64) -> Option<u64> {
    let Ok(before_point) = usize::try_from(before_point) else { return Some(0) };
    // Twenty digits hold every 64-bit number, and keep an absurd exponent from filling the memory with zeros.
    if before_point > 20 {
        return None;
    }
    let (whole, rest) = digits.split_at_checked(before_point).unwrap_or((digits, ""));
    let whole: u64 = format!("0{whole:0<before_point$}").parse().ok()?;
    whole.checked_add(u64::from(rest.starts_with(['5', '6', '7', '8', '9'])))
}

impl From<Micros> for Duration {
    fn from(micros: Micros) -> Self {
        Self::from_micros(micros.0)
    }
}

impl From<Duration> for Micros {
    fn from(duration: Duration) -> Self {
        Self(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:06}", self.0 / 1_000_000, self.0 % 1_000_000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_digit_of_a_number_counts() {
        for (text, micros) in [
            ("0", 0),
            ("-0.0", 0),
            ("0e999999", 0),
            ("16.15", 16_150_000),
            ("80.652465", 80_652_465),
            ("1.08005e4", 10_800_500_000),
            ("123E-2", 1_230_000),
            ("0.0000004999999999999999999999", 0),
            ("0.0000005", 1),
            ("0.00000049e1", 5),
            ("1e-999999", 0),
            ("9007199254.740993", 9_007_199_254_740_993),
            ("18446744073709.551615", u64::MAX),
        ] {
            assert_eq!(Micros::of_seconds(text), Some(Micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        let huge = ["18446744073709.5516155", "1e15", "1e999999999", "1e99999999999999999999"];
        for text in ["", "-1", "-0.5", "null", "\"12\"", "[1]"].into_iter().chain(huge) {
            assert_eq!(Micros::of_seconds(text), None, "{text}");
        }
    }

    #[test]
    fn it_is_written_with_six_decimals() {
        assert_eq!(Micros(91_370_927).to_string(), "91.370927");
        assert_eq!(Micros(5).to_string(), "0.000005");
    }
}
