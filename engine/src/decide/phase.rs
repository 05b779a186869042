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
    use std::sync::Arc;

    use serde_json::{Value, json};

    use super::*;
    use crate::{
        Binding, BoundTemplate, Current, GraphLimits, StepId, StepTemplate, TaskId, TaskRequest, Template,
        TransitionId, Version,
    };

    const NOW: Timestamp = Timestamp::from_micros(1_000_000_000);

    fn current<S>(state: S, metadata: Value) -> Current<S> {
        Current { state, metadata, since: Some(NOW), sort_key: 10, transition: Some(TransitionId(1)) }
    }

    fn step(id: i64, state: StepState, metadata: Value) -> StepRecord {
        StepRecord {
            id: StepId(id),
            name: format!("s{id}").into(),
            binding: Binding { handler: "h".into(), config: Arc::new(Value::Null), spawned_by: None },
            current: current(state, metadata),
            attempts: u32::from(state != StepState::Pending),
            retry_limit: 3,
            retryable: true,
            skippable: false,
            in_process: state == StepState::InProgress,
            processed: state.is_satisfied(),
            processed_at: None,
            last_attempted_at: None,
            backoff_request_seconds: None,
            inputs: Arc::new(json!({})),
            results: Arc::new(json!({})),
            parents: vec![],
            history: vec![],
        }
    }

    fn pending(id: i64) -> StepRecord {
        step(id, StepState::Pending, json!({}))
    }

    fn task(state: TaskState, metadata: Value, steps: Vec<StepRecord>) -> TaskRecord {
        let mut template = Template::new("tests", "phases", Version(1, 0, 0));
        let names = steps.iter().map(|step| StepTemplate::new(step.name.as_str(), "h"));
        template.step_templates.extend(names);
        let bound = BoundTemplate::new(template.clone(), GraphLimits::default()).expect("a sound template");
        TaskRecord {
            id: TaskId(1),
            identity_hash: "one".into(),
            template: Arc::new(template),
            definition: bound.hash().clone(),
            request: TaskRequest {
                context: Arc::new(json!({})),
                requested_at: NOW,
                initiator: "unknown".into(),
                source_system: "unknown".into(),
                reason: "unknown".into(),
                tags: vec![],
                bypass_steps: vec![],
            },
            complete: state == TaskState::Complete,
            current: current(state, metadata),
            steps,
            history: vec![],
            wake: None,
            created_at: NOW,
        }
    }

    fn open(steps: Vec<StepRecord>) -> TaskPhase {
        task_phase(&task(TaskState::InProgress, json!({}), steps), NOW)
    }

    #[test]
    fn each_settled_state_is_a_phase_of_its_own() {
        for (state, phase) in [
            (TaskState::Complete, TaskPhase::Completed),
            (TaskState::Error, TaskPhase::Failed),
            (TaskState::Cancelled, TaskPhase::Cancelled),
            (TaskState::ResolvedManually, TaskPhase::ResolvedManually),
        ] {
            assert_eq!(task_phase(&task(state, json!({}), vec![pending(1)]), NOW), phase);
        }
    }

    #[test]
    fn held_tasks_are_what_holds_them() {
        for (mark, phase) in [("draft", TaskPhase::Draft), ("paused", TaskPhase::Paused)] {
            let held = task(TaskState::Pending, json!({ "phase": mark }), vec![pending(1)]);
            assert_eq!((task_phase(&held, NOW), held.is_held()), (phase, true));
        }
        let resumed = task(TaskState::Pending, json!({ "phase": "resumed" }), vec![pending(1)]);
        assert_eq!((task_phase(&resumed, NOW), resumed.is_held()), (TaskPhase::Running, false));
    }

    #[test]
    fn untouched_task_is_planned_or_launched_by_whether_it_has_a_wake() {
        let nothing = Current {
            state: TaskState::Pending,
            metadata: json!({}),
            since: None,
            sort_key: 0,
            transition: None,
        };
        let untouched =
            TaskRecord { current: nothing, ..task(TaskState::Pending, json!({}), vec![pending(1)]) };
        assert_eq!(task_phase(&untouched, NOW), TaskPhase::Planned);
        let launched = TaskRecord { wake: Some((NOW, 1)), ..untouched };
        assert_eq!(task_phase(&launched, NOW), TaskPhase::Launched);
    }

    #[test]
    fn open_task_is_what_its_liveliest_step_is() {
        let waiting = || step(1, StepState::Error, json!({}));
        let failed = || StepRecord { attempts: 3, ..step(2, StepState::Error, json!({})) };
        let behind = || StepRecord { parents: vec![StepId(2)], ..pending(3) };
        let running = || step(4, StepState::InProgress, json!({}));
        assert_eq!(open(vec![waiting(), failed(), behind(), running()]), TaskPhase::Running);
        assert_eq!(open(vec![waiting(), failed(), behind(), pending(4)]), TaskPhase::Running, "one is ready");
        assert_eq!(open(vec![waiting(), failed(), behind()]), TaskPhase::WaitingForRetry);
        assert_eq!(open(vec![failed(), behind()]), TaskPhase::Blocked);
        let cancelled = step(2, StepState::Cancelled, json!({}));
        assert_eq!(open(vec![cancelled, behind()]), TaskPhase::WaitingForDependencies);
    }

    #[test]
    fn each_standing_of_a_step_is_a_phase() {
        let asleep = json!({ "phase": "snoozed", "backoff_until": NOW + std::time::Duration::from_secs(1) });
        for (step, parents, phase) in [
            (pending(1), false, StepPhase::Pending),
            (pending(1), true, StepPhase::Ready),
            (step(1, StepState::Pending, asleep), true, StepPhase::WaitingForRetry),
            (step(1, StepState::Error, json!({})), true, StepPhase::WaitingForRetry),
            (step(1, StepState::InProgress, json!({})), true, StepPhase::Running),
            (step(1, StepState::Complete, json!({})), true, StepPhase::Completed),
            (StepRecord { attempts: 3, ..step(1, StepState::Error, json!({})) }, true, StepPhase::Failed),
            (
                StepRecord { retryable: false, ..step(1, StepState::Error, json!({})) },
                true,
                StepPhase::Failed,
            ),
            (step(1, StepState::ResolvedManually, json!({ "phase": "skipped" })), true, StepPhase::Skipped),
            (step(1, StepState::ResolvedManually, json!({})), true, StepPhase::ResolvedManually),
            (step(1, StepState::Cancelled, json!({})), true, StepPhase::Cancelled),
        ] {
            assert_eq!(step_phase(&step, parents, NOW), phase, "{step:?}");
        }
    }
}
