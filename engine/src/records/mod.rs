//! Records: what people and other programs ask of the data, and keep beside it.
//!
//! The models of the reference with their scopes, associations and read models. A second contract beside
//! [`Storage`](crate::Storage), which the engine never calls while it runs tasks: [`Engine::records`](crate::Engine::records)
//! hands it out where the backend has it.
//!
//! ```
//! use tasker::prelude::*;
//! use tasker::records::Tasks;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let engine = Engine::in_memory();
//! let records = engine.records().expect("both of our backends have records");
//! assert_eq!(Tasks::active().in_namespace("shop").count(records).await?, 0);
//! # Ok(())
//! # }
//! ```

mod association;
mod edge;
mod error;
mod ids;
mod new;
mod preload;
mod read;
mod rows;
mod scope;
mod scopes;
mod service;
mod table;
mod write;

pub use association::{BelongsTo, HasMany, Siblings, Through};
pub use edge::{EdgeVerdict, judge_edge, judge_step_change};
pub use error::{Fault, Faults, FieldFault, RecordError};
pub use ids::{
    AnnotationId, AnnotationTypeId, DependentSystemId, EdgeId, NamedStepId, NamedTaskId,
    NamedTasksNamedStepId, ObjectMapId, TaskNamespaceId,
};
pub use new::*;
pub use preload::{StepWithAll, TaskWithAll};
pub use read::{Counted, Period, Read};
pub use rows::*;
pub use scope::{Direction, Model, Order, Scope};
pub use scopes::*;
pub use service::{
    BottleneckAnalytics, DependencyBottlenecks, ErrorPatterns, PerformanceAnalytics, ScopeSummary,
};
pub use table::Table;
pub use write::Write;

/// All that is asked of a backend that has records.
pub trait Records:
    Table<Tasks>
    + Table<WorkflowSteps>
    + Table<WorkflowStepEdges>
    + Table<NamedTasks>
    + Table<NamedSteps>
    + Table<NamedTasksNamedSteps>
    + Table<TaskNamespaces>
    + Table<TaskTransitions>
    + Table<WorkflowStepTransitions>
    + Table<TaskAnnotations>
    + Table<AnnotationTypes>
    + Table<DependentSystems>
    + Table<DependentSystemObjectMaps>
    + Table<StepDagRelationships>
    + Read
    + Write
{
}
