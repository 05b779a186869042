//! How steps stand at a moment: the readiness of the reference, and levels.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::decide::{
    BlockingReason, RetryStatus, StepFacts, blocking_reason, effective_backoff_seconds, next_retry_at,
    retry_status,
};
use crate::records::NamedStepId;
use crate::{StepId, StepRecord, StepState, TaskId, TaskRecord, Timestamp};

/// How a step stands at the moment `now`: the sixteen columns of the reference, and the three that say the rest. What it
/// tells of itself is of that moment, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct StepReadinessRow {
    /// The step.
    pub workflow_step_id: StepId,
    /// Its task.
    pub task_id: TaskId,
    /// What it is called, and in which system.
    pub named_step_id: NamedStepId,
    /// Its name.
    pub name: String,
    /// The state; `pending` where there is no transition.
    pub current_state: StepState,
    /// Whether every parent is complete or resolved.
    pub dependencies_satisfied: bool,
    /// Whether attempts are left. Says nothing else.
    pub retry_eligible: bool,
    /// Whether it may be claimed.
    pub ready_for_execution: bool,
    /// When it failed, while it is in `error`.
    pub last_failure_at: Option<Timestamp>,
    /// When it may be tried again, as far as waiting goes.
    pub next_retry_at: Option<Timestamp>,
    /// How many edges lead to it.
    pub total_parents: i32,
    /// How many of them come from steps that are complete or resolved.
    pub completed_parents: i32,
    /// Attempts begun; 0 where the database holds null.
    pub attempts: i32,
    /// How many attempts there may be; 3 where the database holds null.
    pub retry_limit: i32,
    /// The wait that was asked for, in seconds.
    pub backoff_request_seconds: Option<i32>,
    /// When the last attempt was claimed.
    pub last_attempted_at: Option<Timestamp>,
    /// Whether a failed attempt may be followed by another.
    pub retryable: bool,
    /// Whether its columns say that it runs.
    pub in_process: bool,
    /// Whether its columns say that it is done.
    pub processed: bool,
    /// The moment of all this.
    pub now: Timestamp,
}

/// Which wait holds after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BackoffType {
    /// What was asked for.
    ExplicitBackoff,
    /// A power of two.
    ExponentialBackoff,
    /// None.
    NoBackoff,
}

/// What the reference tells of a step beside its columns.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DetailedStatus {
    /// Whether it may be claimed.
    pub ready: bool,
    /// The state.
    pub current_state: StepState,
    /// See [`dependency_status`](StepReadinessRow::dependency_status).
    pub dependencies: String,
    /// See [`retry_status`](StepReadinessRow::retry_status).
    pub retry: RetryStatus,
    /// See [`blocking_reason`](StepReadinessRow::blocking_reason).
    pub blocking_reason: Option<BlockingReason>,
    /// See [`time_until_ready`](StepReadinessRow::time_until_ready); seconds.
    pub time_until_ready: Option<i64>,
    /// See [`backoff_type`](StepReadinessRow::backoff_type).
    pub backoff_type: BackoffType,
    /// See [`effective_backoff_seconds`](StepReadinessRow::effective_backoff_seconds).
    pub effective_backoff_seconds: i64,
}

impl StepReadinessRow {
    /// How a step of a task stands.
    pub fn of(task: &TaskRecord, step: &StepRecord, named_step_id: NamedStepId, now: Timestamp) -> Self {
        let satisfied = |id: &&StepId| {
            task.position(**id).is_some_and(|place| task.steps[place].current.state.is_satisfied())
        };
        let dependencies_satisfied = task.parents_satisfied(step);
        Self {
            workflow_step_id: step.id,
            task_id: task.id,
            named_step_id,
            name: step.name.to_string(),
            current_state: step.current.state,
            dependencies_satisfied,
            retry_eligible: step.attempts < step.retry_limit,
            ready_for_execution: blocking_reason(step, dependencies_satisfied, now).is_none(),
            last_failure_at: step.current.since.filter(|_| step.current.state == StepState::Error),
            next_retry_at: next_retry_at(&step.attempted()),
            total_parents: integer(step.parents.len()),
            completed_parents: integer(step.parents.iter().filter(satisfied).count()),
            attempts: integer(step.attempts),
            retry_limit: integer(step.retry_limit),
            backoff_request_seconds: step.backoff_request_seconds,
            last_attempted_at: step.last_attempted_at,
            retryable: step.retryable,
            in_process: step.in_process,
            processed: step.processed,
            now,
        }
    }

