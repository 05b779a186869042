//! The typed face of handlers and workflows: what `#[step]`, `#[derive(StepHandler)]` and `#[derive(Workflow)]` write.
//!
//! It promises nothing at run time that the erased side does not: a typed handler becomes an [`Entry`](crate::Entry), a
//! typed workflow a [`DefinitionBuilder`](crate::DefinitionBuilder). What it adds is said by the compiler: which steps
//! wait for which, on what they work, and what they yield.

mod argument;
mod context;
mod graph;
mod linked;
mod result;
mod schema;
mod step;
mod step_context;
mod workflow;

pub use argument::{
    Argument, Arguments, Config, Context, Input, Output, Outputs, Part, Readable, Spawn, State,
};
pub use context::{AnyContext, ContextRule, MergeContext, On, Payload, WorksOn};
pub use graph::{
    AllOf, DependencyTree, Graph, HandlerId, MaybeOf, Node, OutputOf, Problem, Text, Tree, hash,
};
pub use linked::{LinkedHandler, LinkedWorkflow};
pub use result::IntoStepResult;
pub use schema::{BySchema, SchemaOf, WithoutSchema};
pub use step::{Declared, StandsIn, Step, Taken, Takes, TakesOn, arguments, config_of, sendable};
pub use step_context::{DependsOn, DependsOnAll, MayDependOn, Spawns, StepContext, Uses};
pub use workflow::{Lists, Once, OnlyOnce, Several, StepAt, Workflow, listed, listed_value, node_at};
