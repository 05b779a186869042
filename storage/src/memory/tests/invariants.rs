//! What holds of every task after every call.

use std::collections::HashMap;
use std::fmt::Debug;

use tasker_engine::decide::{Readiness, Tally, readiness, settlement};
use tasker_engine::{Current, StepRecord, StepState, TaskId, TaskRecord, TaskState, Timestamp, Transition};

use super::super::store::Store;
use super::super::task::Task;

/// Holds a storage to its rules from call to call.
#[derive(Default)]
pub(super) struct Watch {
    /// The last wake of each task that was seen.
    wakes: HashMap<TaskId, (Timestamp, i64)>,
}

impl Watch {
    pub(super) fn check(&mut self, store: &Store, tasks: &[TaskRecord], now: Timestamp) {
        for record in tasks {
            audited(record);
            let task = store.task(record.id);
            counted(task, record);
            not_forgotten(task, record, now);
            self.generation_rises(record);
        }
        followed(store, tasks);
    }

    fn generation_rises(&mut self, record: &TaskRecord) {
        let Some((due, generation)) = record.wake else { return };
        if let Some((old_due, old)) = self.wakes.insert(record.id, (due, generation)) {
            assert!(
                generation > old || (due, generation) == (old_due, old),
                "task {}: {generation} {old}",
                record.id
            );
        }
    }
}

/// The rows follow one another by legal moves, 10 apart, and the last one is the current state; columns repeat it.
fn audited(task: &TaskRecord) {
    trail(&task.history, &task.current, TaskState::Pending, TaskState::may_become);
    assert_eq!(task.complete, task.current.state == TaskState::Complete);
    assert!(
        task.wake.is_none() || task.current.state.is_open() && !task.is_paused(),
        "a wake of {}",
        task.id
    );
    assert!(task.steps.is_sorted_by(|one, next| one.id < next.id));
    for step in &task.steps {
        trail(&step.history, &step.current, StepState::Pending, StepState::may_become);
        let state = step.current.state;
        assert_eq!((step.in_process, step.processed), (state == StepState::InProgress, state.is_satisfied()));
        assert_eq!(step.processed_at, step.current.since.filter(|_| step.processed));
        assert!(
            step.backoff_request_seconds.is_none() || state == StepState::Error,
            "a wait ends with a move"
        );
        assert!(step.parents.is_sorted_by(|one, next| one < next), "parents ascend, once each");
        assert!(!step.in_process || task.parents_satisfied(step), "no step before its parents: {step:?}");
        assert_eq!(step.attempts, attempts(step), "attempts that count: {step:?}");
        assert!(step.attempts <= step.retry_limit, "no attempt beyond the limit: {step:?}");
    }
    let running = task.steps.iter().filter(|step| step.in_process).count();
    assert!(task.template.concurrent || running <= 1, "one step at a time");
}

fn trail<S: Copy + PartialEq + Debug>(
    history: &[Transition<S>],
    current: &Current<S>,
    mut before: S,
    may_become: fn(S, S) -> bool,
) {
    for (place, row) in (1..).zip(history) {
        assert_eq!((row.from, row.sort_key), (Some(before), 10 * place));
        assert!(may_become(before, row.to), "{row:?}");
        assert_eq!(row.most_recent, usize::try_from(place) == Ok(history.len()), "one most recent row");
        before = row.to;
    }
    assert_eq!((current.state, current.transition), (before, history.last().map(|row| row.id)));
    assert!(history.is_sorted_by(|one, next| one.id < next.id));
}

/// Attempts begun since the last reset, without those that were taken back.
fn attempts(step: &StepRecord) -> u32 {
    step.history.iter().fold(0, |attempts, row| match (row.from, row.to) {
        (_, StepState::InProgress) => attempts + 1,
        (Some(StepState::InProgress), StepState::Pending) => attempts - 1,
        (_, StepState::Pending) if row.metadata.get("reset_by").is_some() => 0,
        _ => attempts,
    })
}

/// What is counted as it changes is what counting again finds; and the step's facts are those of its record.
fn counted(task: &Task, record: &TaskRecord) {
    let (graph, steps) = (&task.graph, &task.steps);
    let is_leaf = |place: &usize| graph.children(*place).is_empty();
    let cancelled = |place: &usize| steps[*place].state == StepState::Cancelled;
    let leaves = (0..steps.len()).filter(is_leaf);
    let mut tally = Tally {
        total: steps.len(),
        leaves: leaves.clone().count(),
        cancelled_leaves: leaves.filter(cancelled).count(),
        ..Tally::default()
    };
    for (place, step) in steps.iter().enumerate() {
        let unsatisfied = graph.parents(place).iter().filter(|parent| !steps[**parent].state.is_satisfied());
        assert_eq!(step.waits_for, unsatisfied.count(), "step {place} of task {}", task.id);
        assert_eq!(task.facts(place), record.steps[place].facts(), "step {place} of task {}", task.id);
        step.count_into(&mut tally);
    }
    assert_eq!(task.tally, tally, "task {}", task.id);
    let movable = (0..steps.len()).filter(|place| steps[*place].can_move());
    assert!(task.movable.iter().copied().eq(movable), "{:?} can move of task {}", task.movable, task.id);
}

/// Whoever can move, or has to settle, has a wake, unless what runs will move it.
fn not_forgotten(task: &Task, record: &TaskRecord, now: Timestamp) {
    let at_limit = !record.template.concurrent && task.tally.running > 0;
    if !task.may_move() || at_limit || record.wake.is_some() {
        return;
    }
    assert_eq!(settlement(&task.tally), None, "task {} has to settle, and nobody knows", task.id);
    for step in &record.steps {
        let judged = readiness(&step.facts(), record.parents_satisfied(step), now);
        let moves = matches!(judged, Readiness::Ready | Readiness::WaitingUntil(_));
        assert!(!moves, "step {} of task {} is {judged:?}, and nobody knows", step.name, task.id);
    }
}

/// The sets are those that looking at every task finds.
fn followed(store: &Store, tasks: &[TaskRecord]) {
    let due = store.due(Timestamp::from_micros(i64::MAX), usize::MAX).wakes;
    let mut told: Vec<_> = due.iter().map(|wake| (wake.task, wake.due, wake.generation)).collect();
    assert!(due.is_sorted_by_key(|wake| (wake.due, wake.task)), "earliest first, then by task");
    told.sort_unstable();
    let wakes = tasks.iter().filter_map(|task| task.wake.map(|(due, generation)| (task.id, due, generation)));
    assert_eq!(told, wakes.collect::<Vec<_>>());
    let runs = |task: &&TaskRecord| task.steps.iter().any(|step| step.in_process);
    assert_eq!(store.sets.running(), tasks.iter().filter(runs).map(|task| task.id).collect::<Vec<_>>());
}
