//! Sets of names, small enough to be asked for each commit.

use super::EventName;

/// A set of names of events.
///
/// ```
/// use tasker_engine::{EventName, EventNames};
///
/// let failures = EventNames::of([EventName::TaskFailed, EventName::StepFailed]);
/// assert!(failures.contains(EventName::StepFailed) && !failures.contains(EventName::StepCompleted));
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventNames(u128);

const _: () = assert!((EventName::Custom as u8) < 128, "every name has a bit");

impl EventNames {
    /// None.
    pub const NONE: Self = Self(0);

    /// Every fact, and the events that workflows declare; no alias.
    pub const FACTS: Self = {
        let (mut set, mut place) = (Self::NONE.with(EventName::Custom), 0);
        while place < EventName::FACTS.len() {
            set = set.with(EventName::FACTS[place]);
            place += 1;
        }
        set
    };

    /// These.
    pub fn of(names: impl IntoIterator<Item = EventName>) -> Self {
        names.into_iter().fold(Self::NONE, Self::with)
    }

    /// With one more.
    #[must_use]
    pub const fn with(self, name: EventName) -> Self {
        Self(self.0 | 1 << name as u8)
    }

    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether it is in it.
    pub const fn contains(self, name: EventName) -> bool {
        self.0 & 1 << name as u8 != 0
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}
