//! What came back, by task.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::Value;
use tasker_engine::decide::BlockedWhy;
use tasker_engine::{
    Advance, Claim, Ended, ErrorReport, ParentResult, Progress, Recorded, Recording, Settled, StepId,
    StepMoved, StepState, StorageError, TaskId, TaskState, Token, TransitionId,
};

use super::super::error::corrupt;
use super::super::values::{Jsonb, List, Moment};

/// What came back, each part in lists of one length.
pub(super) struct Answered {
    pub(super) tasks: List<i64>,
    pub(super) recorded_places: List<i32>,
    pub(super) recorded_rows: List<i64>,
    pub(super) recorded_blocked: List<Option<String>>,
    pub(super) repeated_places: List<i32>,
    pub(super) claim_tasks: List<i64>,
    pub(super) claim_steps: List<i64>,
    pub(super) claim_tokens: List<i64>,
    pub(super) claim_attempts: List<i32>,
    pub(super) claim_retries: List<bool>,
    pub(super) edge_children: List<i64>,
    pub(super) edge_parents: List<i64>,
    pub(super) parent_steps: List<i64>,
    pub(super) parent_kinds: List<String>,
    pub(super) parent_results: List<Option<Jsonb>>,
    pub(super) begun_tasks: List<i64>,
    pub(super) begun_rows: List<i64>,
    pub(super) cancelled_tasks: List<i64>,
    pub(super) cancelled_steps: List<i64>,
    pub(super) cancelled_states: List<String>,
    pub(super) cancelled_rows: List<i64>,
    pub(super) settled_tasks: List<i64>,
    pub(super) settled_states: List<String>,
    pub(super) settled_rows: List<Option<i64>>,
    pub(super) settled_metadata: List<Jsonb>,
    pub(super) settled_open: List<i32>,
    pub(super) unbegun_tasks: List<i64>,
    pub(super) wake_tasks: List<i64>,
    pub(super) wake_dues: List<Moment>,
    pub(super) no_room_tasks: List<i64>,
    pub(super) no_room_handlers: List<String>,
}

/// What it answers.
pub(super) struct Answer<'a> {
    pub(super) call: &'a Advance,
    /// For each outcome the place of the first one of the same claim.
    pub(super) firsts: &'a [usize],
    /// The places of those that were sent.
    pub(super) sent: &'a [usize],
    /// Why outcomes at these places were not recorded as they came.
    pub(super) faults: &'a HashMap<usize, ErrorReport>,
}

