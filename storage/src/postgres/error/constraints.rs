//! What it means when a constraint of the tables, or a unique index, would be violated.
//!
//! Under the lock of a task nobody else of us writes what belongs to it, and whatever is inserted without that lock says
//! `ON CONFLICT`. So where two rows clash, another program wrote one of them without our lock, as Rails does; and what a
//! row refers to was removed by another program, or by whoever deletes names that nobody used until that moment. The call has changed nothing then, and made again it
//! sees what the other one left.
//!
//! A column that must have a value (NOT NULL) is not listed: each of our statements gives one, and the database names
//! the column.

/// What a violation means.
#[derive(Clone, Copy, Debug)]
pub(super) enum Violation {
    /// Another program did something at that moment; the same call may be made again.
    Raced(&'static str),
    /// The rule that would be broken, now and later.
    Broken(&'static str),
}

/// What it means when the constraint, or unique index, of that name would be violated.
pub(super) fn violation(constraint: &str) -> Option<Violation> {
    CONSTRAINTS.iter().find(|(name, _)| *name == constraint).map(|(_, violation)| *violation)
}

const SAME_NAME: Violation = Violation::Raced("another program wrote the same name at this moment");
const SAME_TASK: Violation = Violation::Raced("another program created the same task at this moment");
const SAME_STATE: Violation =
    Violation::Raced("another program, which does not hold the lock of the task, moved it at this moment");
const SAME_STEP: Violation = Violation::Raced(
    "another program, which does not hold the lock of the task, added the same step at this moment",
);
const SAME_ROW: Violation = Violation::Raced("another program wrote the same row at this moment");
const NAME_REMOVED: Violation = Violation::Raced("a name that is needed was removed at this moment");
const TASK_REMOVED: Violation =
    Violation::Raced("another program removed the task, or a step of it, at this moment");
const DEFINITION_REMOVED: Violation =
    Violation::Raced("another program removed the definition at this moment");
const DRAWN_BEFORE: Violation = Violation::Broken(
    "a number was drawn that a row has already: the sequence of a table is behind it, as after a copy of the rows \
     alone; set it past the largest number (`setval`)",
);
const STATE: Violation = Violation::Broken(
    "a state must be pending, in_progress, complete, error, cancelled or resolved_manually",
);
const EDGE_TO_ITSELF: Violation = Violation::Broken("a step must not wait for itself");
const NOT_NEGATIVE: Violation = Violation::Broken("a count or place must not be negative");
const LIMIT: Violation = Violation::Broken("the limit of steps that run at a time must be above zero");
const CORRELATION_ID: Violation = Violation::Broken(
    "a correlation id must be letters, digits, `_` and `-`, the first a letter or digit, at most a hundred",
);

const CONSTRAINTS: &[(&str, Violation)] = &[
    // Names.
    ("task_namespaces_name_unique", SAME_NAME),
    ("named_tasks_namespace_name_version_unique", SAME_NAME),
    ("dependent_systems_name_unique", SAME_NAME),
    ("named_step_by_system_uniq", SAME_NAME),
    ("named_tasks_steps_ids_unique", SAME_NAME),
    ("fk_rails_16a0297759", NAME_REMOVED),
    ("named_steps_dependent_system_id_foreign", NAME_REMOVED),
    ("named_tasks_named_steps_named_task_id_foreign", NAME_REMOVED),
    ("named_tasks_named_steps_named_step_id_foreign", NAME_REMOVED),
    // Tasks.
    ("index_tasks_on_identity_hash", SAME_TASK),
    ("tasks_named_task_id_foreign", NAME_REMOVED),
    ("index_tasker_task_transitions_on_task_id_and_most_recent", SAME_STATE),
    ("index_tasker_task_transitions_on_task_id_and_sort_key", SAME_STATE),
    ("fk_rails_e8caec803c", TASK_REMOVED),
    ("tasker_task_transitions_to_state_check", STATE),
    ("tasker_task_transitions_from_state_check", STATE),
    // Steps and edges.
    ("index_workflow_steps_on_task_id_and_named_step_id", SAME_STEP),
    ("workflow_steps_task_id_foreign", TASK_REMOVED),
    ("workflow_steps_named_step_id_foreign", NAME_REMOVED),
    ("index_workflow_step_edges_on_from_step_id_and_to_step_id", SAME_STEP),
    ("fk_rails_7b4652ccf2", TASK_REMOVED),
    ("fk_rails_93ec0bf6eb", TASK_REMOVED),
    ("tasker_no_edge_to_itself", EDGE_TO_ITSELF),
    ("idx_on_workflow_step_id_most_recent_97d5374ad6", SAME_STATE),
    ("idx_on_workflow_step_id_sort_key_4d476d7adb", SAME_STATE),
    ("fk_rails_6e0f6eb833", TASK_REMOVED),
    ("tasker_workflow_step_transitions_to_state_check", STATE),
    ("tasker_workflow_step_transitions_from_state_check", STATE),
    // Our own tables.
    ("tasker_definitions_pkey", SAME_ROW),
    ("tasker_definitions_named_task_id_fkey", NAME_REMOVED),
    ("tasker_definitions_step_limit_check", LIMIT),
    ("tasker_definitions_steps_check", NOT_NEGATIVE),
    ("tasker_definition_steps_pkey", SAME_ROW),
    ("tasker_definition_steps_definition_hash_named_step_id_key", SAME_ROW),
    ("tasker_definition_steps_definition_hash_fkey", DEFINITION_REMOVED),
    ("tasker_definition_steps_named_step_id_fkey", NAME_REMOVED),
    ("tasker_definition_steps_place_check", NOT_NEGATIVE),
    ("tasker_task_definitions_pkey", SAME_ROW),
    ("tasker_task_definitions_task_id_fkey", TASK_REMOVED),
    ("tasker_task_definitions_definition_hash_fkey", DEFINITION_REMOVED),
    ("tasker_task_definitions_correlation_id_check", CORRELATION_ID),
    ("tasker_step_bindings_pkey", SAME_ROW),
    ("tasker_step_bindings_workflow_step_id_fkey", TASK_REMOVED),
    ("tasker_step_bindings_spawn_index_check", NOT_NEGATIVE),
    ("tasker_wakes_pkey", SAME_ROW),
    ("tasker_wakes_parked_check", NOT_NEGATIVE),
    ("tasker_fresh_tasks_pkey", SAME_ROW),
    ("tasker_workers_pkey", SAME_ROW),
    // Numbers drawn from sequences.
    ("tasker_task_namespaces_pkey", DRAWN_BEFORE),
    ("tasker_named_tasks_pkey", DRAWN_BEFORE),
    ("tasker_dependent_systems_pkey", DRAWN_BEFORE),
    ("tasker_named_steps_pkey", DRAWN_BEFORE),
    ("tasker_named_tasks_named_steps_pkey", DRAWN_BEFORE),
    ("tasker_tasks_pkey", DRAWN_BEFORE),
    ("tasker_task_transitions_pkey", DRAWN_BEFORE),
    ("tasker_workflow_steps_pkey", DRAWN_BEFORE),
    ("tasker_workflow_step_edges_pkey", DRAWN_BEFORE),
    ("tasker_workflow_step_transitions_pkey", DRAWN_BEFORE),
    // Tables of annotations and of maps between systems.
    ("tasker_annotation_types_pkey", DRAWN_BEFORE),
    ("annotation_types_name_unique", SAME_NAME),
    ("tasker_task_annotations_pkey", DRAWN_BEFORE),
    ("task_annotations_task_id_foreign", TASK_REMOVED),
    ("task_annotations_annotation_type_id_foreign", NAME_REMOVED),
    ("tasker_dependent_system_object_maps_pkey", DRAWN_BEFORE),
    ("dependent_system_object_maps_dependent_system_one_id_foreign", NAME_REMOVED),
    ("dependent_system_object_maps_dependent_system_two_id_foreign", NAME_REMOVED),
    ("dependent_system_object_maps_dependent_system_one_id_dependent_", SAME_NAME),
];

#[cfg(all(test, unix, feature = "postgres"))]
mod tests {
    use std::collections::BTreeSet;

    use sqlx::{Connection as _, PgConnection};

    use super::CONSTRAINTS;
    use crate::postgres::cluster::TestDatabase;

    /// Constraints, and unique indexes that are none, of all tables of the schema; where the server counts NOT NULL
    /// among the constraints, without those.
    const IN_THE_CATALOGUE: &str = "
        SELECT conname::text FROM pg_constraint
        WHERE connamespace = 'public'::regnamespace AND conrelid <> 0 AND contype <> 'n'
            AND conrelid <> 'tasker_migrations'::regclass
        UNION
        SELECT indexrelid::regclass::text FROM pg_index
        WHERE indisunique AND (SELECT relnamespace FROM pg_class AS c WHERE c.oid = indrelid) = 'public'::regnamespace
            AND indrelid <> 'tasker_migrations'::regclass";

    #[tokio::test]
    async fn every_constraint_of_the_tables_means_something() {
        let database = TestDatabase::migrated().await.unwrap();
        let mut connection = PgConnection::connect_with(&database.options()).await.unwrap();
        let names: Vec<String> =
            sqlx::query_scalar(IN_THE_CATALOGUE).fetch_all(&mut connection).await.unwrap();
        let found: BTreeSet<_> = names.iter().map(String::as_str).collect();
        let told: BTreeSet<_> = CONSTRAINTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(told.len(), CONSTRAINTS.len(), "each is told once");
        let missing: Vec<_> = found.difference(&told).collect();
        assert!(missing.is_empty(), "nothing is said of what it means to violate {missing:?}");
        let gone: Vec<_> = told.difference(&found).collect();
        assert!(gone.is_empty(), "no table has {gone:?}");
    }
}
