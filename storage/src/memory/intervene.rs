//! Operators' acts: decided by [`plan_intervention`] on the task as it stands, and carried out to the letter.

use tasker_engine::decide::{Plan, StepMove, plan_intervention};
use tasker_engine::{Detail, Intervened, Intervention, StepMoved, StorageError, TaskMoved, payload};

use super::defects::{Defect, makes};
use super::notes::Note;
use super::store::Store;
use super::task::{Pen, Task};

impl Store {
    pub(super) fn intervene(&mut self, act: &Intervention) -> Result<Intervened, StorageError> {
        act.check(&self.limits)?;
        let task = self.find(act.task).ok_or(StorageError::UnknownTask(act.task))?;
        let plan = match plan_intervention(&task.record(Detail::Graph), act) {
            Ok(plan) => plan,
            Err(not) => return Ok(Intervened::Not(not)),
        };
        let moved = self.touch(act.task, act.now, |task, pen| task.carry_out(pen, plan));
        moved.ok_or(StorageError::UnknownTask(act.task))
    }
}

impl Task {
    fn carry_out(&mut self, pen: &mut Pen<'_>, mut plan: Plan) -> Intervened {
        if makes(Defect::DescendantsNotCancelled) {
            plan.steps.truncate(1);
        }
        let mut steps: Vec<_> = plan.steps.into_iter().map(|step| self.carry_out_step(pen, step)).collect();
        steps.sort_unstable_by_key(|moved| moved.step);
        let moves = plan.task.into_iter();
        let rows = moves.map(|row| TaskMoved {
            from: row.from,
            to: row.to,
            by: self.move_task(pen, row.to, Note::Written(Box::new(row.metadata))),
        });
        let rows = rows.collect();
        if plan.wake {
            self.wake.set(pen.now);
        } else {
            self.wake.clear();
        }
        Intervened::Moved { task: self.state(), steps, rows }
    }

    fn carry_out_step(&mut self, pen: &mut Pen<'_>, row: StepMove) -> StepMoved {
        let place = self.graph.place(row.step).expect("a plan moves steps of the task that it was made for");
        let note = Note::Written(Box::new(row.metadata));
        let by = self.move_step(pen, place, row.to, note, |step| {
            step.attempts = row.attempts.unwrap_or(step.attempts);
            step.retryable = row.retryable.unwrap_or(step.retryable);
            if let Some(results) = &row.results {
                step.results = Some(payload::normalised(results));
            }
        });
        StepMoved { step: row.step, from: row.from, to: row.to, by }
    }
}
