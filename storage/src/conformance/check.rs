//! Rules that every stored task keeps, whatever was done to it; and short forms of audit trails to compare.
//!
//! Covers, of the contract: "Audited", and the columns of [`StepRecord`] and [`TaskRecord`] that follow from the state.

use std::fmt::Debug;

use serde_json::Value;
use tasker_engine::{Current, StepRecord, StepState, TaskRecord, TaskState, Transition};

/// A row of an audit trail without what differs from run to run: from, to and sort key.
pub type Row<S> = (S, S, i32);

/// An audit trail in short.
///
/// # Panics
/// When a row does not name the state before.
pub fn rows<S: Copy>(history: &[Transition<S>]) -> Vec<Row<S>> {
    history
        .iter()
        .map(|row| (row.from.expect("every row names the state before"), row.to, row.sort_key))
        .collect()
}

/// What the rows say, in order.
pub fn metadata<S>(history: &[Transition<S>]) -> Vec<Value> {
    history.iter().map(|row| row.metadata.clone()).collect()
}

/// Holds a task that was loaded with its audit trail to the rules that every task keeps.
///
/// # Panics
/// When it breaks one.
pub fn record(task: &TaskRecord) {
    trail(&task.history, &task.current, TaskState::Pending);
    for pair in task.history.windows(2) {
        assert!(pair[0].to.may_become(pair[1].to), "a legal move of task {}: {pair:?}", task.id);
    }
    assert_eq!(task.complete, task.current.state == TaskState::Complete, "the flag of task {}", task.id);
    if !task.current.state.is_open() || task.is_held() {
        assert_eq!(task.wake, None, "a settled or held task has no wake: {}", task.id);
    }
    assert!(task.steps.is_sorted_by_key(|step| step.id), "steps ascend: {}", task.id);
    for step in &task.steps {
        self::step(task, step);
    }
}

fn step(task: &TaskRecord, step: &StepRecord) {
    trail(&step.history, &step.current, StepState::Pending);
    let state = step.current.state;
    for pair in step.history.windows(2) {
        assert!(pair[0].to.may_become(pair[1].to), "a legal move of step {}: {pair:?}", step.name);
    }
    assert_eq!(step.in_process, state == StepState::InProgress, "in_process of {}", step.name);
    assert_eq!(step.processed, state.is_satisfied(), "processed of {}", step.name);
    assert_eq!(
        step.processed_at,
        step.current.since.filter(|_| step.processed),
        "processed_at of {}",
        step.name
    );
    assert!(step.attempts <= step.retry_limit, "{} is tried {} times", step.name, step.attempts);
    assert!(step.parents.is_sorted(), "parents ascend: {}", step.name);
    let place = |id| task.position(id).unwrap_or_else(|| panic!("{} waits for steps of its task", step.name));
    let satisfied = step.parents.iter().all(|parent| task.steps[place(*parent)].current.state.is_satisfied());
    if state == StepState::InProgress {
        assert!(satisfied, "{} runs before its parents are done", step.name);
    }
    let mut claims = step.history.iter().rev().filter(|row| row.to == StepState::InProgress);
    assert_eq!(step.last_attempted_at, claims.next().map(|row| row.at), "last_attempted_at of {}", step.name);
}

/// The rows follow one another, 10 apart, and the last is the current one.
fn trail<S: Copy + PartialEq + Debug>(history: &[Transition<S>], current: &Current<S>, first: S) {
    let mut before = first;
    for (place, row) in history.iter().enumerate() {
        let nth = i32::try_from(place + 1).expect("few rows");
        assert_eq!(row.from, Some(before), "the real state before: {history:?}");
        assert_eq!(row.sort_key, 10 * nth, "sort keys 10 apart: {history:?}");
        assert_eq!(row.most_recent, place + 1 == history.len(), "one most recent row: {history:?}");
        before = row.to;
    }
    let last = history.last();
    let expected = Current {
        state: before,
        metadata: last.map_or_else(|| Value::Object(serde_json::Map::new()), |row| row.metadata.clone()),
        since: last.map(|row| row.at),
        sort_key: last.map_or(0, |row| row.sort_key),
        transition: last.map(|row| row.id),
    };
    assert_eq!(*current, expected, "the current row is the last");
}
