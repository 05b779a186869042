//! Newtypes for the keys of the tables that only records know.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ids::number_id;

number_id! {
    /// A row of `tasker_task_namespaces`.
    TaskNamespaceId
}
number_id! {
    /// A row of `tasker_named_tasks`: a workflow of one version.
    NamedTaskId
}
number_id! {
    /// A row of `tasker_named_steps`: the name of a step in a system.
    NamedStepId
}
number_id! {
    /// A row of `tasker_named_tasks_named_steps`: a step of a workflow.
    NamedTasksNamedStepId
}
number_id! {
    /// A row of `tasker_workflow_step_edges`.
    EdgeId
}
number_id! {
    /// A row of `tasker_annotation_types`.
    AnnotationTypeId
}
number_id! {
    /// A row of `tasker_task_annotations`.
    AnnotationId
}
number_id! {
    /// A row of `tasker_dependent_systems`.
    DependentSystemId
}
number_id! {
    /// A row of `tasker_dependent_system_object_maps`.
    ObjectMapId
}
