//! The steps that hold up most of the rest.

use serde::Serialize;

use super::graph::TaskGraph;
use super::standing::{Standing, float, percentage, weight};
use crate::config::{DependencyGraph, SeverityThresholds};
use crate::decide::HealthStatus;
use crate::{StepId, StepName, StepState, Timestamp};

/// How many are told.
const TOLD: usize = 10;

/// How much something counts, by its score.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[expect(missing_docs, reason = "they are their names")]
pub enum Impact {
    Low,
    Medium,
    High,
    Critical,
}

/// How much the bottlenecks of a task count together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[expect(missing_docs, reason = "they are their names")]
pub enum OverallImpact {
    None,
    Low,
    Medium,
    High,
    Severe,
}

/// The steps that hold up most of the rest.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bottlenecks {
    /// How many there are.
    pub total_bottlenecks: usize,
    /// How many of them are critical.
    pub critical_bottlenecks: usize,
    /// The blocked steps below each, summed; one below several counts for each.
    pub total_blocked_steps: usize,
    /// The ten worst, the worst first.
    pub bottlenecks: Vec<Bottleneck>,
    /// How well the task does.
    pub task_health: HealthStatus,
    /// How many of a hundred steps are complete or resolved, to one decimal.
    pub task_completion: f64,
    /// How many of a hundred steps are in error, to one decimal.
    pub failed_steps_ratio: f64,
    /// How much they count together.
    pub overall_impact: OverallImpact,
}

/// A step that holds up others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bottleneck {
    /// The step.
    pub step_id: StepId,
    /// Its name.
    pub step_name: StepName,
    /// Its state.
    pub current_state: StepState,
    /// Attempts begun.
    pub attempts: u32,
    /// How many there may be.
    pub retry_limit: u32,
    /// Whether every parent is satisfied.
    pub dependencies_satisfied: bool,
    /// The steps below it.
    pub downstream_steps_count: usize,
    /// Those of them with a parent that is not satisfied.
    pub blocked_downstream_count: usize,
    /// What they are sorted by.
    pub impact_score: u64,
    /// The word for that.
    pub severity: Impact,
    /// What it is, in the words of the reference.
    pub bottleneck_type: &'static str,
    /// What there is to do, in the words of the reference.
    pub resolution_strategy: &'static str,
    /// How long that takes, in the words of the reference.
    pub estimated_resolution_time: String,
}

impl Impact {
    pub(super) fn of(score: u64, thresholds: &SeverityThresholds) -> Self {
        match score {
            score if score >= thresholds.critical => Self::Critical,
            score if score >= thresholds.high => Self::High,
            score if score >= thresholds.medium => Self::Medium,
            _ => Self::Low,
        }
    }
}

impl Bottlenecks {
    pub(super) fn of(
        graph: &TaskGraph<'_>,
        standings: &[Standing],
        weights: &DependencyGraph,
        task_health: HealthStatus,
        now: Timestamp,
    ) -> Self {
        let failures = standings.iter().filter(|step| step.failed()).count();
        let is_candidate = |step: &Standing| match failures {
            0 => !step.is_settled() && (step.blocked || step.attempts >= 2 || !step.is_eligible()),
            _ => step.failed(),
        };
        let candidates = graph.places().filter(|place| is_candidate(&standings[*place]));
        let mut found: Vec<_> =
            candidates.map(|place| Bottleneck::of(graph, standings, weights, place, now)).collect();
        found.sort_by_key(|step| std::cmp::Reverse(step.impact_score));
        let many = |severity: Impact| found.iter().filter(|step| step.severity == severity).count();
        let (critical, high) = (many(Impact::Critical), many(Impact::High));
        let completed = standings.iter().filter(|step| step.completed).count();
        Self {
            total_bottlenecks: found.len(),
            critical_bottlenecks: critical,
            total_blocked_steps: found.iter().map(|step| step.blocked_downstream_count).sum(),
            task_health,
            task_completion: percentage(completed, standings.len()),
            failed_steps_ratio: percentage(failures, standings.len()),
            overall_impact: match found.len() {
                0 => OverallImpact::None,
                _ if critical >= 3 || failures > standings.len() / 2 => OverallImpact::Severe,
                _ if critical >= 1 || high >= 3 => OverallImpact::High,
                many if high >= 1 || many >= 5 => OverallImpact::Medium,
                _ => OverallImpact::Low,
            },
            bottlenecks: {
                found.truncate(TOLD);
                found
            },
        }
    }
}

