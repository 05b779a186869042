//! Runs whole engines from a seed, on a storage and a queue that fail in every way they may, and checks every rule
//! after every event.
//!
//! ```text
//!   processes (engines, each with a runtime of its own)      the office (creates, operates)
//!        │  ▲                                                     │  ▲
//!        ▼  │        requests, replies, hints: lost, late,        ▼  │
//!   ───────────────  given up, delayed, in any order  ───────────────────
//!        │  ▲
//!        ▼  │
//!   the memory backend ── every event ──▶ checks: a second opinion of what is allowed
//! ```
//!
//! One thread does one thing at a time, drawn from all that could happen next: it polls one task of one process, or
//! delivers one letter. Time is simulated. So the same seed gives the same run, to the last line of its trace; and
//! what happens in one of ten thousand runs can be looked at as often as one likes.
//!
//! What goes wrong: requests and replies are lost, or late, or take effect although the caller has given up; processes
//! die just before a call takes effect, just after, or at any other moment, and others start in their place; they are
//! told to stop; the queue loses, doubles, delays and reorders; handlers fail, panic, hang, sleep, ask for waits, add
//! steps; an operator cancels, pauses, retries, resets, resolves. After a while nothing goes wrong any more, and
//! everything has to settle.

mod call;
mod checks;
mod client;
mod clock;
mod handlers;
mod ledger;
mod met;
mod network;
mod operator;
mod panics;
mod plan;
mod process;
mod simulation;
mod trace;
mod turns;
mod world;

use std::ops::AddAssign;
use std::time::Duration;

pub use checks::Violation;
pub use met::Met;
use tasker_storage::memory::defects::{Defect, with_defect};

/// What came of one simulation.
#[derive(Debug)]
pub struct Run {
    /// Of what.
    pub seed: u64,
    /// Of everything that happened, in order: the same for every run of the seed.
    pub hash: u64,
    /// How much happened.
    pub counts: Counts,
    /// The first rule that was broken.
    pub violation: Option<Violation>,
    /// What happened, a line each; empty unless it was asked for.
    pub trace: Vec<String>,
}

/// How much happened in a simulation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that the storage carried out.
    pub events: u64,
    /// Requests and replies that were lost, or late.
    pub faults: u64,
    /// Processes that died.
    pub crashes: u64,
    /// Handlers that began.
    pub runs: u64,
    /// How much time passed in it.
    pub simulated: Duration,
    /// What the storage answered.
    pub met: Met,
}

impl AddAssign<&Self> for Counts {
    fn add_assign(&mut self, more: &Self) {
        self.events += more.events;
        self.faults += more.faults;
        self.crashes += more.crashes;
        self.runs += more.runs;
        self.simulated += more.simulated;
        self.met += &more.met;
    }
}

/// Simulates. The trace is kept only when asked for.
pub fn simulate(seed: u64, keeps_trace: bool) -> Run {
    simulate_with(None, seed, keeps_trace)
}

/// Simulates with a storage that makes a mistake.
pub fn simulate_with(defect: Option<Defect>, seed: u64, keeps_trace: bool) -> Run {
    panics::silenced(|| with_defect(defect, || simulation::run(seed, keeps_trace)))
}
