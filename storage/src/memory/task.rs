//! One task: its steps, how they hang together, and every move of them.
//!
//! All moves go through [`Task::move_task`] and [`Task::move_step`], which write the row and keep the counts right; so no
//! call has to count again what it did not touch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use tasker_engine::decide::{StepFacts, Tally};
use tasker_engine::records::EdgeId;
use tasker_engine::{
    PhaseMark, StepId, StepState, TaskId, TaskRequest, TaskState, Timestamp, Token, TransitionId, WorkerId,
};

use super::catalogue::Catalogue;
use super::defects::{Defect, makes};
use super::graph::{Edge, Graph};
use super::notes::Note;
use super::rows::{NewRow, Row, Trail};
use super::step::Step;
use super::wakes::{Standing, TaskWake};
use super::work::looked;

pub(super) struct Task {
    pub(super) id: TaskId,
    pub(super) identity_hash: Arc<str>,
    pub(super) request: TaskRequest,
    /// Inputs that differ from the context, by place.
    pub(super) inputs: BTreeMap<usize, Arc<Value>>,
    pub(super) created_at: Timestamp,
    /// When its own columns, not its steps or rows, changed last.
    pub(super) updated_at: Timestamp,
    /// When steps were changed by hand, by place, and not moved since.
    pub(super) edited: BTreeMap<usize, Timestamp>,
    pub(super) graph: Graph,
    /// By place.
    pub(super) steps: Vec<Step>,
    /// How the steps stand, counted; kept with every move.
    pub(super) tally: Tally,
    /// The steps that can move; kept with every move, so that looking at a task costs what can move, not what there is.
    pub(super) movable: BTreeSet<usize>,
    pub(super) trail: Trail,
    pub(super) wake: TaskWake,
}

/// Draws ids for one call, and knows its time.
pub(super) struct Pen<'a> {
    pub(super) ids: &'a mut Ids,
    pub(super) catalogue: &'a mut Catalogue,
    pub(super) now: Timestamp,
    /// Steps of the task at hand whose last unsatisfied parent was satisfied in the course of the call, or that were
    /// added; they may have more to wait for since.
    pub(super) freed: &'a mut Vec<usize>,
}

/// The ids that were drawn last. Rows of tasks and steps share one counter.
#[derive(Default)]
pub(super) struct Ids {
    pub(super) task: i64,
    pub(super) step: i64,
    pub(super) edge: i64,
    pub(super) row: i64,
}

impl Pen<'_> {
    fn row(&mut self) -> TransitionId {
        self.ids.row += 1;
        TransitionId(self.ids.row)
    }

    fn edge(&mut self) -> EdgeId {
        self.ids.edge += 1;
        EdgeId(self.ids.edge)
    }

    pub(super) fn step(&mut self) -> StepId {
        self.ids.step += 1;
        StepId(self.ids.step)
    }
}

impl Task {
    pub(super) fn state(&self) -> TaskState {
        self.trail.task().map_or(TaskState::Pending, |row| row.to)
    }

    #[cfg(any(test, feature = "conformance"))]
    pub(super) fn make_draft(&mut self, pen: &mut Pen<'_>) {
        let row = serde_json::json!({ "phase": PhaseMark::Draft });
        self.move_task(pen, TaskState::Pending, Note::Written(Box::new(row)));
        self.wake.clear();
    }

    /// Whether nothing is claimed and nothing settled for the time being: it is paused, or a draft.
    pub(super) fn is_held(&self) -> bool {
        self.trail.task().is_some_and(|row| {
            row.to == TaskState::Pending
                && matches!(row.note.mark(), Some(PhaseMark::Paused | PhaseMark::Draft))
        })
    }

    /// Whether the engine may move it.
    pub(super) fn may_move(&self) -> bool {
        self.state().is_open() && !self.is_held()
    }

    /// Whether it is forgotten: it may move, and neither a wake nor a running step will bring anybody to look.
    pub(super) fn is_forgotten(&self) -> bool {
        self.wake.due().is_none() && self.tally.running == 0 && self.may_move()
    }

    pub(super) fn standing(&self) -> Standing {
        Standing {
            namespace: self.graph.learned().namespace(),
            open: self.state().is_open(),
            running: self.tally.running > 0,
            due: self.wake.due(),
        }
    }

