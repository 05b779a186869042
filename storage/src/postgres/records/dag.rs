//! Where steps stand in their graphs.
//!
//! Asked of `tasker_step_graph`, not of the reference's view, whose body on a database that Rails made is Rails' own.

use sqlx::postgres::PgRow;
use tasker_engine::records::{
    StepDagRelationshipColumn, StepDagRelationshipFilter, StepDagRelationshipRow, StepDagRelationships,
};
use tasker_engine::{StepId, StorageError};

use super::super::error::corrupt;
use super::super::values::column;
use super::model::SqlModel;
use super::statement::Statement;
use super::steps::siblings_of;
use super::values::json;

impl SqlModel for StepDagRelationships {
    const COLUMNS: &'static str = "g.workflow_step_id, g.task_id, g.named_step_id::bigint AS named_step_id, \
        g.parent_step_ids, g.child_step_ids, g.parent_count, g.child_count, g.is_root_step, g.is_leaf_step, \
        g.min_depth_from_root";
    const TABLE: &'static str = "tasker_step_graph AS g";
    const JOINS: &'static str = "";
    const ID: &'static str = "g.workflow_step_id";

    fn condition(filter: &StepDagRelationshipFilter, statement: &mut Statement) {
        match filter {
            StepDagRelationshipFilter::WithIds(ids) => {
                statement.push(" AND g.workflow_step_id = ANY (").ids(ids).push(")")
            }
            StepDagRelationshipFilter::OfTasks(tasks) => {
                statement.push(" AND g.task_id = ANY (").ids(tasks).push(")")
            }
            StepDagRelationshipFilter::RootSteps => statement.push(" AND g.is_root_step"),
            StepDagRelationshipFilter::LeafSteps => statement.push(" AND g.is_leaf_step"),
            StepDagRelationshipFilter::WithParents => statement.push(" AND NOT g.is_root_step"),
            StepDagRelationshipFilter::WithChildren => statement.push(" AND NOT g.is_leaf_step"),
            StepDagRelationshipFilter::SiblingsOf(step) => {
                siblings_of(statement.push(" AND g.workflow_step_id IN "), *step)
            }
        };
    }

    fn keys(column: StepDagRelationshipColumn) -> &'static [&'static str] {
        match column {
            StepDagRelationshipColumn::WorkflowStepId => &["g.workflow_step_id"],
            StepDagRelationshipColumn::TaskId => &["g.task_id"],
            StepDagRelationshipColumn::NamedStepId => &["g.named_step_id"],
            StepDagRelationshipColumn::ParentCount => &["g.parent_count"],
            StepDagRelationshipColumn::ChildCount => &["g.child_count"],
            StepDagRelationshipColumn::IsRootStep => &["g.is_root_step"],
            StepDagRelationshipColumn::IsLeafStep => &["g.is_leaf_step"],
            StepDagRelationshipColumn::MinDepthFromRoot => {
                &["g.min_depth_from_root IS NULL", "coalesce(g.min_depth_from_root, 0)"]
            }
        }
    }

    fn row(row: &PgRow) -> Result<StepDagRelationshipRow, StorageError> {
        Ok(StepDagRelationshipRow {
            workflow_step_id: column::<i64>(row, "workflow_step_id")?.into(),
            task_id: column::<i64>(row, "task_id")?.into(),
            named_step_id: column::<i64>(row, "named_step_id")?.into(),
            parent_step_ids: step_ids(row, "parent_step_ids")?,
            child_step_ids: step_ids(row, "child_step_ids")?,
            parent_count: column(row, "parent_count")?,
            child_count: column(row, "child_count")?,
            is_root_step: column(row, "is_root_step")?,
            is_leaf_step: column(row, "is_leaf_step")?,
            min_depth_from_root: column(row, "min_depth_from_root")?,
        })
    }
}

/// Ids in a JSON list.
fn step_ids(row: &PgRow, name: &'static str) -> Result<Vec<StepId>, StorageError> {
    let ids: Vec<i64> = serde_json::from_value(serde_json::Value::clone(&*json(row, name)?))
        .map_err(|error| corrupt(format!("column {name}"), error))?;
    Ok(ids.into_iter().map(StepId).collect())
}
