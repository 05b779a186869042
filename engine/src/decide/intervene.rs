//! What an operator's act does to a task, decided on a snapshot taken under the lock that will write it.
//!
//! Both backends call [`plan_intervention`] and carry out its plan; so there is one table of states and commands.
//! An act never settles a task: it wakes it, and the next `advance` does.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Value, json};

use super::BlockedWhy;
use crate::{
    Act, Intervention, NotMoved, PhaseMark, Refusal, StepCommand, StepId, StepRecord, StepState, TaskCommand,
    TaskRecord, TaskState, audit,
};

/// One row to write for the task.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskMove {
    /// The state before.
    pub from: TaskState,
    /// The state after.
    pub to: TaskState,
    /// What the row says.
    pub metadata: Value,
}

/// One row to write for a step, and what changes in its columns.
#[derive(Clone, Debug, PartialEq)]
pub struct StepMove {
    /// The step.
    pub step: StepId,
    /// The state before.
    pub from: StepState,
    /// The state after.
    pub to: StepState,
    /// What the row says.
    pub metadata: Value,
    /// New attempts; unchanged when `None`.
    pub attempts: Option<u32>,
    /// New `retryable`; unchanged when `None`.
    pub retryable: Option<bool>,
    /// New results; unchanged when `None`.
    pub results: Option<Arc<Value>>,
}

/// What an act writes, all in one transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Rows of the task, in order.
    pub task: Vec<TaskMove>,
    /// Rows of steps, at most one each. A step that moves loses its requested wait; one that becomes complete or
    /// resolved is processed now.
    pub steps: Vec<StepMove>,
    /// Whether the task gets a wake due now (`true`) or loses the one it has (`false`).
    pub wake: bool,
}

/// Decides an act on the task as it stands.
///
/// # Errors
/// [`NotMoved`] says why nothing is to be written.
pub fn plan_intervention(task: &TaskRecord, act: &Intervention) -> Result<Plan, NotMoved> {
    match &act.act {
        Act::Task { command, expected } => {
            conflict(*expected, task.current.state, |actual| NotMoved::TaskConflict { actual })?;
            plan_for_task(task, *command, act)
        }
        Act::Step { step, command, expected } => {
            let place = task.position(*step).ok_or(NotMoved::Refused(Refusal::UnknownStep))?;
            let step = &task.steps[place];
            conflict(*expected, step.current.state, |actual| NotMoved::StepConflict { actual })?;
            plan_for_step(task, step, command, act)
        }
    }
}

fn conflict<S: PartialEq + Copy>(
    expected: Option<S>,
    actual: S,
    answer: impl FnOnce(S) -> NotMoved,
) -> Result<(), NotMoved> {
    match expected {
        Some(expected) if expected != actual => Err(answer(actual)),
        _ => Ok(()),
    }
}

