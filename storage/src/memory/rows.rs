//! The audit trail: rows are only ever added, and rendered only when somebody loads the task.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use serde_json::{Map, Value};
use tasker_engine::{Current, StepState, TaskState, Timestamp, Transition, TransitionId, audit};

use super::defects::{Defect, makes};
use super::notes::Note;
use super::work::looked;

/// One move of a task or step.
pub(super) struct Row<S> {
    pub(super) id: TransitionId,
    pub(super) at: Timestamp,
    pub(super) from: S,
    pub(super) to: S,
    pub(super) sort_key: i32,
    pub(super) note: Note,
}

/// The rows of a task and of its steps, in the order in which they were written.
#[derive(Default)]
pub(super) struct Trail {
    task: Vec<Row<TaskState>>,
    steps: Vec<StepRow>,
    /// What came too late, by the row that had ended its claim. Rare, so it stands apart.
    late: BTreeMap<Place, Value>,
}

/// A row of a step, chained to the one before it of the same step: so the history of one step is found without looking
/// at those of others.
struct StepRow {
    row: Row<StepState>,
    step: u32,
    previous: Option<Place>,
}

/// Where a row of a step stands in the trail. Counted from one, so that an absent one takes no room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(NonZeroU32);

impl Place {
    pub(super) const FIRST: Self = Self(NonZeroU32::MIN);

    fn of(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("a task has fewer rows than memory could hold"))
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The first rows get room at once for a short task: most steps have two.
const FEW_ROWS: usize = 64;

impl Trail {
    /// The latest row of the task.
    pub(super) fn task(&self) -> Option<&Row<TaskState>> {
        self.task.last()
    }

    pub(super) fn step(&self, place: Place) -> &Row<StepState> {
        looked();
        &self.steps[place.index()].row
    }

    /// The row of a step before this one.
    pub(super) fn before(&self, place: Place) -> Option<Place> {
        self.steps[place.index()].previous
    }

    /// Keeps what came too late for a claim that this row ended; the first of its kind stays.
    pub(super) fn keep_late(&mut self, ended_by: Place, outcome: Value) {
        self.late.entry(ended_by).or_insert(outcome);
    }

    /// How a step stands whose latest row this is.
    pub(super) fn current_of_step(&self, latest: Option<Place>) -> Current<StepState> {
        let mut current = Row::current(latest.map(|place| self.step(place)), StepState::Pending);
        if let Some(place) = latest {
            self.add_late(place, &mut current.metadata);
        }
        current
    }

    fn add_late(&self, place: Place, metadata: &mut Value) {
        if let (Some(late), Value::Object(keys)) = (self.late.get(&place), metadata) {
            keys.insert(audit::LATE_OUTCOME.into(), late.clone());
        }
    }

    /// Where the next row of a step will stand: later ones do not come before it.
    pub(super) fn end(&self) -> Place {
        Place::of(self.steps.len())
    }

    pub(super) fn add_to_task(&mut self, id: TransitionId, at: Timestamp, to: TaskState, note: Note) {
        let (from, sort_key) = self.task().map_or((TaskState::Pending, 0), |row| (row.to, row.sort_key));
        debug_assert!(from.may_become(to), "a task does not go from {from} to {to}");
        self.task.push(Row { id, at, from, to, sort_key: sort_key + 10, note });
    }

    pub(super) fn add_to_step(
        &mut self,
        step: usize,
        previous: Option<Place>,
        row: NewRow,
        steps: usize,
    ) -> Place {
        let NewRow { id, at, to, note } = row;
        let (from, sort_key) = previous.map_or((StepState::Pending, 0), |place| {
            let row = self.step(place);
            (row.to, row.sort_key)
        });
        debug_assert!(from.may_become(to), "a step does not go from {from} to {to}");
        if self.steps.capacity() == 0 {
            self.steps.reserve((2 * steps).min(FEW_ROWS));
        }
        let place = self.end();
        let step = u32::try_from(step).expect("a task has fewer steps than rows");
        let row = Row { id, at, from, to, sort_key: sort_key + 10, note };
        self.steps.push(StepRow { row, step, previous });
        place
    }

    /// The rows of the task, in order.
    pub(super) fn task_rows(&self) -> &[Row<TaskState>] {
        &self.task
    }

    /// The rows of all steps in the order in which they were written, each with the place of its step, and the moment of
    /// the next row of that step.
    pub(super) fn step_rows(&self) -> impl Iterator<Item = (usize, &Row<StepState>, Option<Timestamp>)> {
        let mut ended = vec![None; self.steps.len()];
        for StepRow { row, previous, .. } in &self.steps {
            if let Some(place) = previous {
                ended[place.index()] = Some(row.at);
            }
        }
        self.steps.iter().zip(ended).map(|(each, ended)| (each.step as usize, &each.row, ended))
    }

    /// The history of the task, rendered.
    pub(super) fn task_history(&self) -> Vec<Transition<TaskState>> {
        let last = self.task.len().wrapping_sub(1);
        self.task.iter().enumerate().map(|(place, row)| row.transition(place == last)).collect()
    }

    /// The histories of all steps, rendered; `latest` are their latest rows.
    pub(super) fn step_histories(&self, latest: &[Option<Place>]) -> Vec<Vec<Transition<StepState>>> {
        let mut histories: Vec<Vec<_>> = latest.iter().map(|_| vec![]).collect();
        for (index, StepRow { row, step, .. }) in self.steps.iter().enumerate() {
            let (step, place) = (*step as usize, Place::of(index));
            let doubled = row.to == StepState::Error && makes(Defect::MostRecentDoubled);
            let mut row = row.transition(doubled || latest[step] == Some(place));
            self.add_late(place, &mut row.metadata);
            histories[step].push(row);
        }
        histories
    }
}

/// What is new in a row of a step; the rest follows from the one before.
pub(super) struct NewRow {
    pub(super) id: TransitionId,
    pub(super) at: Timestamp,
    pub(super) to: StepState,
    pub(super) note: Note,
}

impl<S: Copy> Row<S> {
    fn transition(&self, most_recent: bool) -> Transition<S> {
        Transition {
            id: self.id,
            from: Some(self.from),
            to: self.to,
            metadata: self.note.render(),
            sort_key: self.sort_key,
            most_recent,
            at: self.at,
        }
    }

    /// The state that this row, the latest if there is one, brought about.
    pub(super) fn current(latest: Option<&Self>, pending: S) -> Current<S> {
        Current {
            state: latest.map_or(pending, |row| row.to),
            metadata: latest.map_or_else(|| Value::Object(Map::new()), |row| row.note.render()),
            since: latest.map(|row| row.at),
            sort_key: latest.map_or(0, |row| row.sort_key),
            transition: latest.map(|row| row.id),
        }
    }
}
