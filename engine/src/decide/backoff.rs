//! When may a step that was tried run again?

use std::time::Duration;

use serde::{Deserialize, Serialize};

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
    let after_failure = (step.state == StepState::Error).then(|| step.since + exponential(step.attempts));
    let as_requested = step
        .last_attempted_at
        .zip(step.backoff_request_seconds)
        .map(|(tried, seconds)| tried + Duration::from_secs(u64::try_from(seconds).unwrap_or(0)));
    after_failure.max(as_requested)
}

/// min(2^attempts, 30) seconds, the reference's wait after a failure.
fn exponential(attempts: u32) -> Duration {
    Duration::from_secs((1 << attempts.min(5)).min(30))
}

/// The reference's configurable back-off: a list of waits, then the square of the attempt, never below the list's
/// last value, spread by jitter and capped.
///
/// Applies to steps that name a retry policy; all others wait as [`not_before`] says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferenceBackoff {
    /// Seconds to wait after the first attempt, the second, and so on.
    pub list: Vec<u64>,
    /// No wait is longer, in seconds.
    pub cap: u64,
    /// The share by which a wait may be longer or shorter, 0 to 1; 0 for no jitter.
    pub jitter: f64,
}

impl Default for ReferenceBackoff {
    fn default() -> Self {
        Self { list: vec![1, 2, 4, 8, 16, 32], cap: 300, jitter: 0.1 }
    }
}

impl ReferenceBackoff {
    /// The wait after that many attempts (the first is 1), in whole seconds; at least one second.
    pub fn wait(&self, attempts: u32, random: &mut fastrand::Rng) -> Duration {
        let attempt = u64::from(attempts.max(1));
        let listed = usize::try_from(attempt - 1).ok().and_then(|place| self.list.get(place));
        let base = match listed {
            Some(seconds) => *seconds,
            None => attempt.saturating_mul(attempt).max(self.list.last().copied().unwrap_or(1)),
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

    proptest! {
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
