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

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fixture::{NOW, a_step, a_task};
    use super::*;
    use crate::{Current, StepId};

    fn step(state: StepState) -> StepRecord {
        StepRecord { attempts: u32::from(state != StepState::Pending), ..a_step() }.in_state(state)
    }

    fn exhausted() -> StepRecord {
        StepRecord { attempts: 3, ..step(StepState::Error) }
    }

    fn marked(mut step: StepRecord, metadata: Value) -> StepRecord {
        step.current.metadata = metadata;
        step
    }

    fn task(state: TaskState, metadata: Value) -> TaskRecord {
        let plain = a_task(vec![a_step()]);
        let current = Current { state, metadata, since: Some(NOW), sort_key: 10, ..plain.current };
        TaskRecord { current, ..plain }
    }

    #[test]
    fn each_settled_state_is_a_phase_of_its_own() {
        for (state, phase) in [
            (TaskState::Complete, TaskPhase::Completed),
            (TaskState::Error, TaskPhase::Failed),
            (TaskState::Cancelled, TaskPhase::Cancelled),
            (TaskState::ResolvedManually, TaskPhase::ResolvedManually),
        ] {
            assert_eq!(task_phase(&task(state, json!({})), NOW), phase);
        }
    }

    #[test]
    fn held_tasks_are_what_holds_them() {
        for (mark, phase, held) in [
            ("draft", TaskPhase::Draft, true),
            ("paused", TaskPhase::Paused, true),
            ("resumed", TaskPhase::Running, false),
        ] {
            let mut marked = task(TaskState::Pending, json!({ "phase": mark }));
            marked.current.transition = Some(crate::TransitionId(1));
            assert_eq!((task_phase(&marked, NOW), marked.is_held()), (phase, held), "{mark}");
        }
    }

    #[test]
    fn untouched_task_is_planned_or_launched_by_whether_it_has_a_wake() {
        let untouched = task(TaskState::Pending, json!({}));
        assert_eq!(task_phase(&untouched, NOW), TaskPhase::Planned);
        let launched = TaskRecord { wake: Some((NOW, 1)), ..untouched };
        assert_eq!(task_phase(&launched, NOW), TaskPhase::Launched);
    }

    #[test]
    fn open_task_is_what_its_liveliest_step_is() {
        // Each waits for the one before it, or for none.
        let phase = |steps: Vec<(StepRecord, bool)>| {
            let steps = steps.into_iter().zip(1..).map(|((step, behind), id)| StepRecord {
                id: StepId(id),
                parents: behind.then_some(StepId(id - 1)).into_iter().collect(),
                ..step
            });
            task_phase(&a_task(steps.collect()), NOW)
        };
        let blocked = || vec![(exhausted(), false), (a_step(), true)];
        let with = |step| [blocked(), vec![(step, false)]].concat();
        assert_eq!(phase(with(step(StepState::InProgress))), TaskPhase::Running);
        assert_eq!(phase(with(a_step())), TaskPhase::Running, "one is ready");
        assert_eq!(phase(with(step(StepState::Error))), TaskPhase::WaitingForRetry);
        assert_eq!(phase(blocked()), TaskPhase::Blocked);
        let cut_off = vec![(step(StepState::Cancelled), false), (a_step(), true)];
        assert_eq!(phase(cut_off), TaskPhase::WaitingForDependencies);
    }

    #[test]
    fn each_standing_of_a_step_is_a_phase() {
        let asleep = NOW + std::time::Duration::from_secs(1);
        for (step, parents, phase) in [
            (a_step(), false, StepPhase::Pending),
            (a_step(), true, StepPhase::Ready),
            (a_step().waiting_until(asleep), true, StepPhase::WaitingForRetry),
            (step(StepState::Error), true, StepPhase::WaitingForRetry),
            (step(StepState::InProgress), true, StepPhase::Running),
            (step(StepState::Complete), true, StepPhase::Completed),
            (exhausted(), true, StepPhase::Failed),
            (StepRecord { retryable: false, ..step(StepState::Error) }, true, StepPhase::Failed),
            (
                marked(step(StepState::ResolvedManually), json!({ "phase": "skipped" })),
                true,
                StepPhase::Skipped,
            ),
            (step(StepState::ResolvedManually), true, StepPhase::ResolvedManually),
            (step(StepState::Cancelled), true, StepPhase::Cancelled),
        ] {
            assert_eq!(step_phase(&step, parents, NOW), phase, "{step:?}");
        }
    }
}
