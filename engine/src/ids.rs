//! Newtypes for every id, name and unit, so that no two numbers can be mistaken for one another.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use foldhash::fast::FixedState;
use serde::{Deserialize, Serialize};

/// A map by ids. They are drawn by the storage, not by a stranger, so a fast hash will do.
pub(crate) type IdMap<K, V> = HashMap<K, V, FixedState>;
/// A set of ids: see [`IdMap`].
pub(crate) type IdSet<K> = HashSet<K, FixedState>;

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl From<i64> for $name {
            fn from(number: i64) -> Self {
                Self(number)
            }
        }

        impl From<$name> for i64 {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }
    };
}

pub(crate) use number_id;

number_id! {
    /// A task: one run of a workflow. `bigint` in the reference's tables.
    TaskId
}
number_id! {
    /// A step of one task. Within a task, ids ascend in the order of the template.
    StepId
}
number_id! {
    /// The right to record the outcome of one claimed attempt. Opaque, drawn by the storage, never used twice.
    ///
    /// On PostgreSQL it is the id of the `in_progress` transition row, current only while that row is the most recent
    /// of its step; so whoever writes a newer row (a cancel, a reset, a rescue) fences the old claim by that alone.
    Token
}
number_id! {
    /// One row of the audit trail, of a task or of a step.
    TransitionId
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl<T: Into<Arc<str>>> From<T> for $name {
            fn from(text: T) -> Self {
                Self(text.into())
            }
        }

        impl std::ops::Deref for $name {
            type Target = str;
            fn deref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                &*self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                &*self.0 == *other
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

text_name! {
    /// The name of a step, unique within its task. Shared, because every claim and every report carries it.
    StepName
}
text_name! {
    /// The name under which a template finds a handler: short (`price_cart`) or a whole path (`shop::price_cart`).
    HandlerName
}
text_name! {
    /// The identity of a bound template: lower-case hex SHA-256 of its canonical JSON.
    DefinitionHash
}

/// One start of one process. Drawn at random, so that a restarted worker is never taken for its predecessor.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WorkerId(pub uuid::Uuid);

impl WorkerId {
    /// A new id from the operating system's random source.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4())
    }

    /// A worker that is told apart by a number, for tests and simulations that must replay.
    pub const fn numbered(number: u128) -> Self {
        Self(uuid::Uuid::from_u128(number))
    }
}

impl fmt::Display for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for WorkerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WorkerId({})", self.0)
    }
}
