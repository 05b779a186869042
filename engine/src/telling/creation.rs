//! What is told of new tasks.

use std::sync::Arc;

use super::task::Cause;
use super::{About, Facts, Row};
use crate::engine::Shared;
use crate::events::payload::TaskEnqueued;
use crate::known::KnownTask;
use crate::{
    Definition, Ended, EngineTypes, EventName, Fact, StepId, StepState, TaskId, TaskRequest, TaskState, audit,
};

/// A task that was created, and what it was asked for.
pub(crate) struct Created<'a> {
    pub(crate) task: TaskId,
    pub(crate) known: &'a Arc<KnownTask>,
    pub(crate) definition: &'a Definition,
    pub(crate) request: &'a TaskRequest,
    pub(crate) steps: &'a [StepId],
    pub(crate) settled: bool,
}

impl<T: EngineTypes> Shared<T> {
    pub(crate) fn tell_created(&self, facts: &mut Facts, created: &Created<'_>) {
        let about = About::known(created.task, Some(created.known));
        facts.task_created(&about);
        for (step, template) in created.steps.iter().zip(created.definition.bound().steps()) {
            facts.step_created(&about, *step);
            if created.request.bypass_steps.contains(&template.name) {
                let cause = Cause { actor: audit::BYPASS_STEPS, reason: None };
                facts.step_resolved(&about, (*step, StepState::Pending, None), &cause, true);
            }
        }
        if created.settled {
            facts.task_started(&about, TaskState::Pending, None);
            let ended = Ended { from: TaskState::InProgress, unsatisfied: 0, blocked: vec![] };
            facts.task_settled(&about, TaskState::Complete, None, &ended, 0);
        } else {
            let at = facts.at;
            facts.add(EventName::ObservabilityTaskEnqueue, Row::of_task(created.task, None), || {
                Fact::ObservabilityTaskEnqueue(Box::new(TaskEnqueued {
                    task: about.task_keys("enqueue", at),
                }))
            });
        }
    }
}
