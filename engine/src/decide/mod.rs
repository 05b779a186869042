//! The decisions of the engine: pure functions over plain data. Nothing here waits, reads a clock or draws a number.
//!
//! The in-memory backend calls these functions; PostgreSQL answers the same questions in SQL, and a property test
//! holds the two together. *Satisfied*, *settled*, *blocked* and *ready* are each defined once, here.

mod backoff;
mod intervene;
mod phase;
mod readiness;
mod settlement;

pub use backoff::{Attempted, ReferenceBackoff, backoff_until, not_before};
pub use intervene::{Plan, StepMove, TaskMove, plan_intervention};
pub use phase::{step_phase, task_phase};
pub use readiness::{BlockedWhy, Readiness, StepFacts, readiness};
pub use settlement::{Tally, Verdict, settlement};
