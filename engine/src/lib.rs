//! The engine of tasker.
#![expect(missing_docs, reason = "in progress")]

pub mod audit;
pub mod decide;
mod ids;
mod model;
pub mod payload;
mod state;
mod storage;
mod template;
mod time;

pub use ids::{DefinitionHash, HandlerName, StepId, StepName, TaskId, Token, TransitionId, WorkerId};
pub use model::{Binding, Current, SpawnedBy, StepRecord, TaskRecord, TaskRequest, Transition};
pub use state::{PhaseMark, StepPhase, StepState, TaskPhase, TaskState, UnknownState};
pub use storage::*;
pub use template::{
    BadVersion, BoundTemplate, BuildError, BuildErrors, GraphLimits, StepTemplate, Template, Version,
};
pub use time::{ParseTimestampError, Timestamp};
