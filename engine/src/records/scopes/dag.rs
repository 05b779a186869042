//! Scopes of the view of graphs.

use serde::{Deserialize, Serialize};

use super::{model, scopes};
use crate::records::StepDagRelationshipRow;
use crate::{StepId, TaskId};

model! {
    /// Where steps stand in their graphs: the view `tasker_step_dag_relationships`.
    StepDagRelationships("step dag relationship"):
    StepDagRelationshipRow by workflow_step_id: StepId, StepDagRelationshipFilter,
    StepDagRelationshipColumn {
        WorkflowStepId = "workflow_step_id",
        TaskId = "task_id",
        NamedStepId = "named_step_id",
        ParentCount = "parent_count",
        ChildCount = "child_count",
        IsRootStep = "is_root_step",
        IsLeafStep = "is_leaf_step",
        MinDepthFromRoot = "min_depth_from_root",
    }
}

/// A condition on places in graphs; the scopes of [`StepDagRelationships`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum StepDagRelationshipFilter {
    WithIds(Vec<StepId>),
    OfTasks(Vec<TaskId>),
    RootSteps,
    LeafSteps,
    WithParents,
    WithChildren,
    SiblingsOf(StepId),
}

scopes! { StepDagRelationships {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = StepId>) => {
        StepDagRelationshipFilter::WithIds(ids.into_iter().collect())
    };
    /// The steps of a task.
    for_task(task: TaskId) => StepDagRelationshipFilter::OfTasks(vec![task]);
    /// The steps of those tasks.
    of_tasks(tasks: impl IntoIterator<Item = TaskId>) => {
        StepDagRelationshipFilter::OfTasks(tasks.into_iter().collect())
    };
    /// Steps that wait for none.
    root_steps() => StepDagRelationshipFilter::RootSteps;
    /// Steps for which none waits.
    leaf_steps() => StepDagRelationshipFilter::LeafSteps;
    /// Steps that wait for some.
    with_parents() => StepDagRelationshipFilter::WithParents;
    /// Steps for which some wait.
    with_children() => StepDagRelationshipFilter::WithChildren;
    /// The siblings of a step: other steps that have exactly the same parents. A step without parents has none.
    siblings_of(step: StepId) => StepDagRelationshipFilter::SiblingsOf(step);
} }
