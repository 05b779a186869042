//! External systems, and what things are called in two of them.

use sqlx::postgres::PgRow;
use tasker_engine::StorageError;
use tasker_engine::records::{
    DependentSystemColumn, DependentSystemFilter, DependentSystemObjectMapColumn,
    DependentSystemObjectMapFilter, DependentSystemObjectMapRow, DependentSystemObjectMaps,
    DependentSystemRow, DependentSystems,
};

use super::super::values::column;
use super::model::SqlModel;
use super::statement::Statement;
use super::values::moment;

impl SqlModel for DependentSystems {
    const COLUMNS: &'static str = "y.dependent_system_id::bigint AS dependent_system_id, y.name, y.description, y.created_at, y.updated_at";
    const TABLE: &'static str = "tasker_dependent_systems AS y";
    const JOINS: &'static str = "";
    const ID: &'static str = "y.dependent_system_id";

    fn condition(filter: &DependentSystemFilter, statement: &mut Statement) {
        match filter {
            DependentSystemFilter::WithIds(ids) => {
                statement.push(" AND y.dependent_system_id = ANY (").ids(ids).push(")")
            }
            DependentSystemFilter::Named(name) => statement.push(" AND y.name = ").text(name),
        };
    }

    fn keys(column: DependentSystemColumn) -> &'static [&'static str] {
        match column {
            DependentSystemColumn::DependentSystemId => &["y.dependent_system_id"],
            DependentSystemColumn::Name => &["y.name COLLATE \"C\""],
            DependentSystemColumn::Description => {
                &["y.description IS NULL", "coalesce(y.description, '') COLLATE \"C\""]
            }
            DependentSystemColumn::CreatedAt => &["y.created_at"],
            DependentSystemColumn::UpdatedAt => &["y.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<DependentSystemRow, StorageError> {
        Ok(DependentSystemRow {
            dependent_system_id: column::<i64>(row, "dependent_system_id")?.into(),
            name: column(row, "name")?,
            description: column(row, "description")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}

impl SqlModel for DependentSystemObjectMaps {
    const COLUMNS: &'static str = "m.dependent_system_object_map_id, \
        m.dependent_system_one_id::bigint AS dependent_system_one_id, \
        m.dependent_system_two_id::bigint AS dependent_system_two_id, \
        m.remote_id_one, m.remote_id_two, m.created_at, m.updated_at";
    const TABLE: &'static str = "tasker_dependent_system_object_maps AS m";
    const JOINS: &'static str = "";
    const ID: &'static str = "m.dependent_system_object_map_id";

    fn condition(filter: &DependentSystemObjectMapFilter, statement: &mut Statement) {
        match filter {
            DependentSystemObjectMapFilter::WithIds(ids) => {
                statement.push(" AND m.dependent_system_object_map_id = ANY (").ids(ids).push(")")
            }
            DependentSystemObjectMapFilter::WithSystemOne(ids) => {
                statement.push(" AND m.dependent_system_one_id = ANY (").ids(ids).push(")")
            }
            DependentSystemObjectMapFilter::WithSystemTwo(ids) => {
                statement.push(" AND m.dependent_system_two_id = ANY (").ids(ids).push(")")
            }
            DependentSystemObjectMapFilter::OfSystems(ids) => statement
                .push(" AND (m.dependent_system_one_id = ANY (")
                .ids(ids)
                .push(") OR m.dependent_system_two_id = ANY (")
                .ids(ids)
                .push("))"),
            DependentSystemObjectMapFilter::WithRemoteIdOne(id) => {
                statement.push(" AND m.remote_id_one = ").text(id)
            }
            DependentSystemObjectMapFilter::WithRemoteIdTwo(id) => {
                statement.push(" AND m.remote_id_two = ").text(id)
            }
            DependentSystemObjectMapFilter::WithRemoteId(id) => statement
                .push(" AND (m.remote_id_one = ")
                .text(id)
                .push(" OR m.remote_id_two = ")
                .text(id)
                .push(")"),
        };
    }

    fn keys(column: DependentSystemObjectMapColumn) -> &'static [&'static str] {
        match column {
            DependentSystemObjectMapColumn::DependentSystemObjectMapId => {
                &["m.dependent_system_object_map_id"]
            }
            DependentSystemObjectMapColumn::DependentSystemOneId => &["m.dependent_system_one_id"],
            DependentSystemObjectMapColumn::DependentSystemTwoId => &["m.dependent_system_two_id"],
            DependentSystemObjectMapColumn::RemoteIdOne => &["m.remote_id_one COLLATE \"C\""],
            DependentSystemObjectMapColumn::RemoteIdTwo => &["m.remote_id_two COLLATE \"C\""],
            DependentSystemObjectMapColumn::CreatedAt => &["m.created_at"],
            DependentSystemObjectMapColumn::UpdatedAt => &["m.updated_at"],
        }
    }

    fn row(row: &PgRow) -> Result<DependentSystemObjectMapRow, StorageError> {
        Ok(DependentSystemObjectMapRow {
            dependent_system_object_map_id: column::<i64>(row, "dependent_system_object_map_id")?.into(),
            dependent_system_one_id: column::<i64>(row, "dependent_system_one_id")?.into(),
            dependent_system_two_id: column::<i64>(row, "dependent_system_two_id")?.into(),
            remote_id_one: column(row, "remote_id_one")?,
            remote_id_two: column(row, "remote_id_two")?,
            created_at: moment(row, "created_at")?,
            updated_at: moment(row, "updated_at")?,
        })
    }
}
