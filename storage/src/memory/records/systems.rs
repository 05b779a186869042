//! External systems, and what things are called in two of them.

use std::collections::HashSet;

use tasker_engine::records::{
    DependentSystemColumn, DependentSystemFilter, DependentSystemId, DependentSystemObjectMapColumn,
    DependentSystemObjectMapFilter, DependentSystemObjectMapRow, DependentSystemObjectMaps,
    DependentSystemRow, DependentSystems,
};

use super::model::{Key, among, catalogued};

catalogued! {
    DependentSystems: DependentSystemRow in systems,
    DependentSystemFilter(_store, filter) => match filter {
        DependentSystemFilter::WithIds(ids) => among::<Self, _>(ids, |row| row.dependent_system_id),
        DependentSystemFilter::Named(name) => Box::new(move |row| row.name == *name),
    },
    DependentSystemColumn(row, column) => match column {
        DependentSystemColumn::DependentSystemId => Key::number(row.dependent_system_id),
        DependentSystemColumn::Name => Key::text(&row.name),
        DependentSystemColumn::Description => Key::maybe(row.description.as_deref(), Key::text),
        DependentSystemColumn::CreatedAt => Key::moment(row.created_at),
        DependentSystemColumn::UpdatedAt => Key::moment(row.updated_at),
    }
}

catalogued! {
    DependentSystemObjectMaps: DependentSystemObjectMapRow in object_maps,
    DependentSystemObjectMapFilter(_store, filter) => match filter {
        DependentSystemObjectMapFilter::WithIds(ids) => {
            among::<Self, _>(ids, |row| row.dependent_system_object_map_id)
        }
        DependentSystemObjectMapFilter::WithSystemOne(ids) => {
            among::<Self, _>(ids, |row| row.dependent_system_one_id)
        }
        DependentSystemObjectMapFilter::WithSystemTwo(ids) => {
            among::<Self, _>(ids, |row| row.dependent_system_two_id)
        }
        DependentSystemObjectMapFilter::OfSystems(ids) => {
            let ids: HashSet<DependentSystemId> = ids.iter().copied().collect();
            Box::new(move |row| {
                ids.contains(&row.dependent_system_one_id) || ids.contains(&row.dependent_system_two_id)
            })
        }
        DependentSystemObjectMapFilter::WithRemoteIdOne(id) => Box::new(move |row| row.remote_id_one == *id),
        DependentSystemObjectMapFilter::WithRemoteIdTwo(id) => Box::new(move |row| row.remote_id_two == *id),
        DependentSystemObjectMapFilter::WithRemoteId(id) => {
            Box::new(move |row| row.remote_id_one == *id || row.remote_id_two == *id)
        }
    },
    DependentSystemObjectMapColumn(row, column) => match column {
        DependentSystemObjectMapColumn::DependentSystemObjectMapId => {
            Key::number(row.dependent_system_object_map_id)
        }
        DependentSystemObjectMapColumn::DependentSystemOneId => Key::number(row.dependent_system_one_id),
        DependentSystemObjectMapColumn::DependentSystemTwoId => Key::number(row.dependent_system_two_id),
        DependentSystemObjectMapColumn::RemoteIdOne => Key::text(&row.remote_id_one),
        DependentSystemObjectMapColumn::RemoteIdTwo => Key::text(&row.remote_id_two),
        DependentSystemObjectMapColumn::CreatedAt => Key::moment(row.created_at),
        DependentSystemObjectMapColumn::UpdatedAt => Key::moment(row.updated_at),
    }
}
