//! What most programs need: `use tasker::prelude::*;`.

#[cfg(feature = "memory")]
pub use crate::InMemory;
#[cfg(feature = "postgres")]
pub use crate::Postgres;
pub use crate::{
    Call, Definition, Engine, EngineError, Report, ResultExt, SimulatedClock, StepError, StepResult, Task,
    handler_fn,
};
// The face: what steps take, the traits, and the macros of the same names.
pub use crate::{
    Argument, Config, Context, Fail, Handlers, Input, Needs, Output, Outputs, Part, Spawn, State, Step,
    StepContext, Workflow,
};
#[cfg(feature = "macros")]
pub use crate::{StepHandler, step};
