//! The audit trail, kept small: what a row says is an enum, and becomes JSON only when somebody loads the task.

use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::Value;
use tasker_engine::decide::Verdict;
use tasker_engine::{
    Current, ErrorReport, PhaseMark, RetryAdvice, StepName, StepState, TaskState, Timestamp, Token,
    Transition, TransitionId, WorkerId, audit,
};

use super::work::looked;

/// One move of a task or step.
pub(super) struct Row<S> {
    pub(super) id: TransitionId,
    pub(super) at: Timestamp,
    pub(super) from: S,
    pub(super) to: S,
    sort_key: i32,
    pub(super) note: Note,
}

/// The rows of a task and of its steps, in the order in which they were written.
#[derive(Default)]
pub(super) struct Trail {
    task: Vec<Row<TaskState>>,
    steps: Vec<StepRow>,
}

/// A row of a step, chained to the one before it of the same step: so the history of one step is found without looking
/// at those of others.
struct StepRow {
    row: Row<StepState>,
    step: u32,
    previous: Option<Place>,
}

/// Where a row of a step stands in the trail. Counted from one, so that an absent one takes no room.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(NonZeroU32);

impl Place {
    fn of(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("a task has fewer rows than memory could hold"))
    }

    const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

/// The first rows get room at once for a short task: most steps have two.
const FEW_ROWS: usize = 64;

impl Trail {
    /// The latest row of the task.
    pub(super) fn task(&self) -> Option<&Row<TaskState>> {
        self.task.last()
    }

    pub(super) fn step(&self, place: Place) -> &Row<StepState> {
        looked();
        &self.steps[place.index()].row
    }

    /// The row of a step before this one.
    pub(super) fn before(&self, place: Place) -> Option<Place> {
        self.steps[place.index()].previous
    }

    /// Where the next row of a step will stand: later ones do not come before it.
    pub(super) fn end(&self) -> Place {
        Place::of(self.steps.len())
    }

    pub(super) fn add_to_task(&mut self, id: TransitionId, at: Timestamp, to: TaskState, note: Note) {
        let (from, sort_key) = self.task().map_or((TaskState::Pending, 0), |row| (row.to, row.sort_key));
        debug_assert!(from.may_become(to), "a task does not go from {from} to {to}");
        self.task.push(Row { id, at, from, to, sort_key: sort_key + 10, note });
    }

    pub(super) fn add_to_step(
        &mut self,
        step: usize,
        previous: Option<Place>,
        row: NewRow,
        steps: usize,
    ) -> Place {
        let NewRow { id, at, to, note } = row;
        let (from, sort_key) = previous.map_or((StepState::Pending, 0), |place| {
            let row = self.step(place);
            (row.to, row.sort_key)
        });
        debug_assert!(from.may_become(to), "a step does not go from {from} to {to}");
        if self.steps.capacity() == 0 {
            self.steps.reserve((2 * steps).min(FEW_ROWS));
        }
        let place = self.end();
        let step = u32::try_from(step).expect("a task has fewer steps than rows");
        let row = Row { id, at, from, to, sort_key: sort_key + 10, note };
        self.steps.push(StepRow { row, step, previous });
        place
    }

    /// The history of the task, rendered.
    pub(super) fn task_history(&self) -> Vec<Transition<TaskState>> {
        let last = self.task.len().wrapping_sub(1);
        self.task.iter().enumerate().map(|(place, row)| row.transition(place == last)).collect()
    }

    /// The histories of all steps, rendered; `latest` are their latest rows.
    pub(super) fn step_histories(&self, latest: &[Option<Place>]) -> Vec<Vec<Transition<StepState>>> {
        let mut histories: Vec<Vec<_>> = latest.iter().map(|_| vec![]).collect();
        for (index, StepRow { row, step, .. }) in self.steps.iter().enumerate() {
            let step = *step as usize;
            histories[step].push(row.transition(latest[step] == Some(Place::of(index))));
        }
        histories
    }
}

/// What is new in a row of a step; the rest follows from the one before.
pub(super) struct NewRow {
    pub(super) id: TransitionId,
    pub(super) at: Timestamp,
    pub(super) to: StepState,
    pub(super) note: Note,
}

impl<S: Copy> Row<S> {
    fn transition(&self, most_recent: bool) -> Transition<S> {
        Transition {
            id: self.id,
            from: Some(self.from),
            to: self.to,
            metadata: self.note.render(),
            sort_key: self.sort_key,
            most_recent,
            at: self.at,
        }
    }

    /// The state that this row, the latest if there is one, brought about.
    pub(super) fn current(latest: Option<&Self>, pending: S) -> Current<S> {
        Current {
            state: latest.map_or(pending, |row| row.to),
            metadata: latest.map_or_else(|| Value::Object(serde_json::Map::new()), |row| row.note.render()),
            since: latest.map(|row| row.at),
            sort_key: latest.map_or(0, |row| row.sort_key),
            transition: latest.map(|row| row.id),
        }
    }
}

