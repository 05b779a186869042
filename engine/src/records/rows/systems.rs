//! Rows of external systems, and of what one thing is called in two of them.

use serde::Serialize;

use crate::Timestamp;
use crate::records::{DependentSystemId, ObjectMapId};

/// An external system.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DependentSystemRow {
    /// The system.
    pub dependent_system_id: DependentSystemId,
    /// Its name.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}

/// One thing, under its id in one system and its id in another.
///
/// Stored in normal order: the system with the lower id is number one; within one system, the lower remote id is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DependentSystemObjectMapRow {
    /// The map.
    pub dependent_system_object_map_id: ObjectMapId,
    /// One system.
    pub dependent_system_one_id: DependentSystemId,
    /// The other.
    pub dependent_system_two_id: DependentSystemId,
    /// What the thing is called in the one.
    pub remote_id_one: String,
    /// What it is called in the other.
    pub remote_id_two: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was changed last.
    pub updated_at: Timestamp,
}
