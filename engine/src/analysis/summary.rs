//! All five sections of the reference's analysis, and what they come to.

use serde::Serialize;

use super::bottlenecks::{Bottlenecks, Impact};
use super::errors::ErrorChains;
use super::graph::{Circle, DependencyGraphReport, TaskGraph};
use super::parallelism::Parallelism;
use super::paths::CriticalPaths;
use super::standing::Standing;
use crate::config::DependencyGraph;
use crate::decide::{ExecutionCounts, HealthStatus};
use crate::{TaskId, TaskRecord, Timestamp};

/// What the reference tells of the graph of a task, under its keys; decimals are numbers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskAnalysis {
    /// Who waits for whom.
    pub dependency_graph: DependencyGraphReport,
    /// The most critical ways through it.
    pub critical_paths: CriticalPaths,
    /// How wide it could run.
    pub parallelism_opportunities: Parallelism,
    /// What failed, and what waits because of it.
    pub error_chains: ErrorChains,
    /// What holds up most of the rest.
    pub bottlenecks: Bottlenecks,
    /// The moment of all this.
    pub generated_at: Timestamp,
    /// The task.
    pub task_id: TaskId,
}

/// What an analysis comes to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TaskExecutionSummary {
    /// All steps.
    pub total_steps: usize,
    /// All edges.
    pub total_dependencies: usize,
    /// How many levels there are.
    pub dependency_levels: usize,
    /// The steps of the longest way.
    pub longest_path_length: usize,
    /// Bottlenecks that are critical.
    pub critical_bottlenecks_count: usize,
    /// Steps in error.
    pub error_chains_count: usize,
    /// How many of a hundred levels have more than one ready step, to one decimal.
    pub parallelism_efficiency: f64,
    /// In one word.
    pub overall_health: OverallHealth,
    /// What there is to do, in the words of the reference.
    pub recommendations: Vec<&'static str>,
}

/// How a task does, by its bottlenecks and errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OverallHealth {
    /// No bottleneck counts much.
    Healthy,
    /// Some bottleneck counts much.
    Warning,
    /// A bottleneck is critical, or something failed.
    Critical,
}

impl TaskAnalysis {
    /// Analyses a task as it stands at a moment. The weights are those of the configuration.
    ///
    /// # Errors
    /// When steps wait for each other.
    pub fn of(task: &TaskRecord, now: Timestamp, weights: &DependencyGraph) -> Result<Self, Circle> {
        let graph = TaskGraph::of(task)?;
        let standings = Standing::of_all(task, now);
        let health = ExecutionCounts::of(task, now).health();
        let healthy = health == HealthStatus::Healthy;
        Ok(Self {
            dependency_graph: graph.report(),
            critical_paths: CriticalPaths::of(&graph, &standings, weights, healthy),
            parallelism_opportunities: Parallelism::of(&graph, &standings),
            error_chains: ErrorChains::of(&graph, &standings, weights, health),
            bottlenecks: Bottlenecks::of(&graph, &standings, weights, health, now),
            generated_at: now,
            task_id: task.id,
        })
    }

    /// What it comes to.
    pub fn summary(&self) -> TaskExecutionSummary {
        let (critical, errors) =
            (self.bottlenecks.critical_bottlenecks, self.error_chains.error_chains.len());
        let weighty = self.bottlenecks.bottlenecks.iter().any(|step| step.severity >= Impact::High);
        let efficiency = self.parallelism_opportunities.parallelism_efficiency;
        let steps = self.parallelism_opportunities.total_steps;
        let advice = [
            (critical > 0, "Address critical bottlenecks to unblock task execution"),
            (steps > 0 && efficiency < 50.0, "Consider optimizing step dependencies to improve parallelism"),
            (errors > 0, "Resolve error chains to prevent further failures"),
        ];
        let mut recommendations: Vec<_> =
            advice.into_iter().filter(|(applies, _)| *applies).map(|(_, text)| text).collect();
        if recommendations.is_empty() {
            recommendations.push("Task execution appears healthy");
        }
        TaskExecutionSummary {
            total_steps: steps,
            total_dependencies: self.dependency_graph.edges.len(),
            dependency_levels: self.parallelism_opportunities.total_levels,
            longest_path_length: self.critical_paths.longest_path_length,
            critical_bottlenecks_count: critical,
            error_chains_count: errors,
            parallelism_efficiency: efficiency,
            overall_health: if critical > 0 || errors > 0 {
                OverallHealth::Critical
            } else if weighty {
                OverallHealth::Warning
            } else {
                OverallHealth::Healthy
            },
            recommendations,
        }
    }
}