impl Answer<'_> {
    /// One progress for every task that was named, ascending.
    pub(super) fn progress(&self, answered: Answered) -> Result<Vec<Progress>, StorageError> {
        let named =
            self.call.outcomes.iter().map(|outcome| outcome.task).chain(self.call.wanted.iter().copied());
        let mut progress: BTreeMap<TaskId, Progress> =
            named.map(|task| (task, Progress { gone: true, ..Progress::nothing(task) })).collect();
        for task in answered.tasks {
            of(&mut progress, task)?.gone = false;
        }
        let places = self.places(answered.recorded_places)?;
        let blocked = places.iter().zip(answered.recorded_blocked);
        let blocked: HashMap<_, _> = blocked
            .filter_map(|(place, why)| why.map(|why| Ok((*place, blocked_why(why)?))))
            .collect::<Result<_, StorageError>>()?;
        let recorded = places.into_iter().zip(answered.recorded_rows);
        let repeated = self.places(answered.repeated_places)?;
        let recordings = self.recordings(&recorded.collect(), &repeated.into_iter().collect());
        for (place, (outcome, how)) in self.call.outcomes.iter().zip(recordings).enumerate() {
            let blocked = blocked.get(&place).copied();
            let recorded = Recorded { token: outcome.token, how, blocked };
            of(&mut progress, outcome.task.0)?.recorded.push(recorded);
        }
        let yielded = answered.parent_kinds.into_iter().zip(answered.parent_results);
        let yielded = yielded.map(|(kind, value)| parent_result(&kind, value));
        let yielded = answered.parent_steps.into_iter().zip(yielded).collect();
        let mut parents = parents(answered.edge_children.into_iter().zip(answered.edge_parents), &yielded);
        let claims = answered.claim_tasks.into_iter().zip(answered.claim_steps);
        let claims = claims.zip(answered.claim_tokens).zip(answered.claim_attempts);
        for ((((task, step), token), attempt), retries) in claims.zip(answered.claim_retries) {
            let step = StepId(step);
            of(&mut progress, task)?.claims.push(Claim {
                token: Token(token),
                step,
                attempt: u32::try_from(attempt).expect("attempts are counted from 0"),
                retries,
                parents: parents.remove(&step).unwrap_or_default(),
            });
        }
        for (task, by) in answered.begun_tasks.into_iter().zip(answered.begun_rows) {
            of(&mut progress, task)?.started = Some(TransitionId(by));
        }
        let cancelled = answered.cancelled_tasks.into_iter().zip(answered.cancelled_steps);
        let cancelled = cancelled.zip(answered.cancelled_states).zip(answered.cancelled_rows);
        for (((task, step), state), row) in cancelled {
            let from = state.parse().map_err(|error| corrupt(format!("the state of step {step}"), error))?;
            let (step, to, by) = (StepId(step), StepState::Cancelled, TransitionId(row));
            of(&mut progress, task)?.cancelled.push(StepMoved { step, from, to, by });
        }
        let unbegun: HashSet<_> = answered.unbegun_tasks.into_iter().collect();
        // Those that this call settled come first.
        let settled_tasks: Vec<_> = answered.settled_tasks.into_iter().collect();
        let said = settled_tasks.iter().zip(answered.settled_metadata);
        for ((task, row), unsatisfied) in said.zip(answered.settled_open) {
            let progress = of(&mut progress, *task)?;
            let pending = unbegun.contains(task) && progress.started.is_none();
            let from = if pending { TaskState::Pending } else { TaskState::InProgress };
            progress.ended = Some(ended(*task, from, &row, unsatisfied)?);
        }
        let settled = settled_tasks.into_iter().zip(answered.settled_rows);
        for ((task, by), state) in settled.zip(answered.settled_states) {
            let state = state.parse().map_err(|error| corrupt(format!("the state of task {task}"), error))?;
            of(&mut progress, task)?.settled = Some(Settled { state, by: by.map(TransitionId) });
        }
        for (task, due) in answered.wake_tasks.into_iter().zip(answered.wake_dues) {
            of(&mut progress, task)?.next_wake = Some(due.0);
        }
        for (task, handler) in answered.no_room_tasks.into_iter().zip(answered.no_room_handlers) {
            of(&mut progress, task)?.no_room.push(handler.into());
        }
        let mut progress: Vec<_> = progress.into_values().collect();
        for progress in &mut progress {
            progress.claims.sort_unstable_by_key(|claim| claim.step);
            progress.no_room.sort_unstable();
            progress.no_room.dedup();
        }
        Ok(progress)
    }

    /// For each outcome of the call what became of it: by the rows that recorded outcomes, and by those that were
    /// recorded before.
    fn recordings(&self, recorded: &HashMap<usize, i64>, repeated: &HashSet<usize>) -> Vec<Recording> {
        let how = |(place, first): (usize, &usize)| match (recorded.get(first), self.faults.get(&place)) {
            (Some(_), _) if *first != place => Recording::AlreadyRecorded,
            (Some(row), Some(fault)) => Recording::NotRecordable(TransitionId(*row), fault.clone()),
            (Some(row), None) => Recording::Recorded(TransitionId(*row)),
            (None, _) if repeated.contains(first) => Recording::AlreadyRecorded,
            (None, _) => Recording::Stale,
        };
        self.firsts.iter().enumerate().map(how).collect()
    }

    /// Places in the call; the database counts those that were sent, from 1.
    fn places(&self, numbers: List<i32>) -> Result<Vec<usize>, StorageError> {
        let place = |number: i32| {
            let place = usize::try_from(number - 1).ok().and_then(|place| self.sent.get(place)).copied();
            place.ok_or_else(|| {
                corrupt("an answer", format!("it speaks of outcome {number}, which was not sent"))
            })
        };
        numbers.into_iter().map(place).collect()
    }
}

fn blocked_why(word: String) -> Result<BlockedWhy, StorageError> {
    serde_json::from_value(word.into()).map_err(|error| corrupt("an answer", error))
}

/// By what the row says that settled a task.
fn ended(task: i64, from: TaskState, row: &Jsonb, unsatisfied: i32) -> Result<Ended, StorageError> {
    let blocked = row.0.get("error_steps").cloned().unwrap_or_else(|| Value::Array(vec![]));
    let unreadable = |error| corrupt(format!("how task {task} was settled"), error);
    Ok(Ended {
        from,
        unsatisfied: usize::try_from(unsatisfied).expect("a part is not larger than the whole"),
        blocked: serde_json::from_value(blocked).map_err(unreadable)?,
    })
}

/// What the parents of each claimed step yielded, ascending.
fn parents(
    edges: impl Iterator<Item = (i64, i64)>,
    yielded: &HashMap<i64, ParentResult>,
) -> HashMap<StepId, Vec<(StepId, ParentResult)>> {
    let mut parents: HashMap<StepId, Vec<_>> = HashMap::new();
    for (child, parent) in edges {
        let result = yielded.get(&parent).cloned().unwrap_or(ParentResult::Absent);
        parents.entry(StepId(child)).or_default().push((StepId(parent), result));
    }
    parents.values_mut().for_each(|parents| parents.sort_unstable_by_key(|(parent, _)| *parent));
    parents
}

fn parent_result(kind: &str, value: Option<Jsonb>) -> ParentResult {
    match (kind, value) {
        ("value", Some(value)) => ParentResult::Value(value.0),
        ("skipped", _) => ParentResult::Skipped,
        _ => ParentResult::Absent,
    }
}

fn of(progress: &mut BTreeMap<TaskId, Progress>, task: i64) -> Result<&mut Progress, StorageError> {
    progress
        .get_mut(&TaskId(task))
        .ok_or_else(|| corrupt("an answer", format!("it speaks of task {task}, which was not named")))
}
