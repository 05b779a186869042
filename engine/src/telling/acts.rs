//! What is told of operators' acts.

use super::task::Cause;
use super::{About, Facts};
use crate::engine::Shared;
use crate::{
    Act, EngineTypes, Intervention, PhaseMark, StepCommand, StepMoved, StepState, TaskCommand, TaskMoved,
    audit, reason,
};

impl<T: EngineTypes> Shared<T> {
    /// Tells what an act wrote.
    pub(crate) async fn tell_act(&self, act: &Intervention, steps: &[StepMoved], rows: &[TaskMoved]) {
        let Some(mut facts) = self.facts() else { return };
        facts.at = act.now;
        let about = self.about(&[act.task]).await.remove(0);
        for moved in steps {
            facts.step_acted_on(&about, act, *moved);
        }
        let cause = Cause { actor: &act.actor, reason: act.reason.as_deref() };
        for row in rows {
            facts.task_moved(&about, *row, &cause, phase(act));
        }
        self.publish(facts);
    }
}

/// Why a task is pending.
const fn phase(act: &Intervention) -> &'static str {
    match &act.act {
        Act::Task { command: TaskCommand::Resume, .. } => PhaseMark::Resumed.as_str(),
        _ => reason::WORKFLOW_PAUSED,
    }
}

impl Facts {
    fn step_acted_on(&mut self, about: &About, act: &Intervention, row: StepMoved) {
        let given = Cause { actor: &act.actor, reason: act.reason.as_deref() };
        let command = match &act.act {
            Act::Step { command, .. } => Some(command),
            Act::Task { .. } => None,
        };
        match (row.to, command) {
            (StepState::Cancelled, None) => {
                let cause = Cause { actor: &act.actor, reason: Some(audit::TASK_CANCELLED) };
                self.step_cancelled(about, row, &cause);
            }
            (StepState::Cancelled, Some(_)) => {
                let reason = Some(given.reason.unwrap_or("step_cancelled"));
                let itself = matches!(act.act, Act::Step { step, .. } if step == row.step);
                let actor = if itself { given.actor } else { audit::PARENT_CANCELLED };
                self.step_cancelled(about, row, &Cause { actor, reason });
            }
            (StepState::Complete, Some(StepCommand::Complete { results })) => {
                self.step_completed_by_hand(about, row, &act.actor, results);
            }
            (StepState::Pending, Some(StepCommand::Retry)) => {
                let next = about.attempts(row.step) + 1;
                self.step_retried(about, row.step, next, Some(row.by), &act.actor);
            }
            (StepState::Pending, _) => self.step_reset(about, row, &act.actor),
            (StepState::ResolvedManually, command) => {
                let skipped = matches!(command, Some(StepCommand::Skip));
                self.step_resolved(about, (row.step, row.from, Some(row.by)), &given, skipped);
            }
            (StepState::InProgress | StepState::Complete | StepState::Error, _) => {}
        }
    }
}
