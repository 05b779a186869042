//! The richer words: what a task or a step is doing, as people ask it.

use super::{Readiness, readiness};
use crate::{PhaseMark, StepPhase, StepRecord, StepState, TaskPhase, TaskRecord, TaskState, Timestamp};

/// The phase of one step, given whether its parents are satisfied.
pub fn step_phase(step: &StepRecord, parents_satisfied: bool, now: Timestamp) -> StepPhase {
    match step.current.state {
        StepState::Complete => return StepPhase::Completed,
        StepState::Cancelled => return StepPhase::Cancelled,
        StepState::ResolvedManually if step.current.phase_mark() == Some(PhaseMark::Skipped) => {
            return StepPhase::Skipped;
        }
        StepState::ResolvedManually => return StepPhase::ResolvedManually,
        _ => {}
    }
    match readiness(&step.facts(), parents_satisfied, now) {
        Readiness::Settled => unreachable!("a settled state was answered above"),
        Readiness::Running => StepPhase::Running,
        Readiness::Blocked(_) => StepPhase::Failed,
        Readiness::WaitingForParents => StepPhase::Pending,
        Readiness::WaitingUntil(_) => StepPhase::WaitingForRetry,
        Readiness::Ready => StepPhase::Ready,
    }
}

/// The phase of a task, from its state, its latest metadata, its wake and its steps.
pub fn task_phase(task: &TaskRecord, now: Timestamp) -> TaskPhase {
    match task.current.state {
        TaskState::Complete => return TaskPhase::Completed,
        TaskState::Error => return TaskPhase::Failed,
        TaskState::Cancelled => return TaskPhase::Cancelled,
        TaskState::ResolvedManually => return TaskPhase::ResolvedManually,
        TaskState::Pending | TaskState::InProgress => {}
    }
    match task.current.phase_mark() {
        Some(PhaseMark::Draft) => return TaskPhase::Draft,
        Some(PhaseMark::Paused) => return TaskPhase::Paused,
        _ => {}
    }
    let untouched =
        task.current.state == TaskState::Pending && task.steps.iter().all(|step| step.attempts == 0);
    if untouched && task.current.transition.is_none() {
        return if task.wake.is_some() { TaskPhase::Launched } else { TaskPhase::Planned };
    }
    let phases: Vec<_> =
        task.steps.iter().map(|step| step_phase(step, task.parents_satisfied(step), now)).collect();
    let some = |wanted: StepPhase| phases.contains(&wanted);
    if some(StepPhase::Running) || some(StepPhase::Ready) {
        TaskPhase::Running
    } else if some(StepPhase::WaitingForRetry) {
        TaskPhase::WaitingForRetry
    } else if some(StepPhase::Failed) {
        TaskPhase::Blocked
    } else {
        TaskPhase::WaitingForDependencies
    }
}
