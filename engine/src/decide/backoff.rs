//! When may a step that was tried run again?

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{StepState, Timestamp};

/// What the last attempt left behind, as the tables hold it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempted {
    /// The stored state.
    pub state: StepState,
    /// When that state was entered: the time of its transition row.
    pub since: Timestamp,
    /// The metadata key `backoff_until` of that row.
    pub backoff_until: Option<Timestamp>,
    /// Attempts begun.
    pub attempts: u32,
    /// When the last attempt was claimed.
    pub last_attempted_at: Option<Timestamp>,
    /// The wait that was asked for, in seconds.
    pub backoff_request_seconds: Option<i32>,
}

/// The moment from which the step may run as far as waiting goes; `None` when it need not wait.
///
/// A row that carries `backoff_until` is governed by that alone (a policy, a `retry_after` or a snooze wrote it).
/// Without it both gates of the reference hold: the failure plus min(2^attempts, 30) seconds, and the last attempt
/// plus `backoff_request_seconds`; the later one counts.
pub fn not_before(step: &Attempted) -> Option<Timestamp> {
    if !matches!(step.state, StepState::Pending | StepState::Error) {
        return None;
    }
    if let Some(until) = step.backoff_until {
        return Some(until);
    }
    let after_failure = (step.state == StepState::Error).then(|| step.since + step.exponential());
    after_failure.max(step.as_requested())
}

impl Attempted {
    /// The end of the wait that was asked for.
    pub(super) fn as_requested(&self) -> Option<Timestamp> {
        let (tried, seconds) = self.last_attempted_at.zip(self.backoff_request_seconds)?;
        Some(tried + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }

    /// min(2^attempts, 30) seconds, the reference's wait after a failure.
    pub(super) fn exponential(&self) -> Duration {
        after_failure(self.attempts)
    }
}

/// How long a step waits after that many attempts where nobody says otherwise: min(2^attempts, 30) seconds.
pub fn after_failure(attempts: u32) -> Duration {
    Duration::from_secs((1 << attempts.min(5)).min(30))
}

/// The `backoff_until` in the metadata of a row. It governs only when it is written as the audit trail writes it, to at
/// most microseconds, in the years 1 to 9999: PostgreSQL judges in SQL, and an odd text must not be read in two ways.
///
/// ```
/// use serde_json::json;
/// use tasker_engine::{Timestamp, decide::backoff_until};
///
/// assert_eq!(backoff_until(&json!({ "backoff_until": Timestamp::EPOCH })), Some(Timestamp::EPOCH));
/// assert_eq!(backoff_until(&json!({ "backoff_until": "1970-01-01 00:00:00+00" })), None);
/// ```
pub fn backoff_until(metadata: &Value) -> Option<Timestamp> {
    let text = metadata.get("backoff_until")?.as_str()?;
    let (seconds, fraction) = text.strip_suffix('Z')?.split_at_checked("0000-00-00T00:00:00".len())?;
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let shape = seconds
        .bytes()
        .zip("0000-00-00T00:00:00".bytes())
        .all(|(byte, shape)| if shape == b'0' { byte.is_ascii_digit() } else { byte == shape });
    let exact = fraction.is_empty()
        || fraction.strip_prefix('.').is_some_and(|rest| (1..=6).contains(&rest.len()) && digits(rest));
    let sound = shape && exact && !seconds.starts_with("0000") && !seconds.ends_with(":60");
    sound.then(|| text.parse().ok())?
}

/// The reference's configurable back-off: a list of waits, then a power of the attempt (its square by default), never below the list's
/// last value, spread by jitter and capped.
///
/// Applies to steps that name a retry policy; all others wait as [`not_before`] says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferenceBackoff {
    /// Seconds to wait after the first attempt, the second, and so on.
    pub list: Vec<u64>,
    /// Beyond the list: the attempt to this power, in whole seconds.
    pub power: f64,
    /// No wait is longer, in seconds.
    pub cap: u64,
    /// The share by which a wait may be longer or shorter, 0 to 1; 0 for no jitter.
    pub jitter: f64,
}

impl Default for ReferenceBackoff {
    fn default() -> Self {
        Self { list: vec![1, 2, 4, 8, 16, 32], power: 2.0, cap: 300, jitter: 0.1 }
    }
}

