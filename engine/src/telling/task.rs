//! Facts about a task.

use std::sync::Arc;

use super::{About, Facts, Row};
use crate::decide::{ExecutionCounts, ExecutionStatus, HealthStatus};
use crate::events::payload::{
    Finalization, StepCounts, TaskCancelled, TaskCompleted, TaskFailed, TaskMove, TaskPending, TaskResolved,
    TaskRetried, TaskStarted, WorkStarted,
};
use crate::{Ended, EventName, Fact, Moment, TaskMoved, TaskState, TransitionId, audit};

use EventName as N;

/// Who moved a task or step, and why.
pub(super) struct Cause<'a> {
    pub(super) actor: &'a str,
    pub(super) reason: Option<&'a str>,
}

impl Facts {
    /// A task was begun.
    pub(super) fn task_started(&mut self, about: &About, from: TaskState, by: Option<TransitionId>) {
        let (at, row) = (self.at, Row::of_task(about.task(), by));
        self.add(N::TaskStartRequested, row, || {
            Fact::TaskStartRequested(Box::new(TaskStarted {
                task: about.task_keys("started", at),
                moved: moved(from, TaskState::InProgress, at),
                step_count: about.total_steps(),
            }))
        });
        let orchestration = self.orchestration(&about.subject, "task_started");
        self.add(N::WorkflowTaskStarted, row, || {
            Fact::WorkflowTaskStarted(Box::new(WorkStarted { orchestration }))
        });
    }

    /// A task was settled by the call that recorded so many outcomes.
    pub(super) fn task_settled(
        &mut self,
        about: &About,
        to: TaskState,
        by: Option<TransitionId>,
        ended: &Ended,
        processed: usize,
    ) {
        let row = Row::of_task(about.task(), by);
        let finalization = |facts: &Self, event_type, final_status| {
            Box::new(finalization(facts, about, ended, (processed, to), event_type, final_status))
        };
        let started = finalization(self, "task_finalization_started", None);
        self.add(N::WorkflowTaskFinalizationStarted, row, || Fact::WorkflowTaskFinalizationStarted(started));
        self.task_ended(about, to, row, ended);
        let completed = finalization(self, "task_finalization_completed", Some(to));
        self.add(N::WorkflowTaskFinalizationCompleted, row, || {
            Fact::WorkflowTaskFinalizationCompleted(completed)
        });
    }

    fn task_ended(&mut self, about: &About, to: TaskState, row: Row, ended: &Ended) {
        let at = self.at;
        let counts = about.total_steps().map(|total| counts(total, ended));
        let percentage = about.total_steps().map(|total| percentage(total, ended));
        let mut task = about.task_keys(if to == TaskState::Error { "failed" } else { "completed" }, at);
        task.steps = counts;
        if to == TaskState::Complete {
            task.completed_at = Some(Moment(at));
            task.total_execution_duration = task.current_execution_duration.take();
        }
        let moved = moved(ended.from, to, at);
        match to {
            TaskState::Complete => self.add(N::TaskCompleted, row, || {
                Fact::TaskCompleted(Box::new(TaskCompleted {
                    task,
                    moved,
                    completion_percentage: percentage,
                    health_status: HealthStatus::Healthy,
                }))
            }),
            TaskState::Error => self.add(N::TaskFailed, row, || {
                Fact::TaskFailed(Box::new(TaskFailed {
                    task,
                    moved,
                    error_message: audit::STEPS_IN_ERROR,
                    error_steps: ended.blocked.clone(),
                    failed_steps_count: ended.blocked.len(),
                    completion_percentage: percentage,
                    health_status: HealthStatus::Blocked,
                }))
            }),
            TaskState::Cancelled => self.add(N::TaskCancelled, row, || {
                Fact::TaskCancelled(Box::new(TaskCancelled {
                    task,
                    moved,
                    triggered_by: audit::ALL_LEAVES_CANCELLED.into(),
                    reason: None,
                }))
            }),
            TaskState::Pending | TaskState::InProgress | TaskState::ResolvedManually => {}
        }
    }

