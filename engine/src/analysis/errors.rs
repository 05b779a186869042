//! What failed, and what waits because of it.

use serde::Serialize;

use super::bottlenecks::Impact;
use super::graph::TaskGraph;
use super::parallelism::Potential;
use super::standing::{Standing, percentage};
use crate::config::DependencyGraph;
use crate::decide::HealthStatus;
use crate::{StepId, StepName, Timestamp};

/// How many recoveries are told.
const TOLD: usize = 3;

/// What failed, and what waits because of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ErrorChains {
    /// Steps in error.
    pub total_error_steps: usize,
    /// All steps.
    pub total_steps: usize,
    /// Of a hundred, to one decimal.
    pub error_percentage: f64,
    /// The blocked steps below each, summed.
    pub total_blocked_by_errors: usize,
    /// The chain that counts most.
    pub most_critical_error: Option<ErrorChain>,
    /// All chains, the worst first.
    pub error_chains: Vec<ErrorChain>,
    /// The three to be looked after first.
    pub recovery_priority: Vec<Recovery>,
    /// How well the task does.
    pub task_health: HealthStatus,
}

/// A step in error, and the steps below it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ErrorChain {
    /// The step.
    pub error_step_id: StepId,
    /// Its name.
    pub error_step_name: StepName,
    /// Attempts begun.
    pub error_attempts: u32,
    /// How many there may be.
    pub retry_limit: u32,
    /// Whether and when it is tried again.
    pub retry_analysis: RetryAnalysis,
    /// All steps below it, ascending.
    pub downstream_steps: Vec<StepId>,
    /// Those of them with a parent that is not satisfied.
    pub blocked_downstream_steps: Vec<StepId>,
    /// How many are below it.
    pub total_downstream_steps: usize,
    /// What chains are sorted by.
    pub total_impact: u64,
    /// What can be done.
    pub recovery_strategies: Vec<RecoveryStrategy>,
}

/// Whether and when a step is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RetryAnalysis {
    /// No attempt is left.
    pub exhausted: bool,
    /// Attempts left.
    pub remaining_attempts: u32,
    /// It waits for the end of its back-off.
    pub in_backoff: bool,
    /// When that ends.
    pub next_retry_at: Option<Timestamp>,
    /// Whether it may be tried again at all.
    pub retryable: bool,
}

/// What can be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct RecoveryStrategy {
    /// Its name, as in the reference.
    pub strategy: &'static str,
    /// How soon.
    pub priority: Potential,
    /// In a sentence.
    pub description: &'static str,
}

/// A failure to be looked after first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recovery {
    /// The step.
    pub step_name: StepName,
    /// How much it counts.
    pub priority_level: Impact,
    /// In the words of the reference.
    pub reason: String,
    /// The first thing to do.
    pub recommended_action: &'static str,
}

impl ErrorChains {
    pub(super) fn of(
        graph: &TaskGraph<'_>,
        standings: &[Standing],
        weights: &DependencyGraph,
        task_health: HealthStatus,
    ) -> Self {
        let failed = graph.places().filter(|place| standings[*place].failed());
        let mut chains: Vec<_> =
            failed.map(|place| ErrorChain::of(graph, standings, weights, place)).collect();
        chains.sort_by_key(|chain| std::cmp::Reverse(chain.total_impact));
        let recovery = |chain: &ErrorChain| Recovery {
            step_name: chain.error_step_name.clone(),
            priority_level: Impact::of(chain.total_impact, &weights.severity_thresholds),
            reason: format!("Blocking {} downstream steps", chain.blocked_downstream_steps.len()),
            recommended_action: chain.recovery_strategies[0].strategy,
        };
        Self {
            total_error_steps: chains.len(),
            total_steps: standings.len(),
            error_percentage: percentage(chains.len(), standings.len()),
            total_blocked_by_errors: chains.iter().map(|chain| chain.blocked_downstream_steps.len()).sum(),
            most_critical_error: chains.first().cloned(),
            recovery_priority: chains.iter().take(TOLD).map(recovery).collect(),
            error_chains: chains,
            task_health,
        }
    }
}

impl ErrorChain {
    fn of(graph: &TaskGraph<'_>, standings: &[Standing], weights: &DependencyGraph, place: usize) -> Self {
        let (steps, standing) = (&graph.task().steps, &standings[place]);
        let below = graph.below(steps[place].id);
        let blocked: Vec<_> = below.iter().filter(|place| standings[**place].blocked).collect();
        let (impact, penalty) = (&weights.impact_multipliers, &weights.penalty_constants);
        let number = |count: usize| u64::try_from(count).expect("a count of steps");
        let total_impact = number(blocked.len()).saturating_mul(impact.blocked_weight)
            + number(below.len()).saturating_mul(impact.downstream_weight)
            + if standing.is_exhausted() { penalty.exhausted_retry } else { 0 }
            + u64::from(standing.attempts).saturating_mul(penalty.retry_instability);
        Self {
            error_step_id: steps[place].id,
            error_step_name: steps[place].name.clone(),
            error_attempts: standing.attempts,
            retry_limit: standing.retry_limit,
            retry_analysis: RetryAnalysis {
                exhausted: standing.is_exhausted(),
                remaining_attempts: standing.retry_limit.saturating_sub(standing.attempts),
                in_backoff: standing.waits(),
                next_retry_at: standing.next_retry_at,
                retryable: standing.retryable,
            },
            blocked_downstream_steps: blocked.into_iter().map(|place| steps[*place].id).collect(),
            total_downstream_steps: below.len(),
            downstream_steps: below.into_iter().map(|place| steps[place].id).collect(),
            total_impact,
            recovery_strategies: strategies(standing),
        }
    }
}

fn strategies(step: &Standing) -> Vec<RecoveryStrategy> {
    let strategy = |strategy, priority, description| RecoveryStrategy { strategy, priority, description };
    if step.is_exhausted() {
        vec![
            strategy("Manual Resolution", Potential::High, "Manually resolve or reset the step"),
            strategy("Increase Retry Limit", Potential::Medium, "Allow the step more attempts"),
        ]
    } else if step.waits() {
        vec![strategy("Wait for Backoff", Potential::Low, "The step is tried again when its back-off ends")]
    } else if step.retryable {
        vec![strategy("Monitor Retries", Potential::Medium, "The step is tried again by itself")]
    } else {
        vec![strategy("Investigate Root Cause", Potential::High, "The step failed for good")]
    }
}
