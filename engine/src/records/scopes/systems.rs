//! Scopes of external systems.

use serde::{Deserialize, Serialize};

use super::{model, scopes};
use crate::records::{DependentSystemId, DependentSystemObjectMapRow, DependentSystemRow, ObjectMapId};

model! {
    /// External systems: `tasker_dependent_systems`.
    DependentSystems("dependent system"):
    DependentSystemRow by dependent_system_id: DependentSystemId, DependentSystemFilter,
    DependentSystemColumn {
        DependentSystemId = "dependent_system_id",
        Name = "name",
        Description = "description",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on systems; the scopes of [`DependentSystems`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum DependentSystemFilter {
    WithIds(Vec<DependentSystemId>),
    Named(String),
}

scopes! { DependentSystems {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = DependentSystemId>) => {
        DependentSystemFilter::WithIds(ids.into_iter().collect())
    };
    /// The one of that name.
    named(name: impl Into<String>) => DependentSystemFilter::Named(name.into());
} }

model! {
    /// What things are called in two systems: `tasker_dependent_system_object_maps`.
    DependentSystemObjectMaps("dependent system object map"):
    DependentSystemObjectMapRow by dependent_system_object_map_id: ObjectMapId, DependentSystemObjectMapFilter,
    DependentSystemObjectMapColumn {
        DependentSystemObjectMapId = "dependent_system_object_map_id",
        DependentSystemOneId = "dependent_system_one_id",
        DependentSystemTwoId = "dependent_system_two_id",
        RemoteIdOne = "remote_id_one",
        RemoteIdTwo = "remote_id_two",
        CreatedAt = "created_at",
        UpdatedAt = "updated_at",
    }
}

/// A condition on object maps; the scopes of [`DependentSystemObjectMaps`] say what each means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[expect(missing_docs, reason = "each is named after the scope that makes it, where it is told")]
pub enum DependentSystemObjectMapFilter {
    WithIds(Vec<ObjectMapId>),
    WithSystemOne(Vec<DependentSystemId>),
    WithSystemTwo(Vec<DependentSystemId>),
    OfSystems(Vec<DependentSystemId>),
    WithRemoteIdOne(String),
    WithRemoteIdTwo(String),
    WithRemoteId(String),
}

scopes! { DependentSystemObjectMaps {
    /// Those, as far as they are there.
    with_ids(ids: impl IntoIterator<Item = ObjectMapId>) => {
        DependentSystemObjectMapFilter::WithIds(ids.into_iter().collect())
    };
    /// Maps in which those systems are number one.
    with_system_one(ids: impl IntoIterator<Item = DependentSystemId>) => {
        DependentSystemObjectMapFilter::WithSystemOne(ids.into_iter().collect())
    };
    /// Maps in which those systems are number two.
    with_system_two(ids: impl IntoIterator<Item = DependentSystemId>) => {
        DependentSystemObjectMapFilter::WithSystemTwo(ids.into_iter().collect())
    };
    /// Maps in which those systems are one of the two.
    of_systems(ids: impl IntoIterator<Item = DependentSystemId>) => {
        DependentSystemObjectMapFilter::OfSystems(ids.into_iter().collect())
    };
    /// Maps of what has that id in system number one.
    with_remote_id_one(id: impl Into<String>) => DependentSystemObjectMapFilter::WithRemoteIdOne(id.into());
    /// Maps of what has that id in system number two.
    with_remote_id_two(id: impl Into<String>) => DependentSystemObjectMapFilter::WithRemoteIdTwo(id.into());
    /// Maps of what has that id in one of the two systems.
    with_remote_id(id: impl Into<String>) => DependentSystemObjectMapFilter::WithRemoteId(id.into());
} }
