//! What records cannot answer or do.

use std::fmt;

use serde::Serialize;

use crate::payload::PayloadError;
use crate::{StepName, StorageError};

/// What went wrong with records; where something was to be written, nothing was.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// What was to be written is not valid.
    #[error("{0}")]
    Invalid(Faults),
    /// There is no such row.
    #[error("there is no {what} {id}")]
    NotFound {
        /// What it would be.
        what: &'static str,
        /// What was given for it.
        id: i64,
    },
    /// Other rows need it.
    #[error("{what} {id} is in use by {by}")]
    InUse {
        /// What it is.
        what: &'static str,
        /// Which one.
        id: i64,
        /// What needs it.
        by: &'static str,
    },
    /// The edge would close a circle; `path` begins and ends with the step that the edge leads to.
    #[error(
        "Adding this edge would create a cycle in the workflow: {}",
        path.iter().map(StepName::as_str).collect::<Vec<_>>().join(" → ")
    )]
    Cycle {
        /// The steps on it.
        path: Vec<StepName>,
    },
    /// The state found does not allow it.
    #[error("{what} {id} is {state}")]
    NotNow {
        /// What it is.
        what: &'static str,
        /// Which one.
        id: i64,
        /// The state found.
        state: &'static str,
    },
    /// The backend failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Everything that is wrong with what was to be written, told together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Faults(
    /// At least one.
    pub Vec<FieldFault>,
);

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FieldFault {
    /// The column, or `base` where it is about the row as a whole.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What can be wrong with a field. The texts are the reference's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// It is absent, empty, or nothing but blanks.
    #[error("can't be blank")]
    Blank,
    /// It is too long.
    #[error("is too long (maximum is {max} characters)")]
    TooLong {
        /// Characters allowed.
        max: usize,
    },
    /// Another row has it.
    #[error("has already been taken")]
    Taken,
    /// The row that it names is not there.
    #[error("must exist")]
    MustExist,
    /// It is not a version.
    #[error("must be in semver format (e.g., 1.0.0)")]
    NotAVersion,
    /// It has to be a JSON object.
    #[error("must be a hash")]
    NotAnObject,
    /// The number is too small.
    #[error("must be greater than or equal to {min}")]
    TooSmall {
        /// What is allowed at least.
        min: i64,
    },
    /// The two ends of an edge are steps of different tasks.
    #[error("must be steps of one task")]
    OtherTask,
    /// It cannot be stored.
    #[error("cannot be stored: {0}")]
    NotStorable(String),
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Validation failed: ")?;
        for (place, FieldFault { field, fault }) in self.0.iter().enumerate() {
            let between = if place == 0 { "" } else { ", " };
            write!(f, "{between}{} {fault}", title(field))?;
        }
        Ok(())
    }
}

/// A column as the reference writes it in messages: `remote_id_one` is `Remote id one`.
fn title(field: &str) -> String {
    let words = field.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl RecordError {
    /// One fault of one field.
    pub fn invalid(field: &'static str, fault: Fault) -> Self {
        Self::Invalid(Faults(vec![FieldFault { field, fault }]))
    }

    /// Whether the same call may succeed later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Storage(error) if error.is_transient())
    }
}

impl From<PayloadError> for Fault {
    fn from(error: PayloadError) -> Self {
        Self::NotStorable(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_read_like_those_of_the_reference() {
        let faults = Faults(vec![
            FieldFault { field: "name", fault: Fault::Blank },
            FieldFault { field: "remote_id_one", fault: Fault::TooLong { max: 128 } },
        ]);
        assert_eq!(
            faults.to_string(),
            "Validation failed: Name can't be blank, Remote id one is too long (maximum is 128 characters)"
        );
    }
}
