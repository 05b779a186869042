//! Why does a step not run now?

use super::words::words;
use crate::{StepRecord, StepState, Timestamp};

words! {
    /// What keeps a step from running, in one word; the first of several in the order in which they stand here.
    BlockingReason, "reason that blocks a step";
    /// It is complete, resolved or cancelled.
    InvalidState = "invalid_state",
    /// Some worker has claimed it.
    InProcess = "in_process",
    /// Some parent is not satisfied.
    DependenciesNotSatisfied = "dependencies_not_satisfied",
    /// As many attempts as its limit allows have been begun.
    RetryNotEligible = "retry_not_eligible",
    /// It failed for good.
    NotRetryable = "not_retryable",
    /// Its columns say that it is done, though its state does not: rows that nobody should have written.
    AlreadyProcessed = "already_processed",
    /// It waits for the end of its back-off, or of its snooze, and for nothing else.
    WaitingForBackoff = "waiting_for_backoff",
}

/// Why the step may not be claimed; `None` exactly when it may. A back-off that ends exactly `now` is over.
pub fn blocking_reason(step: &StepRecord, parents_satisfied: bool, now: Timestamp) -> Option<BlockingReason> {
    use BlockingReason as R;
    let facts = step.facts();
    if facts.state.is_settled() {
        Some(R::InvalidState)
    } else if facts.state == StepState::InProgress || step.in_process {
        Some(R::InProcess)
    } else if !parents_satisfied {
        Some(R::DependenciesNotSatisfied)
    } else if facts.attempts >= facts.retry_limit {
        Some(R::RetryNotEligible)
    } else if facts.blocked().is_some() {
        Some(R::NotRetryable)
    } else if step.processed {
        Some(R::AlreadyProcessed)
    } else if facts.not_before.is_some_and(|end| end > now) {
        Some(R::WaitingForBackoff)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixture::{NOW, a_step};
    use super::super::{Readiness, readiness};
    use super::BlockingReason as R;
    use super::*;

    fn reason(step: &StepRecord) -> Option<R> {
        blocking_reason(step, true, NOW)
    }

    #[test]
    fn each_reason_is_given_where_it_is_the_only_one() {
        use StepState as S;
        let soon = NOW + Duration::from_micros(1);
        for state in [S::Complete, S::Cancelled, S::ResolvedManually] {
            assert_eq!(reason(&a_step().in_state(state)), Some(R::InvalidState));
        }
        assert_eq!(reason(&a_step().in_state(S::InProgress)), Some(R::InProcess));
        assert_eq!(reason(&StepRecord { in_process: true, ..a_step() }), Some(R::InProcess));
        assert_eq!(blocking_reason(&a_step(), false, NOW), Some(R::DependenciesNotSatisfied));
        assert_eq!(reason(&StepRecord { attempts: 3, ..a_step() }), Some(R::RetryNotEligible));
        let failed_for_good = StepRecord { attempts: 1, retryable: false, ..a_step() };
        assert_eq!(reason(&failed_for_good), Some(R::NotRetryable));
        assert_eq!(reason(&StepRecord { processed: true, ..a_step() }), Some(R::AlreadyProcessed));
        assert_eq!(reason(&a_step().waiting_until(soon)), Some(R::WaitingForBackoff));
        assert_eq!(reason(&a_step().waiting_until(NOW)), None, "a back-off that ends now is over");
        assert_eq!(reason(&StepRecord { retryable: false, ..a_step() }), None, "the first attempt");
    }

    #[test]
    fn the_first_of_several_reasons_is_given() {
        // Every condition but the first two at once; then one after the other goes away.
        let soon = NOW + Duration::from_secs(1);
        let mut step = a_step().in_state(StepState::Error).waiting_until(soon);
        (step.attempts, step.retryable, step.processed, step.in_process) = (3, false, true, true);
        let mut reasons = vec![blocking_reason(&step, false, NOW)];
        step.in_process = false;
        reasons.push(blocking_reason(&step, false, NOW));
        reasons.push(reason(&step));
        step.attempts = 2;
        reasons.push(reason(&step));
        step.retryable = true;
        reasons.push(reason(&step));
        step.processed = false;
        reasons.push(reason(&step));
        reasons.push(blocking_reason(&step, true, soon));
        let mut expected: Vec<_> = R::ALL[1..].iter().copied().map(Some).collect();
        expected.push(None);
        assert_eq!(reasons, expected);
    }

    #[test]
    fn nothing_blocks_a_step_exactly_when_it_is_ready() {
        for state in StepState::ALL {
            for bits in 0..16 {
                let wait = [None, Some(NOW), Some(NOW + Duration::from_secs(1))][bits % 3];
                let mut step = a_step().in_state(state);
                (step.attempts, step.retryable) = ([0, 2, 3, 4][bits / 4], bits % 2 == 0);
                if let Some(end) = wait {
                    step = step.waiting_until(end);
                }
                for parents in [false, true] {
                    let ready = readiness(&step.facts(), parents, NOW) == Readiness::Ready;
                    assert_eq!(blocking_reason(&step, parents, NOW).is_none(), ready, "{step:?}");
                }
            }
        }
    }
}