    /// The latest row of a step.
    pub(super) fn latest(&self, place: usize) -> Option<&Row<StepState>> {
        self.steps[place].latest.map(|row| self.trail.step(row))
    }

    pub(super) fn facts(&self, place: usize) -> StepFacts {
        self.steps[place].facts(self.latest(place))
    }

    /// The claim under which a step runs, and who holds it.
    pub(super) fn claim(&self, place: usize) -> Option<(Token, WorkerId)> {
        match self.latest(place)? {
            Row { id, note: Note::Claimed { worker, .. }, .. } => Some((Token(id.0), *worker)),
            _ => None,
        }
    }

    /// The steps that run, ascending. Costs nothing when none does.
    pub(super) fn running(&self) -> impl Iterator<Item = usize> {
        let among = if self.tally.running > 0 { self.steps.len() } else { 0 };
        (0..among).filter(|place| {
            looked();
            self.steps[*place].state == StepState::InProgress
        })
    }

    /// Writes a row of the task.
    pub(super) fn move_task(&mut self, pen: &mut Pen<'_>, to: TaskState, note: Note) -> TransitionId {
        let id = pen.row();
        if (self.state() == TaskState::Complete) != (to == TaskState::Complete) {
            self.updated_at = pen.now;
        }
        self.trail.add_to_task(id, pen.now, to, note);
        id
    }

    /// Begins the task.
    pub(super) fn begin(&mut self, pen: &mut Pen<'_>) -> TransitionId {
        self.move_task(pen, TaskState::InProgress, Note::TaskStarted { steps: self.steps.len() })
    }

    /// Writes a row of a step and changes the step with it. A wait that was asked for ends with every move.
    pub(super) fn move_step(
        &mut self,
        pen: &mut Pen<'_>,
        place: usize,
        to: StepState,
        note: Note,
        change: impl FnOnce(&mut Step),
    ) -> TransitionId {
        let id = pen.row();
        self.edited.remove(&place);
        let (latest, many) = (self.steps[place].latest, self.steps.len());
        let row = NewRow { id, at: pen.now, to, note };
        let latest = self.trail.add_to_step(place, latest, row, many);
        self.update_step(place, |step| {
            step.latest = Some(latest);
            step.state = to;
            step.backoff_request_seconds = None;
            change(step);
        });
        if to.is_satisfied() || (to == StepState::Cancelled && makes(Defect::SettledTakenForSatisfied)) {
            self.satisfy_children(pen, place);
        } else if to == StepState::Cancelled && self.graph.children(place).is_empty() {
            self.tally.cancelled_leaves += 1;
        }
        id
    }

    /// Steps never stop being satisfied, so each edge is followed once.
    fn satisfy_children(&mut self, pen: &mut Pen<'_>, place: usize) {
        for number in 0..self.graph.children(place).len() {
            looked();
            let child = self.graph.children(place)[number];
            self.update_step(child, |step| step.waits_for -= 1);
            if self.steps[child].waits_for == 0 {
                pen.freed.push(child);
            }
        }
    }

    /// Changes a step, and with it what is kept of how the steps stand.
    pub(super) fn update_step(&mut self, place: usize, change: impl FnOnce(&mut Step)) {
        let step = &mut self.steps[place];
        let could_move = step.can_move();
        step.count_out_of(&mut self.tally);
        change(step);
        step.count_into(&mut self.tally);
        match (could_move, step.can_move()) {
            (false, true) => drop(self.movable.insert(place)),
            (true, false) => drop(self.movable.remove(&place)),
            _ => {}
        }
    }

    /// Adds an edge.
    pub(super) fn link(&mut self, pen: &mut Pen<'_>, parent: usize, child: usize, name: &str) -> EdgeId {
        looked();
        if self.graph.children(parent).is_empty() {
            self.tally.leaves -= 1;
        }
        let id = pen.edge();
        self.graph.link(Edge { id, parent, child, name, at: pen.now });
        if !self.steps[parent].state.is_satisfied() {
            self.update_step(child, |step| step.waits_for += 1);
        }
        id
    }

    /// Adds a step, as yet without edges.
    pub(super) fn add(&mut self, step: Step) {
        self.tally.total += 1;
        self.tally.leaves += 1;
        step.count_into(&mut self.tally);
        if step.can_move() {
            self.movable.insert(self.steps.len());
        }
        self.steps.push(step);
    }
}
