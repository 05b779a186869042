//! How does a task stand, and what is to be done about it? The reference's execution context.

use super::words::words;
use super::{BlockingReason, blocking_reason};
use crate::{StepState, TaskRecord, Timestamp};

/// How the steps of a task stand at one moment, counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExecutionCounts {
    /// All steps.
    pub total: usize,
    /// In the state `pending`.
    pub pending: usize,
    /// In the state `in_progress`.
    pub in_progress: usize,
    /// Complete or resolved.
    pub completed: usize,
    /// Cancelled.
    pub cancelled: usize,
    /// In the state `error`.
    pub failed: usize,
    /// Those that may be claimed now.
    pub ready: usize,
    /// Those that wait for the end of their back-off, and for nothing else.
    pub waiting: usize,
    /// Those that may never run again by themselves.
    pub blocked: usize,
}

words! {
    /// How a task stands; the first that holds, in the order in which they stand here.
    ExecutionStatus, "execution status";
    /// Some step may be claimed now.
    HasReadySteps = "has_ready_steps",
    /// Some step is in progress.
    Processing = "processing",
    /// Some step is blocked, and none waits for nothing but its back-off.
    BlockedByFailures = "blocked_by_failures",
    /// Every step is settled, or there is none.
    AllComplete = "all_complete",
    /// Some step waits for its back-off, or, where nothing can move, for its parents.
    WaitingForDependencies = "waiting_for_dependencies",
}

words! {
    /// What is to be done about a task.
    RecommendedAction, "recommended action";
    /// Claim what is ready.
    ExecuteReadySteps = "execute_ready_steps",
    /// Wait for what runs.
    WaitForCompletion = "wait_for_completion",
    /// An operator has to do something.
    HandleFailures = "handle_failures",
    /// Settle it.
    FinalizeTask = "finalize_task",
    /// Look at it again later.
    WaitForDependencies = "wait_for_dependencies",
}

words! {
    /// How well a task does. Healthy says nothing about progress.
    HealthStatus, "health status";
    /// Nothing failed, and nothing is blocked.
    Healthy = "healthy",
    /// Something failed, and goes on, or may.
    Recovering = "recovering",
    /// Some step is blocked, and none is ready.
    Blocked = "blocked",
}

impl ExecutionCounts {
    /// Counts the steps of a task.
    pub fn of(task: &TaskRecord, now: Timestamp) -> Self {
        let mut counts = Self { total: task.steps.len(), ..Self::default() };
        for step in &task.steps {
            *(match step.current.state {
                StepState::Pending => &mut counts.pending,
                StepState::InProgress => &mut counts.in_progress,
                StepState::Complete | StepState::ResolvedManually => &mut counts.completed,
                StepState::Cancelled => &mut counts.cancelled,
                StepState::Error => &mut counts.failed,
            }) += 1;
            counts.blocked += usize::from(step.facts().blocked().is_some());
            match blocking_reason(step, task.parents_satisfied(step), now) {
                None => counts.ready += 1,
                Some(BlockingReason::WaitingForBackoff) => counts.waiting += 1,
                Some(_) => {}
            }
        }
        counts
    }

    /// How the task stands. A step that can go on after its back-off comes before one that is blocked, and what is ready
    /// or runs comes before both: a dead branch does not stop live ones.
    ///
    /// ```
    /// use tasker_engine::decide::{ExecutionCounts, ExecutionStatus, RecommendedAction};
    ///
    /// let counts = ExecutionCounts { total: 3, completed: 1, failed: 1, blocked: 1, pending: 1, ..Default::default() };
    /// assert_eq!(counts.status(), ExecutionStatus::BlockedByFailures);
    /// assert_eq!(counts.status().recommended_action(), RecommendedAction::HandleFailures);
    /// assert_eq!(counts.completion_percentage(), 33.33);
    /// ```
    pub const fn status(&self) -> ExecutionStatus {
        if self.ready > 0 {
            ExecutionStatus::HasReadySteps
        } else if self.in_progress > 0 {
            ExecutionStatus::Processing
        } else if self.waiting > 0 {
            ExecutionStatus::WaitingForDependencies
        } else if self.blocked > 0 {
            ExecutionStatus::BlockedByFailures
        } else if self.completed + self.cancelled == self.total {
            ExecutionStatus::AllComplete
        } else {
            ExecutionStatus::WaitingForDependencies
        }
    }

    /// How well it does: a ladder of its own, so that a task that runs on may be blocked.
    pub const fn health(&self) -> HealthStatus {
        if self.failed == 0 && self.blocked == 0 {
            HealthStatus::Healthy
        } else if self.ready == 0 && self.blocked > 0 {
            HealthStatus::Blocked
        } else {
            HealthStatus::Recovering
        }
    }

    /// How many of a hundred steps are complete or resolved, to two decimals, halves away from zero; 0 without steps.
    pub fn completion_percentage(&self) -> f64 {
        if self.total == 0 {
            return 0.0;
        }
        let hundredths = (self.completed * 20_000 + self.total) / (self.total * 2);
        f64::from(u32::try_from(hundredths).expect("at most ten thousand")) / 100.0
    }
}

