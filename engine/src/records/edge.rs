//! May an edge be drawn between two steps of a task, and may a step be changed?

use std::collections::HashMap;

use super::{Fault, NewEdge, RecordError};
use crate::{StepId, StepName, StepRecord, StepState, TaskRecord};

/// What becomes of an edge that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeVerdict {
    /// It may be drawn.
    New,
    /// It is there, whatever it is named.
    Known,
}

/// Judges an edge on the task as it stands under its lock. `from` and `to` are the ends as far as the task has them.
///
/// # Errors
/// Where it would close a circle, join two tasks, or make a step wait that has begun.
pub fn judge_edge(task: &TaskRecord, edge: &NewEdge) -> Result<EdgeVerdict, RecordError> {
    let find = |id: StepId| task.position(id).map(|place| &task.steps[place]);
    let child = find(edge.to_step_id).ok_or(not_found(edge.to_step_id))?;
    if edge.from_step_id == edge.to_step_id {
        return Err(RecordError::Cycle { path: vec![child.name.clone(); 2] });
    }
    let parent =
        find(edge.from_step_id).ok_or_else(|| RecordError::invalid("from_step", Fault::OtherTask))?;
    if child.parents.contains(&parent.id) {
        return Ok(EdgeVerdict::Known);
    }
    if let Some(mut path) = way(task, child.id, parent.id) {
        path.push(child.name.clone());
        return Err(RecordError::Cycle { path });
    }
    if !task.current.state.is_open() {
        return Err(RecordError::NotNow { what: "task", id: task.id.0, state: task.current.state.as_str() });
    }
    // A step that has begun cannot wait for anything; below a cancelled one nothing runs.
    let may_wait = |step: &StepRecord| matches!(step.current.state, StepState::Pending | StepState::Error);
    for (step, fits) in [(child, may_wait(child)), (parent, parent.current.state != StepState::Cancelled)] {
        if !fits {
            return Err(not_now(step));
        }
    }
    Ok(EdgeVerdict::New)
}

fn not_found(step: StepId) -> RecordError {
    RecordError::NotFound { what: "workflow step", id: step.0 }
}

fn not_now(step: &StepRecord) -> RecordError {
    RecordError::NotNow { what: "workflow step", id: step.id.0, state: step.current.state.as_str() }
}

/// The names of the steps on a way from one step down to another, if there is one.
fn way(task: &TaskRecord, from: StepId, to: StepId) -> Option<Vec<StepName>> {
    // Upwards, because each step knows its parents.
    let mut below: HashMap<StepId, StepId> = HashMap::new();
    let mut next = vec![to];
    while let Some(step) = next.pop() {
        if step == from {
            let mut names = vec![];
            let mut at = Some(&from);
            while let Some(step) = at {
                names.extend(task.position(*step).map(|place| task.steps[place].name.clone()));
                at = below.get(step);
            }
            return Some(names);
        }
        // A parent in another task, which old data may have, leads nowhere in this one.
        let Some(place) = task.position(step) else { continue };
        for parent in &task.steps[place].parents {
            if *parent != to && !below.contains_key(parent) {
                below.insert(*parent, step);
                next.push(*parent);
            }
        }
    }
    None
}

/// Whether the columns of a step may be changed by hand: while it is pending or in error.
///
/// # Errors
/// When the task has no such step, or it is in another state.
pub fn judge_step_change(task: &TaskRecord, step: StepId) -> Result<&StepRecord, RecordError> {
    let place = task.position(step).ok_or(not_found(step))?;
    let step = &task.steps[place];
    match step.current.state {
        StepState::Pending | StepState::Error => Ok(step),
        _ => Err(not_now(step)),
    }
}
