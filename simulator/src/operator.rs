//! An operator, who does what may or may not be allowed.

use std::sync::Arc;

use fastrand::Rng;
use serde_json::json;
use tasker_engine::{Act, StepCommand, StepRecord, StepState, TaskCommand, TaskRecord, TaskState};

use crate::plan::chance;

/// An act on a task as the operator saw it, with a reason or without.
pub(crate) fn act(task: &TaskRecord, random: &mut Rng) -> (Act, Option<&'static str>) {
    let reason = chance(random, 0.8).then_some("as it was drawn");
    let act = if task.steps.is_empty() || chance(random, 0.5) {
        Act::Task {
            command: task_command(task, random),
            expected: expected(TaskState::ALL, task.current.state, random),
        }
    } else {
        let step = &task.steps[random.usize(..task.steps.len())];
        let expected = expected(StepState::ALL, step.current.state, random);
        Act::Step { step: step.id, command: step_command(step, random), expected }
    };
    (act, reason)
}

/// Mostly nothing is expected, sometimes what was seen, and sometimes anything.
fn expected<S: Copy>(all: [S; 6], seen: S, random: &mut Rng) -> Option<S> {
    match random.u32(..10) {
        0..=6 => None,
        7 | 8 => Some(seen),
        _ => Some(all[random.usize(..6)]),
    }
}

fn task_command(task: &TaskRecord, random: &mut Rng) -> TaskCommand {
    let all = [
        TaskCommand::Cancel { force: false },
        TaskCommand::Cancel { force: true },
        TaskCommand::Retry,
        TaskCommand::Resolve,
        TaskCommand::Pause,
        TaskCommand::Resume,
    ];
    match (task.current.state, random.u32(..10)) {
        (_, 0) => all[random.usize(..all.len())],
        (_, 1) => TaskCommand::Cancel { force: false },
        (TaskState::Error, 2) => TaskCommand::Resolve,
        (TaskState::Error, _) => TaskCommand::Retry,
        _ if task.is_paused() => TaskCommand::Resume,
        _ => TaskCommand::Pause,
    }
}

fn step_command(step: &StepRecord, random: &mut Rng) -> StepCommand {
    let results = Arc::new(json!({ "by": "an operator" }));
    let given = random.bool().then(|| Arc::clone(&results));
    match (step.current.state, random.u32(..8)) {
        (_, 0) => StepCommand::Cancel,
        (_, 1) => StepCommand::Resolve { results: given },
        (_, 2) => StepCommand::Complete { results },
        (_, 3) => StepCommand::Skip,
        (StepState::InProgress, _) => StepCommand::Cancel,
        (_, 4) => StepCommand::Reset,
        (StepState::Error, _) if step.facts().blocked().is_some() => StepCommand::Reset,
        (StepState::Error, _) => StepCommand::Retry,
        _ if step.skippable => StepCommand::Skip,
        _ => StepCommand::Resolve { results: given },
    }
}