impl ReferenceBackoff {
    /// The wait after that many attempts (the first is 1), in whole seconds; at least one second.
    pub fn wait(&self, attempts: u32, random: &mut fastrand::Rng) -> Duration {
        let attempt = attempts.max(1);
        let listed = usize::try_from(attempt - 1).ok().and_then(|place| self.list.get(place));
        let base = match listed {
            Some(seconds) => *seconds,
            None => {
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a power of a positive number is positive, and one that is too large is the largest"
                )]
                let power = f64::from(attempt).powf(self.power) as u64;
                power.max(self.list.last().copied().unwrap_or(1))
            }
        };
        let base = base.min(self.cap);
        #[expect(clippy::cast_precision_loss, reason = "a wait is at most a few hundred seconds")]
        let spread = (base as f64 * self.jitter * (2.0 * random.f64() - 1.0)).round();
        #[expect(clippy::cast_possible_truncation, reason = "rounded, and small")]
        let seconds = base.saturating_add_signed(spread as i64);
        Duration::from_secs(seconds.max(1).min(self.cap.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn failed(attempts: u32) -> Attempted {
        Attempted {
            state: StepState::Error,
            since: Timestamp::from_micros(5_000_000),
            backoff_until: None,
            attempts,
            last_attempted_at: Some(Timestamp::from_micros(4_000_000)),
            backoff_request_seconds: None,
        }
    }

    #[test]
    fn a_failure_waits_one_two_four_up_to_thirty_seconds() {
        let waits = [0, 1, 2, 3, 4, 5, 44, 1024, u32::MAX].map(|attempts| {
            let end = not_before(&failed(attempts)).expect("a failure waits");
            end.since(Timestamp::from_micros(5_000_000)).as_secs()
        });
        assert_eq!(waits, [1, 2, 4, 8, 16, 30, 30, 30, 30]);
    }

    #[test]
    fn without_a_decided_moment_the_later_gate_holds() {
        let asked = Attempted { backoff_request_seconds: Some(60), ..failed(1) };
        assert_eq!(not_before(&asked), Some(Timestamp::from_micros(64_000_000)));
        let short = Attempted { backoff_request_seconds: Some(1), ..failed(1) };
        assert_eq!(not_before(&short), Some(Timestamp::from_micros(7_000_000)));
    }

    #[test]
    fn a_decided_moment_governs_alone() {
        let soon = Timestamp::from_micros(5_050_000);
        let step = Attempted { backoff_until: Some(soon), backoff_request_seconds: Some(60), ..failed(3) };
        assert_eq!(not_before(&step), Some(soon));
    }

    #[test]
    fn a_pending_step_waits_only_for_what_was_asked() {
        let step = Attempted { state: StepState::Pending, ..failed(1) };
        assert_eq!(not_before(&step), None);
        let asked = Attempted { backoff_request_seconds: Some(10), ..step };
        assert_eq!(not_before(&asked), Some(Timestamp::from_micros(14_000_000)));
    }

    #[test]
    fn a_moment_that_is_not_written_as_the_audit_trail_writes_it_does_not_govern() {
        for odd in [
            "",
            "soon",
            "2026-01-01",
            "2026-01-01T00:00Z",
            "2026-01-01T00:00:00",
            "2026-01-01 00:00:00Z",
            "2026-01-01t00:00:00Z",
            "2026-01-01T00:00:00z",
            "2026-01-01T00:00:00+00:00",
            "2026-01-01T00:00:00.Z",
            "2026-01-01T00:00:00.1234567Z",
            "2026-01-01T00:00:60Z",
            "2026-01-01T24:00:00Z",
            "2026-02-30T00:00:00Z",
            "0000-01-01T00:00:00Z",
            "+02026-01-01T00:00:00Z",
            "20260101T000000Z",
            "2026-01-01T00:00:00Zµ",
            "µµµµµµµµµµZ",
        ] {
            assert_eq!(backoff_until(&json!({ "backoff_until": odd })), None, "{odd}");
        }
        assert_eq!(backoff_until(&json!({ "backoff_until": 5 })), None);
        assert_eq!(backoff_until(&json!(null)), None);
        for sound in ["2024-02-29T23:59:59Z", "0001-01-01T00:00:00.1Z", "9999-12-30T21:59:59.999999Z"] {
            let moment = sound.parse().unwrap();
            assert_eq!(backoff_until(&json!({ "backoff_until": sound })), Some(moment), "{sound}");
        }
    }

    proptest! {
        #[test]
        fn every_moment_that_we_write_governs(micros in -62_135_596_800_000_000..253_402_207_200_000_000_i64) {
            let moment = Timestamp::from_micros(micros);
            prop_assert_eq!(backoff_until(&json!({ "backoff_until": moment })), Some(moment));
        }

        #[test]
        fn the_listed_waits_never_fall_and_keep_the_cap(seed: u64, cap in 1..400u64, jitter in 0.0..1.0f64) {
            let policy = ReferenceBackoff { cap, jitter, ..ReferenceBackoff::default() };
            let mut random = fastrand::Rng::with_seed(seed);
            for attempt in 0..60 {
                let wait = policy.wait(attempt, &mut random).as_secs();
                prop_assert!((1..=cap).contains(&wait));
            }
            let plain = ReferenceBackoff { jitter: 0.0, ..policy };
            let waits: Vec<_> = (1..60).map(|attempt| plain.wait(attempt, &mut random)).collect();
            prop_assert!(waits.is_sorted());
        }
    }
}
