//! The arrays that came back, by task.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sqlx::postgres::PgRow;
use tasker_engine::{
    Advance, Claim, ErrorReport, ParentResult, Progress, Recorded, Recording, Settled, StepId, StorageError,
    TaskId, Token, TransitionId,
};

use super::super::error::corrupt;
use super::super::values::{Jsonb, Moment, list};

/// What came back, and what it answers.
pub(super) struct Answer<'a> {
    pub(super) call: &'a Advance,
    /// For each outcome the place of the first one of the same claim.
    pub(super) firsts: &'a [usize],
    /// The places of those that were sent.
    pub(super) sent: &'a [usize],
    /// Why outcomes at these places were not recorded as they came.
    pub(super) faults: &'a HashMap<usize, ErrorReport>,
    pub(super) row: &'a PgRow,
}

impl Answer<'_> {
    /// One progress for every task that was named, ascending.
    pub(super) fn progress(&self) -> Result<Vec<Progress>, StorageError> {
        let named =
            self.call.outcomes.iter().map(|outcome| outcome.task).chain(self.call.wanted.iter().copied());
        let mut progress: BTreeMap<TaskId, Progress> =
            named.map(|task| (task, Progress { gone: true, ..Progress::nothing(task) })).collect();
        for task in self.tasks("tasks")? {
            of(&mut progress, task)?.gone = false;
        }
        for (outcome, how) in self.call.outcomes.iter().zip(self.recordings()?) {
            of(&mut progress, outcome.task)?.recorded.push(Recorded { token: outcome.token, how });
        }
        for (task, claim) in self.claims()? {
            of(&mut progress, task)?.claims.push(claim);
        }
        for (task, by) in self.tasks("begun_tasks")?.into_iter().zip(self.rows("begun_rows")?) {
            of(&mut progress, task)?.started = by;
        }
        let settled = self.tasks("settled_tasks")?.into_iter().zip(self.rows("settled_rows")?);
        for ((task, by), state) in settled.zip(list::<String>(self.row, "settled_states")?) {
            let state = state.parse().map_err(|error| corrupt(format!("the state of task {task}"), error))?;
            of(&mut progress, task)?.settled = Some(Settled { state, by });
        }
        for (task, due) in self.tasks("wake_tasks")?.into_iter().zip(list::<Moment>(self.row, "wake_dues")?) {
            of(&mut progress, task)?.next_wake = Some(due.0);
        }
        let mut progress: Vec<_> = progress.into_values().collect();
        progress.iter_mut().for_each(|progress| progress.claims.sort_unstable_by_key(|claim| claim.step));
        Ok(progress)
    }

    fn tasks(&self, name: &'static str) -> Result<Vec<TaskId>, StorageError> {
        Ok(list::<i64>(self.row, name)?.into_iter().map(TaskId).collect())
    }

    fn rows(&self, name: &'static str) -> Result<Vec<Option<TransitionId>>, StorageError> {
        Ok(list::<Option<i64>>(self.row, name)?.into_iter().map(|row| row.map(TransitionId)).collect())
    }

    /// For each outcome of the call what became of it.
    fn recordings(&self) -> Result<Vec<Recording>, StorageError> {
        let places = self.places("recorded_places")?.into_iter();
        let recorded: HashMap<_, _> = places.zip(list::<i64>(self.row, "recorded_rows")?).collect();
        let repeated: HashSet<_> = self.places("repeated_places")?.into_iter().collect();
        let how = |(place, first): (usize, &usize)| match (recorded.get(first), self.faults.get(&place)) {
            (Some(_), _) if *first != place => Recording::AlreadyRecorded,
            (Some(row), Some(fault)) => Recording::NotRecordable(TransitionId(*row), fault.clone()),
            (Some(row), None) => Recording::Recorded(TransitionId(*row)),
            (None, _) if repeated.contains(first) => Recording::AlreadyRecorded,
            (None, _) => Recording::Stale,
        };
        Ok(self.firsts.iter().enumerate().map(how).collect())
    }

    /// Places in the call; the database counts those that were sent, from 1.
    fn places(&self, name: &'static str) -> Result<Vec<usize>, StorageError> {
        let place = |number: i32| {
            let place = usize::try_from(number - 1).ok().and_then(|place| self.sent.get(place)).copied();
            place.ok_or_else(|| {
                corrupt("an answer", format!("it speaks of outcome {number}, which was not sent"))
            })
        };
        list::<i32>(self.row, name)?.into_iter().map(place).collect()
    }

    fn claims(&self) -> Result<Vec<(TaskId, Claim)>, StorageError> {
        let mut parents = self.parents()?;
        let steps = list::<i64>(self.row, "claim_steps")?.into_iter().map(StepId);
        let tokens = list::<i64>(self.row, "claim_tokens")?.into_iter().map(Token);
        let attempts = list::<i32>(self.row, "claim_attempts")?.into_iter();
        let claims = steps.zip(tokens).zip(attempts).map(|((step, token), attempt)| Claim {
            token,
            step,
            attempt: u32::try_from(attempt).expect("attempts are counted from 0"),
            parents: parents.remove(&step).unwrap_or_default(),
        });
        Ok(self.tasks("claim_tasks")?.into_iter().zip(claims).collect())
    }

    /// What the parents of each claimed step yielded, ascending.
    fn parents(&self) -> Result<HashMap<StepId, Vec<(StepId, ParentResult)>>, StorageError> {
        let steps = list::<i64>(self.row, "parent_steps")?.into_iter();
        let results = list::<Option<Jsonb>>(self.row, "parent_results")?;
        let kinds: Vec<String> = list(self.row, "parent_kinds")?;
        let yielded: HashMap<i64, ParentResult> =
            steps.zip(kinds.iter().zip(results).map(|(kind, value)| parent_result(kind, value))).collect();
        let mut parents: HashMap<StepId, Vec<_>> = HashMap::new();
        let children = list::<i64>(self.row, "edge_children")?.into_iter();
        for (child, parent) in children.zip(list::<i64>(self.row, "edge_parents")?) {
            let result = yielded.get(&parent).cloned().unwrap_or(ParentResult::Absent);
            parents.entry(StepId(child)).or_default().push((StepId(parent), result));
        }
        parents.values_mut().for_each(|parents| parents.sort_unstable_by_key(|(parent, _)| *parent));
        Ok(parents)
    }
}

fn parent_result(kind: &str, value: Option<Jsonb>) -> ParentResult {
    match (kind, value) {
        ("value", Some(value)) => ParentResult::Value(Arc::clone(&value.0)),
        ("skipped", _) => ParentResult::Skipped,
        _ => ParentResult::Absent,
    }
}

fn of(progress: &mut BTreeMap<TaskId, Progress>, task: TaskId) -> Result<&mut Progress, StorageError> {
    progress
        .get_mut(&task)
        .ok_or_else(|| corrupt("an answer", format!("it speaks of task {task}, which was not named")))
}
