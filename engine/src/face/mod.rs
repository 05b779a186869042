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
mod step;
mod workflow;

pub use argument::{
    Argument, Arguments, Config, Context, Input, Output, Outputs, Part, Readable, Spawn, State,
};
pub use context::{AnyContext, ContextRule, MergeContext, On, Payload, WorksOn};
pub use graph::{
    AllOf, DependencyTree, HandlerId, MaybeOf, Node, OutputOf, Problem, Text, Tree, check_step, find_cycle,
    hash, judge,
};
pub use linked::{LinkedHandler, LinkedWorkflow};
pub use result::IntoStepResult;
pub use step::{
    Declared, DependsOn, DependsOnAll, MayDependOn, Spawns, Step, StepContext, Uses, config_of, sendable,
};
pub use workflow::{
    Lists, Once, OnlyOnce, Several, StandsIn, StepAt, Workflow, listed, listed_value, node_at,
};
