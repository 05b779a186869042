//! The six stored states of tasks and of steps, and every legal move between them.
//!
//! Six strings are all that `to_state` ever holds, because the reference's functions and models know no others. Richer
//! words (`paused`, `ready`, `skipped` …) are phases: see [`TaskPhase`] and [`StepPhase`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! states {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name {
            /// Not started, or waiting for another attempt. The state of whatever has no transition row yet.
            Pending,
            /// Claimed by a worker (a step), or begun and not settled (a task).
            InProgress,
            /// Done, with results.
            Complete,
            /// The last attempt failed (a step); nothing can move any more (a task).
            Error,
            /// Ended by an operator, or by the cancellation of a parent.
            Cancelled,
            /// Declared done by an operator, or skipped. Satisfies dependants like `complete`.
            ResolvedManually,
        }

        impl $name {
            /// All six, in the order of the tables.
            pub const ALL: [Self; 6] =
                [Self::Pending, Self::InProgress, Self::Complete, Self::Error, Self::Cancelled, Self::ResolvedManually];

            /// The word in the database.
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::Pending => "pending",
                    Self::InProgress => "in_progress",
                    Self::Complete => "complete",
                    Self::Error => "error",
                    Self::Cancelled => "cancelled",
                    Self::ResolvedManually => "resolved_manually",
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = UnknownState;
            fn from_str(text: &str) -> Result<Self, UnknownState> {
                Self::ALL
                    .into_iter()
                    .find(|state| state.as_str() == text)
                    .ok_or_else(|| UnknownState { what: $what, text: text.to_owned() })
            }
        }
    };
}

states! {
    /// The stored state of a task.
    TaskState, "task"
}
states! {
    /// The stored state of a step.
    StepState, "workflow step"
}

/// A text that is none of the six states.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{text}` is not a valid {what} state (pending, in_progress, complete, error, cancelled, resolved_manually)"
)]
pub struct UnknownState {
    what: &'static str,
    text: String,
}

impl TaskState {
    /// Whether a task may ever go from here to there; the guards of an operation may refuse it all the same.
    ///
    /// `pending` to `pending` is a move to another phase (paused, resumed). Out of `complete` and `resolved_manually`
    /// only a forced cancel leads.
    ///
    /// ```
    /// use tasker_engine::TaskState::*;
    /// assert!(Error.may_become(Cancelled));
    /// assert!(!Pending.may_become(Complete), "a task is begun before it is complete");
    /// ```
    pub const fn may_become(self, to: Self) -> bool {
        use TaskState as S;
        matches!(
            (self, to),
            (S::Pending, S::Pending | S::InProgress | S::Error | S::Cancelled)
                | (S::InProgress, S::Pending | S::Complete | S::Error | S::Cancelled)
                | (S::Error, S::Pending | S::Cancelled | S::ResolvedManually)
                | (S::Complete | S::ResolvedManually, S::Cancelled)
        )
    }

    /// Whether the engine still has something to do with it.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Pending | Self::InProgress)
    }
}

impl StepState {
    /// Whether a step may ever go from here to there; the guards of an operation may refuse it all the same.
    ///
    /// `pending` to `pending` is a reset of a step that used up its attempts. `error` to `in_progress` takes two rows,
    /// by way of `pending`.
    ///
    /// ```
    /// use tasker_engine::StepState::*;
    /// assert!(InProgress.may_become(Pending), "a claim may be handed back");
    /// assert!(!Error.may_become(InProgress));
    /// ```
    pub const fn may_become(self, to: Self) -> bool {
        use StepState as S;
        matches!(
            (self, to),
            (
                S::Pending,
                S::Pending | S::InProgress | S::Complete | S::Error | S::Cancelled | S::ResolvedManually
            ) | (S::InProgress, S::Pending | S::Complete | S::Error | S::Cancelled)
                | (S::Error, S::Pending | S::Complete | S::Cancelled | S::ResolvedManually)
        )
    }

    /// Whether steps that depend on it may run.
    pub const fn is_satisfied(self) -> bool {
        matches!(self, Self::Complete | Self::ResolvedManually)
    }

    /// Whether it will never run again by itself.
    pub const fn is_settled(self) -> bool {
        self.is_satisfied() || matches!(self, Self::Cancelled)
    }
}

/// What a task is doing, derived from its state, its latest metadata and its steps; never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskPhase {
    /// Stored as `pending` with metadata `phase: draft`; never started by the engine.
    Draft,
    /// `pending`, without a wake: steps and edges are written, nobody was told.
    Planned,
    /// `pending`, with a wake.
    Launched,
    /// Some step is in progress or ready.
    Running,
    /// Nothing is ready, in progress or in back-off.
    WaitingForDependencies,
    /// The next thing that can happen is the end of a back-off.
    WaitingForRetry,
    /// Some step may never run again, while others go on.
    Blocked,
    /// No new claims until it is resumed.
    Paused,
    /// `complete`.
    Completed,
    /// `error`.
    Failed,
    /// `cancelled`.
    Cancelled,
    /// `resolved_manually`.
    ResolvedManually,
}

/// What a step is doing, derived from its state, its latest metadata and its readiness; never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepPhase {
    /// Waits for its parents.
    Pending,
    /// May be claimed now.
    Ready,
    /// Its parents are done; it waits for its back-off, or snoozes.
    WaitingForRetry,
    /// `in_progress`.
    Running,
    /// `complete`.
    Completed,
    /// It will never run again by itself: attempts used up, or not retryable.
    Failed,
    /// `resolved_manually`, with the phase `skipped`.
    Skipped,
    /// `cancelled`.
    Cancelled,
    /// `resolved_manually`, otherwise.
    ResolvedManually,
}

/// The value of the metadata key `phase`, where a row of the audit trail has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PhaseMark {
    /// A task that is kept from being run.
    Draft,
    /// A task that takes no new claims.
    Paused,
    /// A task that was paused before.
    Resumed,
    /// A step whose attempts were set back to none.
    Reset,
    /// A step that was passed over.
    Skipped,
    /// A step that sleeps until its `backoff_until`.
    Snoozed,
}

impl PhaseMark {
    /// The word in the metadata.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Reset => "reset",
            Self::Skipped => "skipped",
            Self::Snoozed => "snoozed",
        }
    }

    /// The mark in a row's metadata, if it has one that is known.
    pub fn of(metadata: &serde_json::Value) -> Option<Self> {
        let text = metadata.get("phase")?.as_str()?;
        [Self::Draft, Self::Paused, Self::Resumed, Self::Reset, Self::Skipped, Self::Snoozed]
            .into_iter()
            .find(|mark| mark.as_str() == text)
    }
}
