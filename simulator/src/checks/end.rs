//! When all is quiet: nothing is lost.

use tasker_engine::{StepState, TaskRecord};

use super::standing::shown;
use super::{Check, Checker, ensure};

impl Checker {
    /// Whether every task is settled.
    pub(crate) fn all_settled(&self) -> bool {
        self.tasks().all(|task| !task.current.state.is_open())
    }

    /// What holds when faults have stopped, nobody is paused, and there was time.
    pub(crate) fn nothing_is_lost(&self) -> Check {
        self.nothing_else_changed()?;
        for task in self.tasks() {
            ensure!(!task.current.state.is_open(), "every task is settled in the end", "{}", shown(task));
            let runs = runs(task);
            ensure!(!runs, "no step runs in a settled task", "{}", shown(task));
        }
        Ok(())
    }
}

fn runs(task: &TaskRecord) -> bool {
    task.steps.iter().any(|step| step.current.state == StepState::InProgress)
}
