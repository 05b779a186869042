//! Is a task done?

use crate::TaskState;

/// How the steps of a task stand, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// All steps.
    pub total: usize,
    /// Complete or resolved.
    pub satisfied: usize,
    /// Cancelled.
    pub cancelled: usize,
    /// Claimed.
    pub running: usize,
    /// Those that may never run again by themselves.
    pub blocked: usize,
    /// Those that are ready, or only wait for their back-off.
    pub movable: usize,
    /// Steps that no other step waits for.
    pub leaves: usize,
    /// Cancelled ones among the leaves.
    pub cancelled_leaves: usize,
}

/// How a task ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every step is settled and some leaf was not cancelled, or there is no step.
    Complete {
        /// Cancelled steps, told in the metadata.
        cancelled_steps: usize,
    },
    /// Every step is settled, and every leaf was cancelled.
    Cancelled {
        /// Cancelled steps, told in the metadata.
        cancelled_steps: usize,
    },
    /// Some step is blocked and nothing else can move.
    Error,
}

impl Verdict {
    /// The state that the task goes to.
    pub const fn state(self) -> TaskState {
        match self {
            Self::Complete { .. } => TaskState::Complete,
            Self::Cancelled { .. } => TaskState::Cancelled,
            Self::Error => TaskState::Error,
        }
    }
}

/// Judges a task that is open and not paused. A dead branch does not stop live ones: a task errs only when a step is
/// blocked and none is ready, in progress or waiting for its back-off.
pub const fn settlement(steps: &Tally) -> Option<Verdict> {
    let settled = steps.satisfied + steps.cancelled;
    if settled == steps.total {
        let cancelled_steps = steps.cancelled;
        return Some(if steps.leaves > 0 && steps.cancelled_leaves == steps.leaves {
            Verdict::Cancelled { cancelled_steps }
        } else {
            Verdict::Complete { cancelled_steps }
        });
    }
    if steps.blocked > 0 && steps.running == 0 && steps.movable == 0 { Some(Verdict::Error) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally() -> Tally {
        Tally { total: 4, satisfied: 4, leaves: 2, ..Tally::default() }
    }

    #[test]
    fn a_task_without_steps_is_complete() {
        assert_eq!(settlement(&Tally::default()), Some(Verdict::Complete { cancelled_steps: 0 }));
    }

    #[test]
    fn a_cancelled_branch_still_completes_and_is_told() {
        let steps = Tally { satisfied: 3, cancelled: 1, cancelled_leaves: 1, ..tally() };
        assert_eq!(settlement(&steps), Some(Verdict::Complete { cancelled_steps: 1 }));
    }

    #[test]
    fn when_every_leaf_is_cancelled_so_is_the_task() {
        let steps = Tally { satisfied: 2, cancelled: 2, cancelled_leaves: 2, ..tally() };
        assert_eq!(settlement(&steps), Some(Verdict::Cancelled { cancelled_steps: 2 }));
    }

    #[test]
    fn a_blocked_step_waits_for_whatever_still_moves() {
        let blocked = Tally { satisfied: 2, blocked: 1, ..tally() };
        assert_eq!(settlement(&blocked), Some(Verdict::Error));
        assert_eq!(settlement(&Tally { running: 1, ..blocked }), None);
        assert_eq!(settlement(&Tally { movable: 1, ..blocked }), None);
    }

    #[test]
    fn nothing_blocked_and_something_open_goes_on() {
        assert_eq!(settlement(&Tally { satisfied: 3, movable: 1, ..tally() }), None);
    }
}
