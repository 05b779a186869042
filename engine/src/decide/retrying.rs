//! May a step be tried again, and when? The words and numbers in which the reference tells it.

use super::words::words;
use super::{Attempted, BlockingReason, StepFacts, blocking_reason, not_before};
use crate::{StepRecord, StepState, Timestamp};

words! {
    /// Whether a step may be tried again.
    RetryStatus, "status of a retry";
    /// As many attempts as its limit allows have been begun.
    MaxRetriesReached = "max_retries_reached",
    /// It waits for the end of its back-off, or of its snooze.
    WaitingForBackoff = "waiting_for_backoff",
    /// It has attempts left and need not wait. Says nothing about its parents, nor about a failure for good: that is
    /// what [`blocking_reason`] is for.
    RetryEligible = "retry_eligible",
}

/// Whether the step may be tried again.
pub fn retry_status(step: &StepFacts, now: Timestamp) -> RetryStatus {
    if step.attempts >= step.retry_limit {
        RetryStatus::MaxRetriesReached
    } else if step.not_before.is_some_and(|end| end > now) {
        RetryStatus::WaitingForBackoff
    } else {
        RetryStatus::RetryEligible
    }
}

/// Whether a step that failed may be claimed again at once.
pub fn can_retry_now(step: &StepRecord, parents_satisfied: bool, now: Timestamp) -> bool {
    step.current.state == StepState::Error && blocking_reason(step, parents_satisfied, now).is_none()
}

/// Whether the step waits for nothing but the end of its back-off.
pub fn waits_for_backoff(step: &StepRecord, parents_satisfied: bool, now: Timestamp) -> bool {
    blocking_reason(step, parents_satisfied, now) == Some(BlockingReason::WaitingForBackoff)
}

/// The moment that is told as that of the next attempt: [`not_before`]; and in a state in which none is due, what was
/// asked for, as the reference tells it.
pub fn next_retry_at(step: &Attempted) -> Option<Timestamp> {
    not_before(step).or_else(|| step.as_requested())
}

/// How long the step waits after its last attempt by the reference's two gates, in seconds: what was asked for, also
/// where no attempt is known from which it would run; else min(2^attempts, 30) once it was tried or has failed.
pub fn effective_backoff_seconds(step: &Attempted) -> i64 {
    match step.backoff_request_seconds {
        Some(seconds) => seconds.into(),
        None if step.attempts > 0 || step.state == StepState::Error => {
            i64::try_from(step.exponential().as_secs()).expect("at most 30")
        }
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixture::{NOW, a_step};
    use super::*;

    const SOON: Timestamp = Timestamp::from_micros(NOW.as_micros() + 1);

    #[test]
    fn the_status_is_told_in_the_order_of_its_words() {
        let status = |step: &StepRecord| retry_status(&step.facts(), NOW);
        assert_eq!(status(&a_step()), RetryStatus::RetryEligible);
        assert_eq!(status(&a_step().waiting_until(SOON)), RetryStatus::WaitingForBackoff);
        assert_eq!(status(&a_step().waiting_until(NOW)), RetryStatus::RetryEligible);
        let exhausted = StepRecord { attempts: 3, ..a_step().waiting_until(SOON) };
        assert_eq!(status(&exhausted), RetryStatus::MaxRetriesReached);
    }

    #[test]
    fn only_a_failed_step_that_is_ready_can_be_retried_now() {
        let failed = a_step().in_state(StepState::Error).waiting_until(NOW);
        assert!(can_retry_now(&failed, true, NOW));
        assert!(!can_retry_now(&failed, false, NOW));
        assert!(!can_retry_now(&a_step(), true, NOW), "it is pending");
        assert!(!can_retry_now(&failed.clone().waiting_until(SOON), true, NOW));
        assert!(!can_retry_now(&StepRecord { in_process: true, ..failed.clone() }, true, NOW));
        assert!(!can_retry_now(&StepRecord { attempts: 1, retryable: false, ..failed }, true, NOW));
    }

    #[test]
    fn a_step_that_waits_for_its_parents_too_does_not_wait_for_its_backoff_only() {
        assert!(waits_for_backoff(&a_step().waiting_until(SOON), true, NOW));
        assert!(!waits_for_backoff(&a_step().waiting_until(SOON), false, NOW));
        assert!(!waits_for_backoff(&a_step(), true, NOW));
    }

    fn tried(state: StepState) -> Attempted {
        Attempted {
            state,
            since: NOW,
            backoff_until: None,
            attempts: 2,
            last_attempted_at: Some(NOW),
            backoff_request_seconds: Some(10),
        }
    }

    #[test]
    fn what_was_asked_for_is_told_in_every_state() {
        let ten = Some(NOW + Duration::from_secs(10));
        for state in StepState::ALL {
            assert_eq!(next_retry_at(&tried(state)), ten, "{state}");
            let unasked = Attempted { backoff_request_seconds: None, ..tried(state) };
            let four = Some(NOW + Duration::from_secs(4));
            assert_eq!(next_retry_at(&unasked), four.filter(|_| state == StepState::Error), "{state}");
        }
    }

    #[test]
    fn the_effective_backoff_is_what_was_asked_for_or_doubles_up_to_thirty_seconds() {
        let seconds = |state, attempts, asked| {
            let step = Attempted {
                attempts,
                backoff_request_seconds: asked,
                last_attempted_at: None,
                ..tried(state)
            };
            effective_backoff_seconds(&step)
        };
        assert_eq!(seconds(StepState::Pending, 5, Some(7)), 7);
        assert_eq!(seconds(StepState::Error, 5, Some(0)), 0);
        assert_eq!(
            [0, 1, 4, 5, 99].map(|attempts| seconds(StepState::Error, attempts, None)),
            [1, 2, 16, 30, 30]
        );
        assert_eq!([0, 1].map(|attempts| seconds(StepState::Pending, attempts, None)), [0, 2]);
    }
}