impl Bottleneck {
    fn of(
        graph: &TaskGraph<'_>,
        standings: &[Standing],
        weights: &DependencyGraph,
        place: usize,
        now: Timestamp,
    ) -> Self {
        let (step, standing) = (&graph.task().steps[place], &standings[place]);
        let below = graph.below(step.id);
        let blocked = below.iter().filter(|place| standings[**place].blocked).count();
        let impact_score = score(standing, below.len(), blocked, weights);
        Self {
            step_id: step.id,
            step_name: step.name.clone(),
            current_state: standing.state,
            attempts: standing.attempts,
            retry_limit: standing.retry_limit,
            dependencies_satisfied: !standing.blocked,
            downstream_steps_count: below.len(),
            blocked_downstream_count: blocked,
            impact_score,
            severity: Impact::of(impact_score, &weights.severity_thresholds),
            bottleneck_type: kind(standing),
            resolution_strategy: strategy(standing),
            estimated_resolution_time: resolution_time(standing, now),
        }
    }
}

fn score(step: &Standing, below: usize, blocked: usize, weights: &DependencyGraph) -> u64 {
    let (impact, penalty) = (&weights.impact_multipliers, &weights.penalty_constants);
    let severity = &weights.severity_multipliers;
    let factor = if step.failed() {
        severity.error_state + if step.is_exhausted() { severity.exhausted_retry_bonus } else { 0.0 }
    } else if step.state == StepState::Pending && step.blocked {
        severity.dependency_issue
    } else {
        1.0
    };
    let when = |holds: bool, amount: u64| if holds { weight(amount) } else { 0.0 };
    let held_up =
        float(below) * weight(impact.downstream_weight) + float(blocked) * weight(impact.blocked_weight);
    let score = held_up * factor
        + f64::from(step.attempts) * weight(penalty.retry_instability)
        + when(!step.is_eligible(), penalty.non_retryable)
        + when(step.is_exhausted(), penalty.exhausted_retry);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a sum of positive numbers")]
    let rounded = score.round() as u64;
    rounded
}

fn kind(step: &Standing) -> &'static str {
    if step.is_exhausted() {
        "Permanent Failure"
    } else if step.failed() {
        "Active Error"
    } else if step.blocked {
        "Dependency Block"
    } else if step.attempts >= 2 {
        "Retry Exhaustion"
    } else if !step.is_eligible() {
        "Non-Retryable"
    } else {
        "Unknown"
    }
}

fn strategy(step: &Standing) -> &'static str {
    if step.is_exhausted() {
        "Manual intervention required"
    } else if step.waits() {
        "Wait for backoff period"
    } else if step.failed() {
        "Investigate error cause"
    } else if step.blocked {
        "Check upstream dependencies"
    } else if step.attempts >= 1 {
        "Monitor retry attempts"
    } else {
        "Review step configuration"
    }
}

fn resolution_time(step: &Standing, now: Timestamp) -> String {
    let wait = step.next_retry_at.map_or(0, |moment| moment.since(now).as_micros());
    let minutes = wait.div_ceil(60_000_000);
    if step.is_exhausted() {
        "Immediate action needed".to_owned()
    } else if minutes == 1 {
        "1 minute".to_owned()
    } else if minutes > 1 {
        format!("{minutes} minutes")
    } else if step.failed() && step.is_eligible() {
        "Within next retry cycle".to_owned()
    } else if step.blocked {
        "Depends on upstream steps".to_owned()
    } else {
        "Unknown".to_owned()
    }
}