    /// Why it may not be claimed; `None` exactly when it may.
    pub const fn blocking_reason(&self) -> Option<BlockingReason> {
        use BlockingReason as R;
        if self.current_state.is_settled() {
            Some(R::InvalidState)
        } else if matches!(self.current_state, StepState::InProgress) || self.in_process {
            Some(R::InProcess)
        } else if !self.dependencies_satisfied {
            Some(R::DependenciesNotSatisfied)
        } else if !self.retry_eligible {
            Some(R::RetryNotEligible)
        } else if !self.retryable && self.attempts > 0 {
            Some(R::NotRetryable)
        } else if self.processed {
            Some(R::AlreadyProcessed)
        } else if !self.ready_for_execution {
            Some(R::WaitingForBackoff)
        } else {
            None
        }
    }

    /// Whole seconds until it may run as far as waiting goes, rounded down and not below 0: 0 when it is ready; `None` when
    /// no moment is known.
    pub fn time_until_ready(&self) -> Option<i64> {
        if self.ready_for_execution {
            return Some(0);
        }
        let wait = self.next_retry_at?.since(self.now).as_secs();
        Some(i64::try_from(wait).unwrap_or(i64::MAX))
    }

    /// `no_dependencies`, `all_satisfied`, or how many are: `1/3_satisfied`.
    pub fn dependency_status(&self) -> String {
        match (self.total_parents, self.dependencies_satisfied) {
            (0, _) => "no_dependencies".to_owned(),
            (_, true) => "all_satisfied".to_owned(),
            (total, false) => format!("{}/{total}_satisfied", self.completed_parents),
        }
    }

    /// Whether it may be tried again.
    pub fn retry_status(&self) -> RetryStatus {
        let waits = matches!(self.current_state, StepState::Pending | StepState::Error);
        let facts = StepFacts {
            state: self.current_state,
            attempts: u32::try_from(self.attempts).unwrap_or(0),
            retry_limit: u32::try_from(self.retry_limit).unwrap_or(0),
            retryable: self.retryable,
            not_before: self.next_retry_at.filter(|_| waits),
        };
        retry_status(&facts, self.now)
    }

    /// Which wait holds.
    pub const fn backoff_type(&self) -> BackoffType {
        if self.backoff_request_seconds.is_some() && self.last_attempted_at.is_some() {
            BackoffType::ExplicitBackoff
        } else if self.last_failure_at.is_some() {
            BackoffType::ExponentialBackoff
        } else {
            BackoffType::NoBackoff
        }
    }

    /// How long it waits after its last attempt, in seconds.
    pub fn effective_backoff_seconds(&self) -> i64 {
        effective_backoff_seconds(&crate::decide::Attempted {
            state: self.current_state,
            since: self.last_failure_at.unwrap_or(self.now),
            backoff_until: None,
            attempts: u32::try_from(self.attempts).unwrap_or(0),
            last_attempted_at: self.last_attempted_at,
            backoff_request_seconds: self.backoff_request_seconds,
        })
    }

    /// Whether it is in `error` and may be claimed at once.
    pub const fn can_retry_now(&self) -> bool {
        matches!(self.current_state, StepState::Error) && self.ready_for_execution
    }

    /// Whether a moment of a next attempt is known and still to come, whatever the state.
    pub fn waits_for_backoff(&self) -> bool {
        self.next_retry_at.is_some_and(|moment| moment > self.now)
    }

    /// Whether as many attempts as its limit allows have been begun.
    pub const fn retry_exhausted(&self) -> bool {
        self.attempts >= self.retry_limit
    }

    /// Whether it waits for no step.
    pub const fn is_root(&self) -> bool {
        self.total_parents == 0
    }

    /// All that the reference tells beside the columns.
    pub fn detailed_status(&self) -> DetailedStatus {
        DetailedStatus {
            ready: self.ready_for_execution,
            current_state: self.current_state,
            dependencies: self.dependency_status(),
            retry: self.retry_status(),
            blocking_reason: self.blocking_reason(),
            time_until_ready: self.time_until_ready(),
            backoff_type: self.backoff_type(),
            effective_backoff_seconds: self.effective_backoff_seconds(),
        }
    }
}

/// A number for a column `integer`.
fn integer(number: impl TryInto<i32>) -> i32 {
    number.try_into().unwrap_or(i32::MAX)
}

/// The levels of the steps of a task: 0 for those that wait for none, else the length of the longest way from one of
/// these.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct DependencyLevels(
    /// Each step with its level; ascending by level and step.
    pub Vec<(StepId, u32)>,
);

impl DependencyLevels {
    /// Each step's level.
    pub fn by_step(&self) -> BTreeMap<StepId, u32> {
        self.0.iter().copied().collect()
    }

    /// The highest level; 0 without steps.
    pub fn max_level(&self) -> u32 {
        self.0.last().map_or(0, |(_, level)| *level)
    }

    /// The steps of a level, ascending.
    pub fn steps_at(&self, level: u32) -> Vec<StepId> {
        self.0.iter().filter(|(_, of)| *of == level).map(|(step, _)| *step).collect()
    }

    /// The steps that wait for none, ascending.
    pub fn roots(&self) -> Vec<StepId> {
        self.steps_at(0)
    }
}