impl ExecutionStatus {
    /// What is to be done.
    pub const fn recommended_action(self) -> RecommendedAction {
        match self {
            Self::HasReadySteps => RecommendedAction::ExecuteReadySteps,
            Self::Processing => RecommendedAction::WaitForCompletion,
            Self::BlockedByFailures => RecommendedAction::HandleFailures,
            Self::AllComplete => RecommendedAction::FinalizeTask,
            Self::WaitingForDependencies => RecommendedAction::WaitForDependencies,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::fixture::{NOW, a_step, a_task};
    use super::ExecutionStatus as E;
    use super::HealthStatus as H;
    use super::*;
    use crate::StepRecord;

    fn told(counts: ExecutionCounts) -> (E, H) {
        (counts.status(), counts.health())
    }

    #[test]
    fn a_task_without_steps_is_complete_and_healthy_at_nought() {
        let counts = ExecutionCounts::of(&a_task(vec![]), NOW);
        assert_eq!(told(counts), (E::AllComplete, H::Healthy));
        assert_eq!(counts.completion_percentage(), 0.0);
    }

    #[test]
    fn each_rung_gives_way_to_those_before_it() {
        let mut counts = ExecutionCounts { total: 2, completed: 1, cancelled: 1, ..Default::default() };
        assert_eq!(told(counts), (E::AllComplete, H::Healthy));
        (counts.total, counts.pending) = (3, 1);
        assert_eq!(told(counts), (E::WaitingForDependencies, H::Healthy));
        (counts.total, counts.failed, counts.blocked) = (4, 1, 1);
        assert_eq!(told(counts), (E::BlockedByFailures, H::Blocked));
        (counts.total, counts.failed, counts.waiting) = (5, 2, 1);
        assert_eq!(told(counts), (E::WaitingForDependencies, H::Blocked));
        (counts.total, counts.in_progress) = (6, 1);
        assert_eq!(told(counts), (E::Processing, H::Blocked));
        (counts.total, counts.pending, counts.ready) = (7, 2, 1);
        assert_eq!(told(counts), (E::HasReadySteps, H::Recovering));
    }

    #[test]
    fn a_failure_that_will_be_retried_is_recovering() {
        let counts = ExecutionCounts { total: 1, failed: 1, waiting: 1, ..Default::default() };
        assert_eq!(told(counts), (E::WaitingForDependencies, H::Recovering));
    }

    #[test]
    fn an_exhausted_step_that_is_pending_blocks_without_a_failure() {
        let exhausted = StepRecord { attempts: 3, ..a_step() };
        let counts = ExecutionCounts::of(&a_task(vec![exhausted]), NOW);
        assert_eq!((counts.failed, counts.pending, counts.blocked), (0, 1, 1));
        assert_eq!(told(counts), (E::BlockedByFailures, H::Blocked));
    }

    #[test]
    fn every_step_is_counted_where_it_stands() {
        use StepState as S;
        let steps = [
            a_step(),
            a_step().in_state(S::InProgress),
            a_step().in_state(S::Complete),
            a_step().in_state(S::ResolvedManually),
            a_step().in_state(S::Cancelled),
            a_step().waiting_until(NOW + Duration::from_secs(1)),
            StepRecord { attempts: 1, retryable: false, ..a_step().in_state(S::Error) },
            a_step().in_state(S::Error).waiting_until(NOW),
        ];
        let expected = ExecutionCounts {
            total: 8,
            pending: 2,
            in_progress: 1,
            completed: 2,
            cancelled: 1,
            failed: 2,
            ready: 2,
            waiting: 1,
            blocked: 1,
        };
        assert_eq!(ExecutionCounts::of(&a_task(steps.to_vec()), NOW), expected);
    }

    #[test]
    fn a_step_whose_parents_are_not_satisfied_is_neither_ready_nor_waiting_for_its_backoff() {
        let parent = a_step();
        let mut child = a_step().waiting_until(NOW + Duration::from_secs(1));
        (child.id, child.parents) = (crate::StepId(2), vec![parent.id]);
        let counts = ExecutionCounts::of(&a_task(vec![parent, child]), NOW);
        assert_eq!((counts.ready, counts.waiting), (1, 0));
    }

    #[test]
    fn percentages_are_rounded_half_up_to_two_decimals() {
        let percentage = |completed, total| {
            ExecutionCounts { completed, total, ..Default::default() }.completion_percentage()
        };
        for (completed, total, expected) in [
            (1, 3, 33.33),
            (2, 3, 66.67),
            (1, 7, 14.29),
            (3, 3, 100.0),
            (0, 3, 0.0),
            (1, 800, 0.13),
            (1, 16, 6.25),
        ] {
            assert_eq!(percentage(completed, total), expected, "{completed}/{total}");
        }
    }

    #[test]
    fn words_are_read_as_they_are_written() {
        for status in E::ALL {
            assert_eq!(status.as_str().parse(), Ok(*status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert_eq!("ready".parse::<E>().unwrap_err().to_string(), "`ready` is no execution status");
    }
}
