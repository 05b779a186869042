//! What is told of lost workers, and of claims that were handed back.

use std::collections::BTreeMap;
use std::time::Duration;

use super::step::Attempted;
use crate::engine::Shared;
use crate::events::payload::WorkerLost;
use crate::{EngineTypes, ErrorReport, EventName, Fact, HandedBack, Rescued, RetryAdvice, TaskId, Timestamp};

impl<T: EngineTypes> Shared<T> {
    /// Tells which steps were taken from which workers.
    pub(crate) async fn tell_rescued(&self, rescued: &[Rescued], at: Timestamp) {
        let Some(mut facts) = self.facts().filter(|_| !rescued.is_empty()) else { return };
        facts.at = at;
        let mut lost: BTreeMap<_, usize> = BTreeMap::new();
        for one in rescued {
            *lost.entry(one.worker).or_default() += 1;
        }
        for (worker_id, step_count) in lost {
            facts.add_of_engine(EventName::WorkerLost, |timestamp| {
                Fact::WorkerLost(Box::new(WorkerLost { worker_id, step_count, timestamp }))
            });
        }
        let error = ErrorReport::worker_lost();
        let abouts = self.about(&tasks(rescued.iter().map(|one| one.task))).await;
        for one in rescued {
            let about = abouts.iter().find(|about| about.task() == one.task).expect("each was asked for");
            let attempted = Attempted {
                step: one.step,
                attempt: one.attempt,
                by: Some(one.by),
                claimed_at: None,
                duration: Duration::ZERO,
            };
            facts.attempt_failed(about, &attempted, &error, RetryAdvice::Default, one.blocked);
        }
        self.publish(facts);
    }

    /// Tells which claims were handed back, of which nobody was told.
    pub(crate) async fn tell_handed_back(&self, claims: &[HandedBack], at: Timestamp) {
        let Some(mut facts) = self.facts().filter(|_| !claims.is_empty()) else { return };
        facts.at = at;
        let abouts = self.about(&tasks(claims.iter().map(|claim| claim.task))).await;
        for claim in claims {
            let about = abouts.iter().find(|about| about.task() == claim.task).expect("each was asked for");
            let attempted = Attempted {
                step: claim.step,
                attempt: about.attempts(claim.step) + 1,
                by: Some(claim.by),
                claimed_at: None,
                duration: Duration::ZERO,
            };
            facts.taken_back(about, &attempted, "handed_back", None);
        }
        self.publish(facts);
    }
}

/// Each once, ascending.
fn tasks(tasks: impl Iterator<Item = TaskId>) -> Vec<TaskId> {
    let mut tasks: Vec<_> = tasks.collect();
    tasks.sort_unstable();
    tasks.dedup();
    tasks
}
