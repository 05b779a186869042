//! Creation, and what operators do.

use tasker_engine::decide::plan_intervention;
use tasker_engine::{
    Act, Creation, Intervened, Intervention, NewTask, StepCommand, StepId, StepRecord, StepState,
    TaskCommand, TaskRecord, TaskState, Timestamp,
};

use super::standing::shown;
use super::{Check, Checker, Seen, ensure};

impl Checker {
    pub(super) fn created(&mut self, tasks: &[NewTask], created: &[Creation], at: Timestamp) -> Check {
        ensure!(tasks.len() == created.len(), "every creation is answered", "{created:?}");
        for (new, created) in tasks.iter().zip(created) {
            match created {
                Creation::Duplicate { task } => {
                    let known = self.identities.get(&new.identity_hash);
                    ensure!(
                        known == Some(task),
                        "a duplicate is of the task with that identity",
                        "{created:?}"
                    );
                }
                Creation::Created { task, steps, settled } => {
                    let known = self.identities.insert(new.identity_hash.clone(), *task);
                    ensure!(known.is_none(), "an identity is created once", "{created:?}");
                    let record = self.load(*task)?;
                    is_as_asked_for(new, &record, steps, *settled, at)?;
                    let nothing = TaskRecord { history: vec![], steps: vec![], ..record.clone() };
                    self.remember_rows(&nothing, &record);
                    let seen = Seen { record: record.into(), forgotten: false };
                    ensure!(self.tasks.insert(*task, seen).is_none(), "an id is given once", "{task}");
                }
            }
        }
        Ok(())
    }

    pub(super) fn intervened(&mut self, act: &Intervention, done: &Intervened, now: Timestamp) -> Check {
        let change = self.look(act.task, "an operator acts on it")?;
        let (before, after) = (&change.before, &change.after);
        let plan = match plan_intervention(before, act) {
            Ok(plan) => plan,
            Err(not) => {
                ensure!(*done == Intervened::Not(not), "an act is refused for what was found", "{done:?}");
                ensure!(before == after, "a refused act writes nothing", "{act:?}");
                return Ok(());
            }
        };
        ensure!(matches!(done, Intervened::Moved { .. }), "an act that is allowed is done", "{done:?}");
        for (before, after) in before.steps.iter().zip(&after.steps) {
            let planned = plan.steps.iter().filter(|step| step.step == after.id);
            let new = after.history[before.history.len()..].iter().map(|row| (row.to, &row.metadata));
            ensure!(
                planned.map(|step| (step.to, &step.metadata)).eq(new),
                "an act writes what was planned",
                "{after:?}"
            );
        }
        let new = after.history[before.history.len()..].iter().map(|row| (row.to, &row.metadata));
        let planned = plan.task.iter().map(|row| (row.to, &row.metadata));
        ensure!(planned.eq(new), "an act writes what was planned", "{:?}", after.history);
        let wake = after.wake.map(|(due, _)| due);
        ensure!(wake == plan.wake.then_some(act.now), "an act wakes its task, or ends its wake", "{wake:?}");
        is_done(act, after)?;
        self.can_go_on(after, now)
    }
}

fn is_as_asked_for(
    new: &NewTask,
    task: &TaskRecord,
    steps: &[StepId],
    settled: Option<TaskState>,
    at: Timestamp,
) -> Check {
    ensure!(
        task.steps.iter().map(|step| step.id).eq(steps.iter().copied()),
        "the steps are told",
        "{steps:?}"
    );
    for step in &task.steps {
        let is_bypassed = new.request.bypass_steps.contains(&step.name);
        let state = if is_bypassed { StepState::ResolvedManually } else { StepState::Pending };
        ensure!(step.current.state == state, "a step begins as pending, or is passed over", "{step:?}");
    }
    let is_done = task.steps.iter().all(|step| step.current.state.is_satisfied());
    let state = is_done.then_some(TaskState::Complete);
    let is_right = settled == state && task.current.state == state.unwrap_or(TaskState::Pending);
    ensure!(is_right, "a task with nothing to do is complete at once", "{}", shown(task));
    let wake = task.wake.map(|(due, _)| due);
    ensure!(wake == (!is_done).then_some(at), "a new task has a wake that is due", "{wake:?}");
    Ok(())
}

/// What an act is for, whatever the plan says.
fn is_done(act: &Intervention, task: &TaskRecord) -> Check {
    match &act.act {
        Act::Task { command, .. } => match command {
            TaskCommand::Cancel { force } => {
                let state = task.current.state;
                ensure!(state == TaskState::Cancelled, "a cancelled task is cancelled", "{state}");
                let open = task.steps.iter().filter(|step| !step.current.state.is_settled());
                ensure!(*force || open.count() == 0, "a cancelled task has no open step", "{}", shown(task));
            }
            TaskCommand::Pause => ensure!(task.is_paused(), "a paused task is paused", "{}", shown(task)),
            TaskCommand::Resume => ensure!(!task.is_paused(), "a resumed task goes on", "{}", shown(task)),
            TaskCommand::Retry => {
                let blocked = task.steps.iter().filter(|step| step.facts().blocked().is_some());
                ensure!(
                    blocked.count() == 0,
                    "a task that is retried has no blocked step",
                    "{}",
                    shown(task)
                );
            }
            TaskCommand::Resolve => {
                let state = task.current.state;
                ensure!(state == TaskState::ResolvedManually, "a resolved task is resolved", "{state}");
            }
        },
        Act::Step { step, command: StepCommand::Cancel, .. } => {
            let open = descendants(task, *step).find(|step| !step.current.state.is_settled());
            ensure!(open.is_none(), "what hangs on a cancelled step is cancelled with it", "{open:?}");
        }
        Act::Step { .. } => {}
    }
    Ok(())
}

fn descendants(task: &TaskRecord, of: StepId) -> impl Iterator<Item = &StepRecord> {
    let mut below = std::collections::BTreeSet::from([of]);
    // Until nothing more is found: steps that were spawned may stand in front of older ones.
    loop {
        let found: Vec<StepId> = task
            .steps
            .iter()
            .filter(|step| {
                !below.contains(&step.id) && step.parents.iter().any(|parent| below.contains(parent))
            })
            .map(|step| step.id)
            .collect();
        if found.is_empty() {
            break;
        }
        below.extend(found);
    }
    task.steps.iter().filter(move |step| below.contains(&step.id))
}
