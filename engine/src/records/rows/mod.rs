//! Rows as they stand in the tables: plain data, with the reference's names of columns.
//!
//! Where the reference's models delegate to another row (a task's `name`, a step's `status`), the row brings that along:
//! whoever shows a page of rows needs it for each.

mod analytics;
mod annotations;
mod catalogue;
mod contexts;
mod dag;
mod moves;
mod readiness;
mod steps;
mod systems;
mod tasks;
mod transitions;

pub use analytics::{
    AnalyticsMetricsRow, SlowestStepRow, SlowestTaskRow, SystemHealthCountsRow, TaskDurationsRow,
    milliseconds,
};
pub use annotations::{AnnotationTypeRow, TaskAnnotationRow};
pub use catalogue::{NamedStepRow, NamedTaskRow, NamedTasksNamedStepRow, TaskNamespaceRow};
pub use contexts::{NextAction, ProgressDetails, TaskExecutionContextRow, Urgency, WorkflowSummary};
pub use dag::StepDagRelationshipRow;
pub use moves::{BackoffInfo, TransitionStatistics};
pub use readiness::{BackoffType, DependencyLevels, DetailedStatus, StepReadinessRow};
pub use steps::{StepStatistics, WorkflowStepEdgeRow, WorkflowStepRow};
pub use systems::{DependentSystemObjectMapRow, DependentSystemRow};
pub use tasks::TaskRow;
pub use transitions::{TaskTransitionRow, WorkflowStepTransitionRow};
