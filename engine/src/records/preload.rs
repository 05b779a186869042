//! Tasks with all that hangs on them.

use serde::Serialize;

use super::{
    NamedStepRow, NamedTaskRow, NamedTasks, RecordError, Records, Scope, TaskAnnotationRow, TaskNamespaceRow,
    TaskRow, TaskTransitionRow, Tasks, WorkflowStepRow, WorkflowSteps,
};
use crate::StepId;

/// A task with everything that belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskWithAll {
    /// The task.
    pub task: TaskRow,
    /// What it is a run of.
    pub named_task: NamedTaskRow,
    /// The namespace of that.
    pub task_namespace: TaskNamespaceRow,
    /// Its steps, ascending.
    pub workflow_steps: Vec<StepWithAll>,
    /// Notes about it, each with the name of its kind.
    pub task_annotations: Vec<TaskAnnotationRow>,
    /// Its moves, ascending.
    pub task_transitions: Vec<TaskTransitionRow>,
}

/// A step with what belongs to it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepWithAll {
    /// The step.
    pub workflow_step: WorkflowStepRow,
    /// What it is called, and in which system.
    pub named_step: NamedStepRow,
    /// The steps that it waits for, ascending.
    pub parents: Vec<StepId>,
    /// The steps that wait for it, ascending.
    pub children: Vec<StepId>,
}

impl Scope<Tasks> {
    /// The tasks, in order, with everything that belongs to them: nine statements, however many they are. What went away
    /// between two of them is left out.
    ///
    /// # Errors
    /// When the backend fails.
    pub async fn with_all_associated(&self, records: &dyn Records) -> Result<Vec<TaskWithAll>, RecordError> {
        let tasks = self.rows(records).await?;
        let named_tasks = Tasks::NAMED_TASK.load(records, &tasks).await?;
        let named: Vec<NamedTaskRow> = named_tasks.iter().flatten().cloned().collect();
        let mut namespaces = NamedTasks::TASK_NAMESPACE.load(records, &named).await?.into_iter();
        let steps = Tasks::STEPS.load(records, &tasks).await?;
        let mut steps = with_all(records, steps).await?.into_iter();
        let mut annotations = Tasks::ANNOTATIONS.load(records, &tasks).await?.into_iter();
        let mut transitions = Tasks::TRANSITIONS.load(records, &tasks).await?.into_iter();
        let mut complete = Vec::with_capacity(tasks.len());
        for (task, named_task) in tasks.into_iter().zip(named_tasks) {
            let (workflow_steps, task_annotations, task_transitions) =
                (steps.next(), annotations.next(), transitions.next());
            let Some(named_task) = named_task else { continue };
            let Some(task_namespace) = namespaces.next().flatten() else { continue };
            complete.push(TaskWithAll {
                task,
                named_task,
                task_namespace,
                workflow_steps: workflow_steps.unwrap_or_default(),
                task_annotations: task_annotations.unwrap_or_default(),
                task_transitions: task_transitions.unwrap_or_default(),
            });
        }
        Ok(complete)
    }
}

async fn with_all(
    records: &dyn Records,
    steps: Vec<Vec<WorkflowStepRow>>,
) -> Result<Vec<Vec<StepWithAll>>, RecordError> {
    let all: Vec<WorkflowStepRow> = steps.iter().flatten().cloned().collect();
    let mut named_steps = WorkflowSteps::NAMED_STEP.load(records, &all).await?.into_iter();
    let mut incoming = WorkflowSteps::INCOMING_EDGES.load(records, &all).await?.into_iter();
    let mut outgoing = WorkflowSteps::OUTGOING_EDGES.load(records, &all).await?.into_iter();
    let mut one = |workflow_step: WorkflowStepRow| {
        let named_step = named_steps.next().flatten();
        let mut parents: Vec<_> =
            incoming.next().into_iter().flatten().map(|edge| edge.from_step_id).collect();
        let mut children: Vec<_> =
            outgoing.next().into_iter().flatten().map(|edge| edge.to_step_id).collect();
        for ids in [&mut parents, &mut children] {
            ids.sort_unstable();
            ids.dedup();
        }
        Some(StepWithAll { workflow_step, named_step: named_step?, parents, children })
    };
    Ok(steps.into_iter().map(|steps| steps.into_iter().filter_map(&mut one).collect()).collect())
}