fn plan_for_task(task: &TaskRecord, command: TaskCommand, act: &Intervention) -> Result<Plan, NotMoved> {
    use TaskState as S;
    let from = task.current.state;
    let refused = |refusal| Err(NotMoved::Refused(refusal));
    let to =
        |to, metadata, steps, wake| Ok(Plan { task: vec![TaskMove { from, to, metadata }], steps, wake });
    let reason = act.reason.as_deref();
    match (command, from) {
        (TaskCommand::Cancel { .. }, S::Cancelled) => Err(NotMoved::AlreadyThere),
        (TaskCommand::Cancel { force: false }, S::Complete | S::ResolvedManually) => {
            refused(Refusal::Finished)
        }
        (TaskCommand::Cancel { force: true }, S::Complete | S::ResolvedManually) => to(
            S::Cancelled,
            audit::with_reason(json!({ "triggered_by": act.actor, "forced": true }), reason),
            vec![],
            false,
        ),
        (TaskCommand::Cancel { .. }, S::Pending | S::InProgress | S::Error) => {
            let steps = task.steps.iter().filter(|step| !step.current.state.is_settled());
            let steps = steps.map(|step| cancel(step, &act.actor, audit::TASK_CANCELLED)).collect();
            to(S::Cancelled, audit::with_reason(json!({ "triggered_by": act.actor }), reason), steps, false)
        }

        (TaskCommand::Retry, S::Error) => {
            let blocked = task.steps.iter().filter(|step| step.facts().blocked().is_some());
            let steps = blocked.map(|step| reset(step, act)).collect();
            to(S::Pending, audit::with_reason(json!({ "triggered_by": act.actor }), reason), steps, true)
        }
        (TaskCommand::Retry, S::Pending | S::InProgress) => refused(Refusal::NotFailed),
        (TaskCommand::Retry, _) => refused(Refusal::Finished),

        (TaskCommand::Resolve, S::ResolvedManually) => Err(NotMoved::AlreadyThere),
        (TaskCommand::Resolve, S::Error) => {
            let reason = reason.filter(|text| !text.trim().is_empty());
            let Some(reason) = reason else { return refused(Refusal::ReasonRequired) };
            to(S::ResolvedManually, json!({ "resolved_by": act.actor, "reason": reason }), vec![], false)
        }
        (TaskCommand::Resolve, S::Pending | S::InProgress) => refused(Refusal::NotFailed),
        (TaskCommand::Resolve, _) => refused(Refusal::Finished),

        (TaskCommand::Pause, S::Pending) if task.is_paused() => Err(NotMoved::AlreadyThere),
        (TaskCommand::Pause, S::Pending | S::InProgress) => {
            let row = json!({ "phase": PhaseMark::Paused, "reason": crate::reason::WORKFLOW_PAUSED, "paused_by": act.actor });
            let row = match reason {
                Some(note) => {
                    let mut row = row;
                    row["note"] = note.into();
                    row
                }
                None => row,
            };
            to(S::Pending, row, vec![], false)
        }
        (TaskCommand::Pause, S::Error) => refused(Refusal::NotActive),
        (TaskCommand::Pause, _) => refused(Refusal::Finished),

        (TaskCommand::Resume, S::Pending) if task.is_paused() => {
            let row = json!({ "phase": PhaseMark::Resumed, "resumed_by": act.actor });
            to(S::Pending, audit::with_reason(row, reason), vec![], true)
        }
        (TaskCommand::Resume, S::Pending | S::InProgress) => Err(NotMoved::AlreadyThere),
        (TaskCommand::Resume, S::Error) => refused(Refusal::NotPaused),
        (TaskCommand::Resume, _) => refused(Refusal::Finished),
    }
}

