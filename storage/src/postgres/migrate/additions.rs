//! What our tables have and the reference's lack, and how it is added to tables that the reference made.
//!
//! On a new database the first migrations make the same; a test holds the two together.

use std::fmt;

use sqlx::{PgConnection, Row as _};

use super::MigrateError;
use super::statement::statement;

/// An index or a constraint.
#[derive(Debug)]
pub(super) struct Addition {
    pub(super) name: &'static str,
    table: &'static str,
    /// How the server writes what does the same, whatever it is called: the end of an index's definition, or the whole
    /// of a constraint's. `None` where the reference has nothing like it.
    shape: Option<&'static str>,
    is_unique: bool,
    /// Tells the first few rows in its way, one text each, and how many there are.
    obstacles: Option<&'static str>,
    pub(super) add: &'static str,
    pub(super) remove: &'static str,
}

/// A constraint that could not be added, because rows are in its way. Work goes on without it, and new rows are checked
/// by the program alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hindrance {
    /// The index or constraint.
    pub name: &'static str,
    /// How many times the data break it.
    pub count: u64,
    /// The first of them, in words.
    pub examples: Vec<String>,
}

impl fmt::Display for Hindrance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not added: {}", self.name, self.examples.join("; "))?;
        match self.count.saturating_sub(self.examples.len() as u64) {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

/// In the order in which they are added: the last one is not needed where the second could be.
pub(super) const ADDITIONS: &[Addition] = &[
    Addition {
        name: "index_workflow_steps_on_task_id_and_named_step_id",
        table: "tasker_workflow_steps",
        shape: Some("USING btree (task_id, named_step_id)"),
        is_unique: true,
        obstacles: Some(
            "SELECT count(*) OVER () AS count,
                 format('task %s has the named step %s %s times', task_id, named_step_id, count(*)) AS example
             FROM tasker_workflow_steps GROUP BY task_id, named_step_id HAVING count(*) > 1
             ORDER BY task_id, named_step_id LIMIT 5",
        ),
        add: "CREATE UNIQUE INDEX index_workflow_steps_on_task_id_and_named_step_id
                  ON tasker_workflow_steps (task_id, named_step_id)",
        remove: "DROP INDEX IF EXISTS index_workflow_steps_on_task_id_and_named_step_id",
    },
    Addition {
        name: "index_workflow_step_edges_on_from_step_id_and_to_step_id",
        table: "tasker_workflow_step_edges",
        shape: Some("USING btree (from_step_id, to_step_id)"),
        is_unique: true,
        obstacles: Some(
            "SELECT count(*) OVER () AS count,
                 format('%s edges lead from step %s to step %s', count(*), from_step_id, to_step_id) AS example
             FROM tasker_workflow_step_edges GROUP BY from_step_id, to_step_id HAVING count(*) > 1
             ORDER BY from_step_id, to_step_id LIMIT 5",
        ),
        add: "CREATE UNIQUE INDEX index_workflow_step_edges_on_from_step_id_and_to_step_id
                  ON tasker_workflow_step_edges (from_step_id, to_step_id)",
        remove: "DROP INDEX IF EXISTS index_workflow_step_edges_on_from_step_id_and_to_step_id",
    },
    Addition {
        name: "tasker_no_edge_to_itself",
        table: "tasker_workflow_step_edges",
        shape: Some("CHECK ((from_step_id <> to_step_id))"),
        is_unique: false,
        obstacles: Some(
            "SELECT count(*) OVER () AS count, format('edge %s leads from step %s to itself', id, from_step_id) AS example
             FROM tasker_workflow_step_edges WHERE from_step_id = to_step_id ORDER BY id LIMIT 5",
        ),
        add: "ALTER TABLE tasker_workflow_step_edges
                  ADD CONSTRAINT tasker_no_edge_to_itself CHECK (from_step_id <> to_step_id)",
        remove: "ALTER TABLE tasker_workflow_step_edges DROP CONSTRAINT IF EXISTS tasker_no_edge_to_itself",
    },
    Addition {
        name: "tasker_named_steps_by_name",
        table: "tasker_named_steps",
        shape: Some("USING btree (name)"),
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_named_steps_by_name ON tasker_named_steps (name)",
        remove: "DROP INDEX IF EXISTS tasker_named_steps_by_name",
    },
    Addition {
        name: "tasker_steps_of_task",
        table: "tasker_workflow_steps",
        shape: Some("USING btree (task_id, workflow_step_id)"),
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_steps_of_task ON tasker_workflow_steps (task_id, workflow_step_id)",
        remove: "DROP INDEX IF EXISTS tasker_steps_of_task",
    },
    Addition {
        name: "tasker_parents_of_step",
        table: "tasker_workflow_step_edges",
        shape: Some("USING btree (to_step_id, from_step_id)"),
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_parents_of_step
                  ON tasker_workflow_step_edges (to_step_id, from_step_id)",
        remove: "DROP INDEX IF EXISTS tasker_parents_of_step",
    },
    Addition {
        name: "tasker_running_claims",
        table: "tasker_workflow_step_transitions",
        shape: None,
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_running_claims
                  ON tasker_workflow_step_transitions ((metadata ->> 'worker_id'))
                  WHERE most_recent AND to_state = 'in_progress'",
        remove: "DROP INDEX IF EXISTS tasker_running_claims",
    },
    Addition {
        name: "tasker_open_tasks",
        table: "tasker_task_transitions",
        shape: None,
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_open_tasks ON tasker_task_transitions (task_id)
                  WHERE most_recent AND to_state IN ('pending', 'in_progress')",
        remove: "DROP INDEX IF EXISTS tasker_open_tasks",
    },
    Addition {
        name: "tasker_tasks_of_named_task",
        table: "tasker_tasks",
        shape: Some("USING btree (named_task_id)"),
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_tasks_of_named_task
                  ON tasker_tasks (named_task_id)",
        remove: "DROP INDEX IF EXISTS tasker_tasks_of_named_task",
    },
    Addition {
        name: "tasker_tasks_by_creation",
        table: "tasker_tasks",
        shape: Some("USING btree (created_at)"),
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_tasks_by_creation
                  ON tasker_tasks (created_at)",
        remove: "DROP INDEX IF EXISTS tasker_tasks_by_creation",
    },
    Addition {
        name: "tasker_failed_tasks",
        table: "tasker_task_transitions",
        shape: None,
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_failed_tasks
                  ON tasker_task_transitions (created_at)
                  WHERE most_recent AND to_state = 'error'",
        remove: "DROP INDEX IF EXISTS tasker_failed_tasks",
    },
    Addition {
        name: "tasker_failed_steps",
        table: "tasker_workflow_step_transitions",
        shape: None,
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_failed_steps
                  ON tasker_workflow_step_transitions (created_at)
                  WHERE most_recent AND to_state = 'error'",
        remove: "DROP INDEX IF EXISTS tasker_failed_steps",
    },
    Addition {
        name: "tasker_annotations_of_task",
        table: "tasker_task_annotations",
        shape: Some("USING btree (task_id)"),
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_annotations_of_task
                  ON tasker_task_annotations (task_id)",
        remove: "DROP INDEX IF EXISTS tasker_annotations_of_task",
    },
    Addition {
        name: "tasker_annotations_of_type",
        table: "tasker_task_annotations",
        shape: Some("USING btree (annotation_type_id)"),
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_annotations_of_type
                  ON tasker_task_annotations (annotation_type_id)",
        remove: "DROP INDEX IF EXISTS tasker_annotations_of_type",
    },
    Addition {
        name: "tasker_children_of_step",
        table: "tasker_workflow_step_edges",
        shape: Some("USING btree (from_step_id, to_step_id)"),
        is_unique: false,
        obstacles: None,
        add: "CREATE INDEX tasker_children_of_step
                  ON tasker_workflow_step_edges (from_step_id, to_step_id)",
        remove: "DROP INDEX IF EXISTS tasker_children_of_step",
    },
];

impl Addition {
    /// Whether it is there, or something that does the same under another name.
    pub(super) async fn is_there(&self, connection: &mut PgConnection) -> Result<bool, MigrateError> {
        let found = statement!(
            "SELECT EXISTS (
                 SELECT FROM pg_index AS i JOIN pg_class AS x ON x.oid = i.indexrelid
                 WHERE i.indrelid = to_regclass($1) AND i.indisvalid AND (i.indisunique OR NOT $2) AND (
                     x.relname = $3 OR regexp_replace(pg_get_indexdef(x.oid), '^.* USING ', 'USING ') = $4)
             ) OR EXISTS (
                 SELECT FROM pg_constraint AS c
                 WHERE c.conrelid = to_regclass($1) AND pg_get_constraintdef(c.oid) = $4) AS is_there",
            self.table,
            self.is_unique,
            self.name,
            self.shape,
        );
        Ok(found.fetch_one(connection).await?.try_get("is_there")?)
    }

    /// The rows in its way, if there are any.
    pub(super) async fn hindrance(
        &self,
        connection: &mut PgConnection,
    ) -> Result<Option<Hindrance>, MigrateError> {
        let Some(obstacles) = self.obstacles else { return Ok(None) };
        let rows = sqlx::query(obstacles).fetch_all(connection).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let count = first.try_get::<i64, _>("count")?.unsigned_abs();
        let examples = rows.iter().map(|row| row.try_get("example")).collect::<Result<_, _>>()?;
        Ok(Some(Hindrance { name: self.name, count, examples }))
    }
}

/// The one of that name.
pub(super) fn named(name: &str) -> Option<&'static Addition> {
    ADDITIONS.iter().find(|addition| addition.name == name)
}