    /// A task was created.
    pub(super) fn task_created(&mut self, about: &About) {
        let at = self.at;
        self.add(N::TaskInitializeRequested, Row::of_task(about.task(), None), || {
            let moved =
                TaskMove { from_state: None, to_state: TaskState::Pending, transitioned_at: Moment(at) };
            let task = about.task_keys("pending_transition", at);
            Fact::TaskInitializeRequested(Box::new(TaskPending { task, moved, reason: "created".into() }))
        });
    }

    /// An operator moved a task; `reason` is why where the move itself does not say so.
    pub(super) fn task_moved(&mut self, about: &About, row: TaskMoved, cause: &Cause<'_>, phase: &str) {
        let at = self.at;
        let move_ = moved(row.from, row.to, at);
        let keys = |event_type| about.task_keys(event_type, at);
        let (actor, reason): (Arc<str>, Option<Arc<str>>) =
            (cause.actor.into(), cause.reason.map(Into::into));
        let by = Row::of_task(about.task(), Some(row.by));
        match (row.from, row.to) {
            (TaskState::Error, TaskState::Pending) => self.add(N::TaskRetryRequested, by, || {
                let retry_reason = reason.unwrap_or_else(|| "Task retry requested".into());
                let task = keys("retry");
                Fact::TaskRetryRequested(Box::new(TaskRetried {
                    task,
                    moved: move_,
                    retry_reason,
                    triggered_by: actor,
                }))
            }),
            (_, TaskState::Cancelled) => self.add(N::TaskCancelled, by, || {
                let task = keys("cancelled");
                Fact::TaskCancelled(Box::new(TaskCancelled {
                    task,
                    moved: move_,
                    triggered_by: actor,
                    reason,
                }))
            }),
            (_, TaskState::ResolvedManually) => self.add(N::TaskResolvedManually, by, || {
                let task = keys("resolved_manually");
                Fact::TaskResolvedManually(Box::new(TaskResolved {
                    task,
                    moved: move_,
                    resolved_by: actor,
                    reason,
                }))
            }),
            _ => self.add(N::TaskInitializeRequested, by, || {
                let task = keys("pending_transition");
                Fact::TaskInitializeRequested(Box::new(TaskPending {
                    task,
                    moved: move_,
                    reason: phase.into(),
                }))
            }),
        }
    }
}

fn moved(from: TaskState, to_state: TaskState, at: crate::Timestamp) -> TaskMove {
    TaskMove { from_state: Some(from), to_state, transitioned_at: Moment(at) }
}

fn counts(total: usize, ended: &Ended) -> StepCounts {
    let completed_steps = total.saturating_sub(ended.unsatisfied);
    let failed_steps = ended.blocked.len();
    StepCounts {
        total_steps: total,
        completed_steps,
        failed_steps,
        pending_steps: total.saturating_sub(completed_steps + failed_steps),
    }
}

fn percentage(total: usize, ended: &Ended) -> f64 {
    let completed = counts(total, ended).completed_steps;
    ExecutionCounts { total, completed, ..ExecutionCounts::default() }.completion_percentage()
}

fn finalization(
    facts: &Facts,
    about: &About,
    ended: &Ended,
    (processed, to): (usize, TaskState),
    event_type: &'static str,
    final_status: Option<TaskState>,
) -> Finalization {
    let (execution_status, health_status) = match to {
        TaskState::Error => (ExecutionStatus::BlockedByFailures, HealthStatus::Blocked),
        _ => (ExecutionStatus::AllComplete, HealthStatus::Healthy),
    };
    Finalization {
        orchestration: facts.orchestration(&about.subject, event_type),
        processed_steps_count: processed,
        execution_status,
        health_status,
        recommended_action: execution_status.recommended_action(),
        completion_percentage: about.total_steps().map(|total| percentage(total, ended)),
        total_steps: about.total_steps(),
        ready_steps: 0,
        failed_steps: ended.blocked.len(),
        final_status,
    }
}
