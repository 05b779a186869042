//! Mistakes that this backend makes when a test tells it to: a simulator, or a suite, that finds none of them proves
//! nothing.
//!
//! The switch exists only with the feature `defects`, which no product asks for. Without it it is off when
//! the code is compiled, and nothing is left of the mistakes.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Defect {
    /// An outcome counts whatever claim it names, as long as its step runs.
    NoFence,
    /// A worker that was only slow may still record what a rescue took from it.
    RescueDoesNotFence,
    /// An outcome that was recorded before is not recognised.
    RepeatNotRecognised,
    /// What ended in another call at the same moment is not seen: readiness was read before the lock was taken.
    JudgedBeforeTheLock,
    /// The sweep finds nothing, so that a wake that was lost stays lost.
    NoSweep,
    /// A step that failed or sleeps leaves no wake.
    NoWakeForRetries,
    /// An attempt is counted when its outcome is recorded; so one that never ends is not counted.
    AttemptNotCountedAtClaim,
    /// An attempt that is handed back, or sleeps, counts.
    HandBackCounts,
    /// A task ends in error although a step of it runs.
    SettledWhileRunning,
    /// A paused task goes on.
    PauseIgnored,
    /// Steps do not wait for their back-off.
    BackoffIgnored,
    /// What hangs on a cancelled step is not cancelled with it.
    DescendantsNotCancelled,
    /// A cancelled parent lets its children run.
    SettledTakenForSatisfied,
    /// Workers that beat are taken for lost.
    LivingRescued,
    /// A beat hands back what it names.
    HeldHandedBack,
    /// A workflow of one step at a time runs several.
    TaskLimitIgnored,
    /// What waits for a step that is spawned does not wait.
    SpawnedEdgesLost,
    /// A row stays the most recent one when another follows.
    MostRecentDoubled,
}

#[cfg(feature = "defects")]
impl Defect {
    /// All of them.
    pub const ALL: [Self; 18] = [
        Self::NoFence,
        Self::RescueDoesNotFence,
        Self::RepeatNotRecognised,
        Self::JudgedBeforeTheLock,
        Self::NoSweep,
        Self::NoWakeForRetries,
        Self::AttemptNotCountedAtClaim,
        Self::HandBackCounts,
        Self::SettledWhileRunning,
        Self::PauseIgnored,
        Self::BackoffIgnored,
        Self::DescendantsNotCancelled,
        Self::SettledTakenForSatisfied,
        Self::LivingRescued,
        Self::HeldHandedBack,
        Self::TaskLimitIgnored,
        Self::SpawnedEdgesLost,
        Self::MostRecentDoubled,
    ];
}

#[cfg(feature = "defects")]
mod switch {
    use std::cell::Cell;

    use super::Defect;

    thread_local! {
        static MADE: Cell<Option<Defect>> = const { Cell::new(None) };
    }

    /// Does some work, in the course of which every storage of this kind makes the mistake on this thread.
    pub fn with_defect<T>(defect: Option<Defect>, work: impl FnOnce() -> T) -> T {
        /// Puts back what was before, also when the work panics.
        struct Before(Option<Defect>);
        impl Drop for Before {
            fn drop(&mut self) {
                MADE.set(self.0);
            }
        }
        let _before = Before(MADE.replace(defect));
        work()
    }

    pub(in crate::memory) fn makes(defect: Defect) -> bool {
        MADE.get() == Some(defect)
    }
}

#[cfg(feature = "defects")]
pub(super) use switch::makes;
#[cfg(feature = "defects")]
pub use switch::with_defect;

/// Whether the mistake is to be made.
#[cfg(not(feature = "defects"))]
pub(super) const fn makes(_: Defect) -> bool {
    false
}
