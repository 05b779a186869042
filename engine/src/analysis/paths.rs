//! The most critical ways through a task.

use serde::Serialize;

use super::graph::TaskGraph;
use super::standing::{Standing, percentage, weight};
use crate::config::DependencyGraph;
use crate::decide::BlockingReason;
use crate::{StepId, StepName};

/// How many ways are told.
const TOLD: usize = 5;
/// What blocked and failed steps count for in a task that is not healthy.
const UNHEALTHY: f64 = 1.5;
/// How much less a way counts in a task that is complete.
const BY_COMPLETION: f64 = 0.3;
/// What a minute counts for.
const MINUTE: f64 = 2.0;

/// The most critical ways through a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CriticalPaths {
    /// How many ways there are; `u64::MAX` stands for more.
    pub total_paths: u64,
    /// The steps of the longest one.
    pub longest_path_length: usize,
    /// The five most critical, the worst first.
    pub paths: Vec<CriticalPath>,
    /// Where they begin.
    pub root_nodes: Vec<StepId>,
    /// Where they end.
    pub leaf_nodes: Vec<StepId>,
}

/// A way through a task.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CriticalPath {
    /// Its steps.
    pub path: Vec<StepId>,
    /// How many.
    pub length: usize,
    /// Their names.
    pub step_names: Vec<StepName>,
    /// Complete or resolved.
    pub completed_steps: usize,
    /// With a parent that is not.
    pub blocked_steps: usize,
    /// In error.
    pub error_steps: usize,
    /// In error, and tried.
    pub retry_steps: usize,
    /// Those that may be claimed.
    pub ready_steps: usize,
    /// Seconds, by the configured estimates.
    pub estimated_duration: u64,
    /// Its blocked and failed steps, the worst first.
    pub bottlenecks: Vec<PathBottleneck>,
    /// What it is sorted by.
    pub criticality_score: f64,
    /// Of a hundred steps, to one decimal.
    pub completion_percentage: f64,
}

/// A step that holds up the rest of a way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PathBottleneck {
    /// The step.
    pub step_id: StepId,
    /// Its name.
    pub step_name: StepName,
    /// Why, in the words of the reference.
    pub reason: String,
    /// What they are sorted by.
    pub severity: u32,
    /// In the words of the reference.
    pub impact: String,
}

impl CriticalPaths {
    pub(super) fn of(
        graph: &TaskGraph<'_>,
        standings: &[Standing],
        weights: &DependencyGraph,
        healthy: bool,
    ) -> Self {
        let score = Scores { weights, factor: if healthy { 1.0 } else { UNHEALTHY } };
        let completed = standings.iter().filter(|step| step.completed).count();
        let discount = 1.0 - BY_COMPLETION * percentage(completed, standings.len()) / 100.0;
        let worst = worst_paths(graph, |place| score.of(&standings[place]));
        let path = |(sum, places): (f64, Vec<usize>)| {
            CriticalPath::of(graph, standings, weights, &places, (sum * discount).max(0.0))
        };
        Self {
            total_paths: graph.total_paths(),
            longest_path_length: graph.longest_path().len(),
            paths: worst.into_iter().map(path).collect(),
            root_nodes: graph.roots(),
            leaf_nodes: graph.leaves(),
        }
    }
}

struct Scores<'a> {
    weights: &'a DependencyGraph,
    factor: f64,
}

impl Scores<'_> {
    /// What a step adds to the score of every way through it: the score is a sum, so the worst ways to a step lead through
    /// the worst ways to its parents.
    fn of(&self, step: &Standing) -> f64 {
        let impact = &self.weights.impact_multipliers;
        let when = |holds: bool, amount: f64| if holds { amount } else { 0.0 };
        let minutes = weight(duration(step, self.weights)) / 60.0;
        weight(impact.path_length_weight) - when(step.completed, weight(impact.completed_penalty))
            + when(step.blocked, weight(impact.blocked_penalty) * self.factor)
            + when(step.failed(), weight(impact.error_penalty) * self.factor)
            + when(is_retried(step), weight(impact.retry_penalty))
            + MINUTE * minutes
    }
}

const fn is_retried(step: &Standing) -> bool {
    step.failed() && step.attempts > 1
}

/// How long a step is taken to last, in seconds. Its first attempt is no retry.
fn duration(step: &Standing, weights: &DependencyGraph) -> u64 {
    let estimates = &weights.duration_estimates;
    let failed = if step.failed() { estimates.error_penalty_seconds } else { 0 };
    let again = estimates.retry_penalty_seconds.saturating_mul(step.attempts.saturating_sub(1).into());
    estimates.base_step_seconds.saturating_add(failed).saturating_add(again)
}

