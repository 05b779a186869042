//! Questions about the graph of a task: how deep it is, which way through it is the longest, what holds up what, where it
//! could run wider. Answers are numbers and ids; [`TaskAnalysis`] tells them in the reference's shape.
//!
//! Everything is computed of one [`TaskRecord`](crate::TaskRecord), a snapshot, at a moment that is an argument. The cost is that of the
//! steps and edges, also where there are more ways through the graph than anybody could list.

mod bottlenecks;
mod diagram;
mod errors;
mod graph;
mod parallelism;
mod paths;
mod standing;
mod summary;
#[cfg(test)]
mod tests;

pub use bottlenecks::{Bottleneck, Bottlenecks, Impact, OverallImpact};
pub use diagram::{DiagramEdge, DiagramNode, TaskDiagram};
pub use errors::{ErrorChain, ErrorChains, Recovery, RecoveryStrategy, RetryAnalysis};
pub use graph::{Circle, DependencyEdge, DependencyGraphReport, DependencyNode, TaskGraph};
pub use parallelism::{Level, Parallelism, Potential};
pub use paths::{CriticalPath, CriticalPaths, PathBottleneck};
pub use summary::{OverallHealth, TaskAnalysis, TaskExecutionSummary};
