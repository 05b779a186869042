//! The decisions of the engine: pure functions over plain data. Nothing here waits, reads a clock or draws a number.
//!
//! The in-memory backend calls these functions; PostgreSQL answers the same questions in SQL, and a property test
//! holds the two together. *Satisfied*, *settled*, *blocked* and *ready* are each defined once, here.

mod backoff;
mod blocking;
mod execution;
#[cfg(test)]
pub(crate) mod fixture;
mod intervene;
mod phase;
mod readiness;
mod retrying;
mod settlement;
mod words;

pub use backoff::{Attempted, ReferenceBackoff, after_failure, backoff_until, not_before};
pub use blocking::{BlockingReason, blocking_reason};
pub use execution::{ExecutionCounts, ExecutionStatus, HealthStatus, RecommendedAction};
pub use intervene::{Plan, StepMove, TaskMove, plan_intervention};
pub use phase::{step_phase, task_phase};
pub use readiness::{BlockedWhy, Readiness, StepFacts, readiness};
pub use retrying::{
    RetryStatus, can_retry_now, effective_backoff_seconds, next_retry_at, retry_status, waits_for_backoff,
};
pub use settlement::{Tally, Verdict, settlement};
pub use words::UnknownWord;