/// A way to a step, among the worst of those: its sum, and the way to the step before, by place and rank.
#[derive(Clone, Copy)]
struct Way {
    sum: f64,
    before: Option<(usize, usize)>,
}

/// The ways from end to end with the highest sums, highest first, each with its places.
fn worst_paths(graph: &TaskGraph<'_>, score: impl Fn(usize) -> f64) -> Vec<(f64, Vec<usize>)> {
    let mut ways: Vec<Vec<Way>> = vec![vec![]; graph.order().len()];
    for place in graph.order() {
        let above = graph.parents(*place).flat_map(|parent| {
            ways[parent].iter().enumerate().map(move |(rank, way)| (way.sum, Some((parent, rank))))
        });
        let mut above: Vec<_> = above.collect();
        if above.is_empty() {
            above.push((0.0, None));
        }
        keep_worst(&mut above, |(sum, _)| *sum);
        let own = score(*place);
        ways[*place] = above.into_iter().map(|(sum, before)| Way { sum: sum + own, before }).collect();
    }
    let leaves = graph.places().filter(|place| graph.children(*place).next().is_none());
    let mut ends: Vec<_> =
        leaves.flat_map(|place| (0..ways[place].len()).map(move |rank| (place, rank))).collect();
    keep_worst(&mut ends, |(place, rank)| ways[*place][*rank].sum);
    let path = |end: (usize, usize)| {
        let back = std::iter::successors(Some(end), |(place, rank)| ways[*place][*rank].before);
        let mut places: Vec<_> = back.map(|(place, _)| place).collect();
        places.reverse();
        (ways[end.0][end.1].sum, places)
    };
    ends.into_iter().map(path).collect()
}

fn keep_worst<T>(all: &mut Vec<T>, sum: impl Fn(&T) -> f64) {
    all.sort_by(|one, next| sum(next).total_cmp(&sum(one)));
    all.truncate(TOLD);
}

impl CriticalPath {
    fn of(
        graph: &TaskGraph<'_>,
        standings: &[Standing],
        weights: &DependencyGraph,
        places: &[usize],
        criticality_score: f64,
    ) -> Self {
        let steps = &graph.task().steps;
        let count = |holds: &dyn Fn(&Standing) -> bool| {
            places.iter().filter(|place| holds(&standings[**place])).count()
        };
        let completed_steps = count(&|step| step.completed);
        let mut bottlenecks: Vec<_> = places
            .iter()
            .enumerate()
            .filter(|(_, place)| standings[**place].blocked || standings[**place].failed())
            .map(|(before, place)| PathBottleneck {
                step_id: steps[*place].id,
                step_name: steps[*place].name.clone(),
                reason: reason(&standings[*place]),
                severity: severity(&standings[*place]),
                impact: format!("Blocks {} downstream steps", places.len() - before - 1),
            })
            .collect();
        bottlenecks.sort_by_key(|step| std::cmp::Reverse(step.severity));
        Self {
            path: places.iter().map(|place| steps[*place].id).collect(),
            length: places.len(),
            step_names: places.iter().map(|place| steps[*place].name.clone()).collect(),
            completed_steps,
            blocked_steps: count(&|step| step.blocked),
            error_steps: count(&Standing::failed),
            retry_steps: count(&is_retried),
            ready_steps: count(&Standing::is_ready),
            estimated_duration: places.iter().map(|place| duration(&standings[*place], weights)).sum(),
            bottlenecks,
            criticality_score,
            completion_percentage: percentage(completed_steps, places.len()),
        }
    }
}

/// The reference's constants: only their order matters.
fn severity(step: &Standing) -> u32 {
    let when = |holds: bool, amount: u32| if holds { amount } else { 0 };
    when(step.failed(), 10)
        + step.attempts.saturating_mul(5)
        + when(step.is_exhausted(), 20)
        + when(step.blocked, 5)
}

fn reason(step: &Standing) -> String {
    match step.reason {
        None => "Not blocked (ready for execution)".to_owned(),
        Some(BlockingReason::DependenciesNotSatisfied) => "Dependencies not satisfied".to_owned(),
        Some(BlockingReason::RetryNotEligible) => "Exhausted retries".to_owned(),
        Some(BlockingReason::WaitingForBackoff) => "In backoff period".to_owned(),
        Some(_) if step.failed() => "In error state".to_owned(),
        Some(_) => format!("Invalid state: {}", step.state),
    }
}