/// What a row says about its move; [`audit`] has the words.
pub(super) enum Note {
    TaskStarted {
        steps: usize,
    },
    TaskSettled(Verdict),
    TaskFailed {
        blocked: Box<[StepName]>,
    },
    Claimed {
        attempt: u32,
        worker: WorkerId,
    },
    Completed {
        claim: Token,
        attempt: u32,
        duration: Duration,
    },
    Failed(Box<Failed>),
    HandedBack {
        claim: Token,
    },
    Snoozed {
        claim: Token,
        until: Timestamp,
        governs: bool,
    },
    Retried {
        attempt: u32,
    },
    BelowCancelled,
    Bypassed,
    /// The worker did not know of the claim. Nothing was recorded under it, so the row does not name it, and an outcome
    /// that comes after all is stale; so it is with the claims of lost workers.
    Unheld,
    /// The worker stopped beating.
    Lost(Box<Failed>),
    /// What an operator's act says.
    Written(Box<Value>),
}

/// What a failed attempt leaves behind.
pub(super) struct Failed {
    pub(super) claim: Token,
    pub(super) attempt: u32,
    pub(super) duration: Duration,
    pub(super) error: ErrorReport,
    pub(super) retry: RetryAdvice,
    /// Whether the step was retryable before.
    pub(super) retryable: bool,
    pub(super) retry_limit: u32,
    pub(super) now: Timestamp,
    /// When it may run again, if the row says so.
    pub(super) until: Option<Timestamp>,
}

impl Note {
    /// The claim whose outcome the row records.
    pub(super) fn claim(&self) -> Option<Token> {
        match self {
            Self::Completed { claim, .. } | Self::HandedBack { claim } | Self::Snoozed { claim, .. } => {
                Some(*claim)
            }
            Self::Failed(failed) => Some(failed.claim),
            _ => None,
        }
    }

    /// The moment by which alone the wait of the step is governed.
    pub(super) fn backoff_until(&self) -> Option<Timestamp> {
        match self {
            Self::Failed(failed) => failed.until,
            Self::Snoozed { until, governs: true, .. } => Some(*until),
            _ => None,
        }
    }

    pub(super) fn mark(&self) -> Option<PhaseMark> {
        match self {
            Self::Snoozed { .. } => Some(PhaseMark::Snoozed),
            Self::Bypassed => Some(PhaseMark::Skipped),
            Self::Written(metadata) => PhaseMark::of(metadata),
            _ => None,
        }
    }

    /// Whether an operator resolved the step with results.
    pub(super) fn results_given(&self) -> bool {
        matches!(self, Self::Written(metadata) if metadata.get("results_given") == Some(&Value::Bool(true)))
    }

    fn render(&self) -> Value {
        match self {
            Self::TaskStarted { steps } => audit::task_started(*steps),
            Self::TaskSettled(verdict) => audit::task_settled(*verdict, &[]),
            Self::TaskFailed { blocked } => audit::task_settled(Verdict::Error, blocked),
            Self::Claimed { attempt, worker } => audit::step_claimed(*attempt, *worker),
            Self::Completed { claim, attempt, duration } => {
                audit::step_completed(*claim, *attempt, *duration)
            }
            Self::Failed(failed) => failed.render(),
            Self::HandedBack { claim } => audit::step_handed_back(*claim),
            Self::Snoozed { claim, until, .. } => audit::step_snoozed(*claim, *until),
            Self::Retried { attempt } => audit::step_retried(*attempt, audit::ENGINE),
            Self::BelowCancelled => audit::cancelled(audit::PARENT_CANCELLED, "step_cancelled"),
            Self::Bypassed => audit::step_skipped(audit::BYPASS_STEPS, None),
            Self::Unheld => Value::Object(serde_json::Map::new()),
            Self::Lost(failed) => without_claim(failed.render()),
            Self::Written(metadata) => (**metadata).clone(),
        }
    }
}

impl Failed {
    fn render(&self) -> Value {
        audit::step_failed(&audit::Failure {
            claim: self.claim,
            attempt: self.attempt,
            duration: self.duration,
            error: &self.error,
            retry: self.retry,
            retryable: self.retryable,
            retry_limit: self.retry_limit,
            now: self.now,
        })
    }
}

fn without_claim(mut metadata: Value) -> Value {
    if let Value::Object(keys) = &mut metadata {
        keys.remove("claim");
    }
    metadata
}

/// A moment as a reader of the row finds it: beyond the years that can be written there is none.
pub(super) fn as_written(moment: Timestamp) -> Option<Timestamp> {
    moment.to_string().parse().ok()
}