fn plan_for_step(
    task: &TaskRecord,
    step: &StepRecord,
    command: &StepCommand,
    act: &Intervention,
) -> Result<Plan, NotMoved> {
    use StepState as S;
    if matches!(task.current.state, TaskState::Complete | TaskState::Cancelled | TaskState::ResolvedManually)
    {
        return Err(NotMoved::Refused(Refusal::TaskFinished));
    }
    let from = step.current.state;
    let reason = act.reason.as_deref();
    let refused = |refusal| Err(NotMoved::Refused(refusal));
    let moves = match (command, from) {
        (StepCommand::Cancel, S::Cancelled)
        | (StepCommand::Complete { .. }, S::Complete)
        | (StepCommand::Resolve { .. } | StepCommand::Skip, S::ResolvedManually) => {
            return Err(NotMoved::AlreadyThere);
        }
        (_, S::Complete | S::ResolvedManually | S::Cancelled) => return refused(Refusal::Finished),
        (StepCommand::Cancel, _) => cancel_with_descendants(task, step, act),
        (_, S::InProgress) => return refused(Refusal::InProgress),

        (StepCommand::Retry, S::Pending) => return refused(Refusal::NotFailed),
        (StepCommand::Retry, S::Error) => match step.facts().blocked() {
            Some(BlockedWhy::RetriesExhausted) => return refused(Refusal::RetriesExhausted),
            Some(BlockedWhy::NotRetryable) => return refused(Refusal::NotRetryable),
            None => {
                let row = audit::step_retried(step.attempts + 1, &act.actor);
                vec![step_to(step, S::Pending, audit::with_reason(row, reason))]
            }
        },

        (StepCommand::Reset, S::Pending) if step.facts().blocked().is_none() => {
            return match step.current.phase_mark() {
                Some(PhaseMark::Reset) => Err(NotMoved::AlreadyThere),
                _ => refused(Refusal::NotFailed),
            };
        }
        (StepCommand::Reset, _) => vec![reset(step, act)],

        (StepCommand::Resolve { results }, _) => {
            let reason = reason.filter(|text| !text.trim().is_empty());
            let Some(reason) = reason else { return refused(Refusal::ReasonRequired) };
            let given = results.is_some();
            let row = json!({ "resolved_by": act.actor, "reason": reason, "results_given": given });
            let results = results.clone().unwrap_or_else(|| Arc::new(json!({})));
            vec![StepMove { results: Some(results), ..step_to(step, S::ResolvedManually, row) }]
        }
        (StepCommand::Complete { results }, _) => {
            let row = json!({ "completed_manually": true, "resolved_by": act.actor });
            let row = audit::with_reason(row, reason);
            vec![StepMove { results: Some(results.clone()), ..step_to(step, S::Complete, row) }]
        }
        (StepCommand::Skip, _) if !step.skippable => return refused(Refusal::NotSkippable),
        (StepCommand::Skip, _) => {
            let row = audit::step_skipped(&act.actor, reason);
            let results = Some(Arc::new(audit::skipped_results()));
            vec![StepMove { results, ..step_to(step, S::ResolvedManually, row) }]
        }
    };
    let reopened = (task.current.state == TaskState::Error).then(|| TaskMove {
        from: TaskState::Error,
        to: TaskState::Pending,
        metadata: json!({ "triggered_by": act.actor }),
    });
    Ok(Plan { task: reopened.into_iter().collect(), steps: moves, wake: !task.is_held() })
}

fn step_to(step: &StepRecord, to: StepState, metadata: Value) -> StepMove {
    StepMove {
        step: step.id,
        from: step.current.state,
        to,
        metadata,
        attempts: None,
        retryable: None,
        results: None,
    }
}

fn cancel(step: &StepRecord, triggered_by: &str, reason: &str) -> StepMove {
    step_to(step, StepState::Cancelled, audit::cancelled(triggered_by, reason))
}

/// Attempts back to none, and the permission to retry as it was before a permanent failure took it.
fn reset(step: &StepRecord, act: &Intervention) -> StepMove {
    let row = json!({ "phase": PhaseMark::Reset, "reset_by": act.actor });
    let retryable = step.current.metadata.get("retryable_was").and_then(Value::as_bool);
    StepMove {
        attempts: Some(0),
        retryable,
        ..step_to(step, StepState::Pending, audit::with_reason(row, act.reason.as_deref()))
    }
}

fn cancel_with_descendants(task: &TaskRecord, step: &StepRecord, act: &Intervention) -> Vec<StepMove> {
    let reason = act.reason.as_deref().unwrap_or("step_cancelled");
    let mut children: HashMap<StepId, Vec<StepId>> = HashMap::new();
    for child in &task.steps {
        for parent in &child.parents {
            children.entry(*parent).or_default().push(child.id);
        }
    }
    let mut doomed = HashSet::from([step.id]);
    let mut frontier = vec![step.id];
    while let Some(parent) = frontier.pop() {
        let fresh = children.remove(&parent).unwrap_or_default();
        frontier.extend(fresh.into_iter().filter(|child| doomed.insert(*child)));
    }
    let open =
        task.steps.iter().filter(|other| doomed.contains(&other.id) && !other.current.state.is_settled());
    open.map(|other| {
        let by = if other.id == step.id { act.actor.as_str() } else { audit::PARENT_CANCELLED };
        cancel(other, by, reason)
    })
    .collect()
}
