//! May a step run now?

use serde::{Deserialize, Serialize};

use crate::{StepState, Timestamp};

/// What is known of a step when its readiness is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepFacts {
    /// The stored state.
    pub state: StepState,
    /// Attempts begun so far; counted when a step is claimed.
    pub attempts: u32,
    /// How many attempts there may be in all; 3 where the database holds null.
    pub retry_limit: u32,
    /// Whether a failed attempt may be followed by another. Says nothing about the first one.
    pub retryable: bool,
    /// The end of its back-off, or of its snooze: see [`not_before`](super::not_before).
    pub not_before: Option<Timestamp>,
}

/// Why a step may never run again by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockedWhy {
    /// As many attempts as its limit allows have been begun.
    RetriesExhausted,
    /// It failed for good.
    NotRetryable,
}

/// The answer for one step at one moment; exactly one holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Complete, resolved or cancelled.
    Settled,
    /// Claimed by some worker.
    Running,
    /// Never again without an operator, whatever its parents do.
    Blocked(BlockedWhy),
    /// Some parent is not satisfied.
    WaitingForParents,
    /// Its parents are satisfied; it may run from that moment on.
    WaitingUntil(Timestamp),
    /// It may be claimed.
    Ready,
}

impl StepFacts {
    /// Whether, and why, the step may never run again by itself.
    pub const fn blocked(&self) -> Option<BlockedWhy> {
        if !matches!(self.state, StepState::Pending | StepState::Error) {
            None
        } else if self.attempts >= self.retry_limit {
            Some(BlockedWhy::RetriesExhausted)
        } else if !self.retryable && self.attempts > 0 {
            Some(BlockedWhy::NotRetryable)
        } else {
            None
        }
    }
}

/// Judges one step. A back-off that ends exactly `now` is over.
///
/// ```
/// use tasker_engine::{decide::{readiness, Readiness, StepFacts}, StepState, Timestamp};
///
/// let step = StepFacts { state: StepState::Pending, attempts: 0, retry_limit: 3, retryable: true, not_before: None };
/// assert_eq!(readiness(&step, true, Timestamp::EPOCH), Readiness::Ready);
/// assert_eq!(readiness(&step, false, Timestamp::EPOCH), Readiness::WaitingForParents);
/// ```
pub fn readiness(step: &StepFacts, parents_satisfied: bool, now: Timestamp) -> Readiness {
    match step.state {
        StepState::InProgress => return Readiness::Running,
        state if state.is_settled() => return Readiness::Settled,
        _ => {}
    }
    if let Some(why) = step.blocked() {
        return Readiness::Blocked(why);
    }
    if !parents_satisfied {
        return Readiness::WaitingForParents;
    }
    match step.not_before {
        Some(end) if end > now => Readiness::WaitingUntil(end),
        _ => Readiness::Ready,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn any_step() -> impl Strategy<Value = StepFacts> {
        (0..6usize, 0..6u32, 0..5u32, any::<bool>(), proptest::option::of(0..200i64)).prop_map(
            |(state, attempts, retry_limit, retryable, end)| StepFacts {
                state: StepState::ALL[state],
                attempts,
                retry_limit,
                retryable,
                not_before: end.map(Timestamp::from_micros),
            },
        )
    }

    proptest! {
        #[test]
        fn a_ready_step_satisfies_every_condition(step in any_step(), parents: bool, now in 0..200i64) {
            let now = Timestamp::from_micros(now);
            let ready = readiness(&step, parents, now) == Readiness::Ready;
            let conditions = matches!(step.state, StepState::Pending | StepState::Error)
                && parents
                && step.attempts < step.retry_limit
                && (step.retryable || step.attempts == 0)
                && step.not_before.is_none_or(|end| end <= now);
            prop_assert_eq!(ready, conditions);
        }

        #[test]
        fn waiting_for_a_moment_ends_exactly_there(step in any_step(), now in 0..200i64) {
            if let Readiness::WaitingUntil(end) = readiness(&step, true, Timestamp::from_micros(now)) {
                prop_assert!(end > Timestamp::from_micros(now));
                prop_assert_eq!(readiness(&step, true, end), Readiness::Ready);
            }
        }

        #[test]
        fn a_blocked_step_is_blocked_whatever_its_parents_do(step in any_step(), now in 0..200i64) {
            let now = Timestamp::from_micros(now);
            let blocked = |parents| matches!(readiness(&step, parents, now), Readiness::Blocked(_));
            prop_assert_eq!(blocked(true), blocked(false));
            prop_assert_eq!(blocked(true), step.blocked().is_some());
        }
    }

    #[test]
    fn the_first_attempt_needs_no_permission_to_retry() {
        let step = StepFacts {
            state: StepState::Pending,
            attempts: 0,
            retry_limit: 1,
            retryable: false,
            not_before: None,
        };
        assert_eq!(readiness(&step, true, Timestamp::EPOCH), Readiness::Ready);
    }
}
