//! Rows of the view `tasker_step_dag_relationships`.

use serde::Serialize;

use crate::records::NamedStepId;
use crate::{StepId, TaskId};

/// Where a step stands in its graph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepDagRelationshipRow {
    /// The step.
    pub workflow_step_id: StepId,
    /// Its task.
    pub task_id: TaskId,
    /// What it is called, and in which system.
    pub named_step_id: NamedStepId,
    /// The steps it waits for, ascending; one as often as there are edges from it.
    pub parent_step_ids: Vec<StepId>,
    /// The steps that wait for it, ascending; one as often as there are edges to it.
    pub child_step_ids: Vec<StepId>,
    /// How many edges lead to it.
    pub parent_count: i64,
    /// How many edges lead from it.
    pub child_count: i64,
    /// Whether it waits for none.
    pub is_root_step: bool,
    /// Whether none waits for it.
    pub is_leaf_step: bool,
    /// How many edges the shortest way from a root has; `None` when no root leads there.
    pub min_depth_from_root: Option<i32>,
}

impl StepDagRelationshipRow {
    /// Whether it waits for any.
    pub const fn has_parents(&self) -> bool {
        self.parent_count > 0
    }

    /// Whether any waits for it.
    pub const fn has_children(&self) -> bool {
        self.child_count > 0
    }
}
