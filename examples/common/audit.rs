//! When each step ran, as the audit trail tells it.

use std::time::Duration;

use tasker::{Report, StepRecord, StepState, Timestamp};

use super::Failure;

/// When a step ran, counted from the moment at which the first one of its task was begun.
#[derive(Clone, Copy)]
pub(crate) struct Ran {
    pub(crate) begun: Duration,
    pub(crate) ended: Duration,
}

/// When the steps of a task ran, in their order. Each must have been completed; of several attempts the last one counts.
pub(crate) fn ran(report: &Report) -> Result<Vec<Ran>, Failure> {
    let moments = report.steps().iter().map(moments).collect::<Result<Vec<_>, _>>()?;
    let first = moments.iter().map(|(begun, _)| *begun).min().unwrap_or(Timestamp::EPOCH);
    let ran = moments
        .into_iter()
        .map(|(begun, ended)| Ran { begun: begun.since(first), ended: ended.since(first) });
    Ok(ran.collect())
}

fn moments(step: &StepRecord) -> Result<(Timestamp, Timestamp), Failure> {
    match &step.history[..] {
        [.., begun, ended] if begun.to == StepState::InProgress && ended.to == StepState::Complete => {
            Ok((begun.at, ended.at))
        }
        rows => {
            let states: Vec<_> = rows.iter().map(|row| row.to.as_str()).collect();
            Err(Failure::Run(format!("step `{}` was not completed: {}", step.name, states.join(", "))))
        }
    }
}
