//! How wide a task could run, level by level.

use serde::Serialize;

use super::graph::TaskGraph;
use super::standing::{Standing, percentage};
use crate::StepName;

/// How wide a task could run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parallelism {
    /// All steps.
    pub total_steps: usize,
    /// How many levels there are.
    pub total_levels: usize,
    /// The steps of the widest level.
    pub max_parallel_steps: usize,
    /// Steps that may be claimed.
    pub current_parallel_opportunities: usize,
    /// Steps with a parent that is not satisfied.
    pub blocked_parallel_opportunities: usize,
    /// How many of a hundred steps are complete or resolved, to one decimal.
    pub overall_completion: f64,
    /// Level by level.
    pub levels: Vec<Level>,
    /// How many of a hundred levels have more than one ready step, to one decimal.
    pub parallelism_efficiency: f64,
}

/// The steps of one level.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Level {
    /// The longest way to them from a step that waits for none.
    pub level: usize,
    /// How many there are.
    pub total_steps: usize,
    /// Those that may be claimed.
    pub ready_steps: usize,
    /// Those with a parent that is not satisfied.
    pub blocked_steps: usize,
    /// Those in error.
    pub error_steps: usize,
    /// Those that are complete or resolved.
    pub completed_steps: usize,
    /// Their names.
    pub step_names: Vec<StepName>,
    /// By the steps that are ready.
    pub parallelism_potential: Potential,
    /// High when more than half are blocked, else low.
    pub bottleneck_risk: Potential,
}

/// How much there is of something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[expect(missing_docs, reason = "they are their names")]
pub enum Potential {
    Low,
    Medium,
    High,
}

impl Parallelism {
    pub(super) fn of(graph: &TaskGraph<'_>, standings: &[Standing]) -> Self {
        let mut levels: Vec<Vec<usize>> = vec![];
        for place in graph.places() {
            let level = usize::try_from(graph.level_of(place)).expect("a level is below the number of steps");
            levels.resize_with(levels.len().max(level + 1), Vec::new);
            levels[level].push(place);
        }
        let told: Vec<_> = levels
            .iter()
            .enumerate()
            .map(|(level, places)| Level::of(graph, standings, level, places))
            .collect();
        let count = |holds: &dyn Fn(&Standing) -> bool| standings.iter().filter(|step| holds(step)).count();
        let wide = told.iter().filter(|level| level.ready_steps > 1).count();
        Self {
            total_steps: standings.len(),
            total_levels: told.len(),
            max_parallel_steps: told.iter().map(|level| level.total_steps).max().unwrap_or(0),
            current_parallel_opportunities: count(&Standing::is_ready),
            blocked_parallel_opportunities: count(&|step| step.blocked),
            overall_completion: percentage(count(&|step| step.completed), standings.len()),
            parallelism_efficiency: percentage(wide, told.len()),
            levels: told,
        }
    }
}

impl Level {
    fn of(graph: &TaskGraph<'_>, standings: &[Standing], level: usize, places: &[usize]) -> Self {
        let count = |holds: &dyn Fn(&Standing) -> bool| {
            places.iter().filter(|place| holds(&standings[**place])).count()
        };
        let (ready, blocked) = (count(&Standing::is_ready), count(&|step| step.blocked));
        Self {
            level,
            total_steps: places.len(),
            ready_steps: ready,
            blocked_steps: blocked,
            error_steps: count(&Standing::failed),
            completed_steps: count(&|step| step.completed),
            step_names: places.iter().map(|place| graph.task().steps[*place].name.clone()).collect(),
            parallelism_potential: match ready {
                0 => Potential::Low,
                1 => Potential::Medium,
                _ => Potential::High,
            },
            bottleneck_risk: if blocked > places.len() / 2 { Potential::High } else { Potential::Low },
        }
    }
}
