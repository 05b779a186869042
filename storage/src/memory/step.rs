//! How a step stands.

use std::sync::Arc;

use serde_json::Value;
use tasker_engine::decide::{Attempted, BlockedWhy, Readiness, StepFacts, Tally, not_before, readiness};
use tasker_engine::{StepState, Timestamp};

use super::rows::{Place, Row};

/// What changes of a step. What does not stands in the graph.
#[derive(Clone)]
pub(super) struct Step {
    pub(super) state: StepState,
    pub(super) attempts: u32,
    pub(super) retry_limit: u32,
    pub(super) retryable: bool,
    /// How many of its parents are not satisfied. Kept, so that nobody has to ask all parents of a wide join each time
    /// that one of them is done.
    pub(super) waits_for: usize,
    /// Its latest row.
    pub(super) latest: Option<Place>,
    pub(super) last_attempted_at: Option<Timestamp>,
    pub(super) backoff_request_seconds: Option<i32>,
    /// What it yielded; an empty object when absent.
    pub(super) results: Option<Arc<Value>>,
}

impl Step {
    pub(super) const fn new(retry_limit: u32, retryable: bool, parents: usize) -> Self {
        Self {
            state: StepState::Pending,
            attempts: 0,
            retry_limit,
            retryable,
            waits_for: parents,
            latest: None,
            last_attempted_at: None,
            backoff_request_seconds: None,
            results: None,
        }
    }

    /// What its readiness depends on; `latest` is its latest row.
    pub(super) fn facts(&self, latest: Option<&Row<StepState>>) -> StepFacts {
        let wait = latest.and_then(|row| {
            not_before(&Attempted {
                state: self.state,
                since: row.at,
                backoff_until: row.note.backoff_until(),
                attempts: self.attempts,
                last_attempted_at: self.last_attempted_at,
                backoff_request_seconds: self.backoff_request_seconds,
            })
        });
        StepFacts { not_before: wait, ..self.facts_without_time() }
    }

    const fn facts_without_time(&self) -> StepFacts {
        StepFacts {
            state: self.state,
            attempts: self.attempts,
            retry_limit: self.retry_limit,
            retryable: self.retryable,
            not_before: None,
        }
    }

    /// Why it may never run again by itself.
    pub(super) fn blocked(&self) -> Option<BlockedWhy> {
        self.facts_without_time().blocked()
    }

    /// Whether it can be claimed, now or at a known moment, without anybody else doing anything.
    pub(super) fn can_move(&self) -> bool {
        let readiness = readiness(&self.facts_without_time(), self.waits_for == 0, Timestamp::EPOCH);
        matches!(readiness, Readiness::Ready | Readiness::WaitingUntil(_))
    }

    /// Counts it where it stands now.
    pub(super) fn count_into(&self, tally: &mut Tally) {
        if let Some(count) = self.count_in(tally) {
            *count += 1;
        }
    }

    /// Takes it out of the count; to be called before it changes.
    pub(super) fn count_out_of(&self, tally: &mut Tally) {
        if let Some(count) = self.count_in(tally) {
            *count -= 1;
        }
    }

    /// The part of the tally that it belongs to; the time does not matter, since one that waits for it may move too.
    fn count_in<'a>(&self, tally: &'a mut Tally) -> Option<&'a mut usize> {
        match readiness(&self.facts_without_time(), self.waits_for == 0, Timestamp::EPOCH) {
            Readiness::Settled if self.state.is_satisfied() => Some(&mut tally.satisfied),
            Readiness::Settled => Some(&mut tally.cancelled),
            Readiness::Running => Some(&mut tally.running),
            Readiness::Blocked(_) => Some(&mut tally.blocked),
            Readiness::Ready | Readiness::WaitingUntil(_) => Some(&mut tally.movable),
            Readiness::WaitingForParents => None,
        }
    }
}
