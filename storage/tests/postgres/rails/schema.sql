-- A database as the Rails engine's own migrations leave it: 13 tables, 15 foreign keys, 99 indexes (13 primary keys, 12
-- unique, 74 others), the view, and the nine functions. Written anew from a description; the bodies of the functions and
-- of the view are stubs, of which no test asks more than that they stay as they are. States are not checked, nor is
-- anything else.

CREATE TABLE tasker_task_namespaces (
    task_namespace_id serial PRIMARY KEY,
    name varchar(64) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_named_tasks (
    named_task_id serial PRIMARY KEY,
    name varchar(64) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL,
    task_namespace_id bigint NOT NULL DEFAULT 1,
    version varchar(16) NOT NULL DEFAULT '0.1.0',
    configuration jsonb DEFAULT '"{}"'
);

CREATE TABLE tasker_dependent_systems (
    dependent_system_id serial PRIMARY KEY,
    name varchar(64) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_dependent_system_object_maps (
    dependent_system_object_map_id bigserial PRIMARY KEY,
    dependent_system_one_id integer NOT NULL,
    dependent_system_two_id integer NOT NULL,
    remote_id_one varchar(128) NOT NULL,
    remote_id_two varchar(128) NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_named_steps (
    named_step_id serial PRIMARY KEY,
    dependent_system_id integer NOT NULL,
    name varchar(128) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_named_tasks_named_steps (
    id serial PRIMARY KEY,
    named_task_id integer NOT NULL,
    named_step_id integer NOT NULL,
    skippable boolean NOT NULL DEFAULT false,
    default_retryable boolean NOT NULL DEFAULT true,
    default_retry_limit integer NOT NULL DEFAULT 3,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_tasks (
    task_id bigserial PRIMARY KEY,
    named_task_id integer NOT NULL,
    complete boolean NOT NULL DEFAULT false,
    requested_at timestamp NOT NULL,
    initiator varchar(128),
    source_system varchar(128),
    reason varchar(128),
    bypass_steps json,
    tags jsonb,
    context jsonb,
    identity_hash varchar(128) NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_task_transitions (
    id bigserial PRIMARY KEY,
    to_state varchar NOT NULL,
    from_state varchar,
    metadata jsonb DEFAULT '{}',
    sort_key integer NOT NULL,
    most_recent boolean NOT NULL DEFAULT true,
    task_id bigint NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_workflow_steps (
    workflow_step_id bigserial PRIMARY KEY,
    task_id bigint NOT NULL,
    named_step_id integer NOT NULL,
    retryable boolean NOT NULL DEFAULT true,
    retry_limit integer DEFAULT 3,
    in_process boolean NOT NULL DEFAULT false,
    processed boolean NOT NULL DEFAULT false,
    processed_at timestamp,
    attempts integer,
    last_attempted_at timestamp,
    backoff_request_seconds integer,
    inputs jsonb,
    results jsonb,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL,
    skippable boolean NOT NULL DEFAULT false
);

CREATE TABLE tasker_workflow_step_edges (
    id bigserial PRIMARY KEY,
    from_step_id bigint NOT NULL,
    to_step_id bigint NOT NULL,
    name varchar NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_workflow_step_transitions (
    id bigserial PRIMARY KEY,
    to_state varchar NOT NULL,
    from_state varchar,
    metadata jsonb DEFAULT '{}',
    sort_key integer NOT NULL,
    most_recent boolean NOT NULL DEFAULT true,
    workflow_step_id bigint NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_annotation_types (
    annotation_type_id serial PRIMARY KEY,
    name varchar(64) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

CREATE TABLE tasker_task_annotations (
    task_annotation_id bigserial PRIMARY KEY,
    task_id bigint NOT NULL,
    annotation_type_id integer NOT NULL,
    annotation jsonb,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);

ALTER TABLE tasker_named_tasks
    ADD CONSTRAINT fk_rails_16a0297759
    FOREIGN KEY (task_namespace_id) REFERENCES tasker_task_namespaces (task_namespace_id);
ALTER TABLE tasker_dependent_system_object_maps
    ADD CONSTRAINT dependent_system_object_maps_dependent_system_one_id_foreign
    FOREIGN KEY (dependent_system_one_id) REFERENCES tasker_dependent_systems (dependent_system_id);
ALTER TABLE tasker_dependent_system_object_maps
    ADD CONSTRAINT dependent_system_object_maps_dependent_system_two_id_foreign
    FOREIGN KEY (dependent_system_two_id) REFERENCES tasker_dependent_systems (dependent_system_id);
ALTER TABLE tasker_named_steps
    ADD CONSTRAINT named_steps_dependent_system_id_foreign
    FOREIGN KEY (dependent_system_id) REFERENCES tasker_dependent_systems (dependent_system_id);
ALTER TABLE tasker_named_tasks_named_steps
    ADD CONSTRAINT named_tasks_named_steps_named_task_id_foreign
    FOREIGN KEY (named_task_id) REFERENCES tasker_named_tasks (named_task_id);
ALTER TABLE tasker_named_tasks_named_steps
    ADD CONSTRAINT named_tasks_named_steps_named_step_id_foreign
    FOREIGN KEY (named_step_id) REFERENCES tasker_named_steps (named_step_id);
ALTER TABLE tasker_tasks
    ADD CONSTRAINT tasks_named_task_id_foreign
    FOREIGN KEY (named_task_id) REFERENCES tasker_named_tasks (named_task_id);
ALTER TABLE tasker_task_transitions
    ADD CONSTRAINT fk_rails_e8caec803c
    FOREIGN KEY (task_id) REFERENCES tasker_tasks (task_id);
ALTER TABLE tasker_workflow_steps
    ADD CONSTRAINT workflow_steps_task_id_foreign
    FOREIGN KEY (task_id) REFERENCES tasker_tasks (task_id);
ALTER TABLE tasker_workflow_steps
    ADD CONSTRAINT workflow_steps_named_step_id_foreign
    FOREIGN KEY (named_step_id) REFERENCES tasker_named_steps (named_step_id);
ALTER TABLE tasker_workflow_step_edges
    ADD CONSTRAINT fk_rails_7b4652ccf2
    FOREIGN KEY (from_step_id) REFERENCES tasker_workflow_steps (workflow_step_id);
ALTER TABLE tasker_workflow_step_edges
    ADD CONSTRAINT fk_rails_93ec0bf6eb
    FOREIGN KEY (to_step_id) REFERENCES tasker_workflow_steps (workflow_step_id);
ALTER TABLE tasker_workflow_step_transitions
    ADD CONSTRAINT fk_rails_6e0f6eb833
    FOREIGN KEY (workflow_step_id) REFERENCES tasker_workflow_steps (workflow_step_id);
ALTER TABLE tasker_task_annotations
    ADD CONSTRAINT task_annotations_task_id_foreign
    FOREIGN KEY (task_id) REFERENCES tasker_tasks (task_id);
ALTER TABLE tasker_task_annotations
    ADD CONSTRAINT task_annotations_annotation_type_id_foreign
    FOREIGN KEY (annotation_type_id) REFERENCES tasker_annotation_types (annotation_type_id);

CREATE UNIQUE INDEX task_namespaces_name_unique ON tasker_task_namespaces (name);
CREATE INDEX task_namespaces_name_index ON tasker_task_namespaces (name);
CREATE UNIQUE INDEX named_tasks_namespace_name_version_unique ON tasker_named_tasks (task_namespace_id, name, version);
CREATE INDEX named_tasks_name_index ON tasker_named_tasks (name);
CREATE INDEX named_tasks_task_namespace_id_index ON tasker_named_tasks (task_namespace_id);
CREATE INDEX named_tasks_version_index ON tasker_named_tasks (version);
CREATE INDEX named_tasks_configuration_gin_index ON tasker_named_tasks USING gin (configuration);
CREATE UNIQUE INDEX dependent_systems_name_unique ON tasker_dependent_systems (name);
CREATE INDEX dependent_systems_name_index ON tasker_dependent_systems (name);
CREATE UNIQUE INDEX dependent_system_object_maps_dependent_system_one_id_dependent_
    ON tasker_dependent_system_object_maps
    (dependent_system_one_id, dependent_system_two_id, remote_id_one, remote_id_two);
CREATE INDEX dependent_system_object_maps_dependent_system_one_id_index
    ON tasker_dependent_system_object_maps (dependent_system_one_id);
CREATE INDEX dependent_system_object_maps_dependent_system_two_id_index
    ON tasker_dependent_system_object_maps (dependent_system_two_id);
CREATE INDEX dependent_system_object_maps_remote_id_one_index ON tasker_dependent_system_object_maps (remote_id_one);
CREATE INDEX dependent_system_object_maps_remote_id_two_index ON tasker_dependent_system_object_maps (remote_id_two);
CREATE UNIQUE INDEX named_step_by_system_uniq ON tasker_named_steps (dependent_system_id, name);
CREATE INDEX named_steps_dependent_system_id_index ON tasker_named_steps (dependent_system_id);
CREATE INDEX named_steps_name_index ON tasker_named_steps (name);
CREATE UNIQUE INDEX named_tasks_steps_ids_unique ON tasker_named_tasks_named_steps (named_task_id, named_step_id);
CREATE INDEX named_tasks_named_steps_named_step_id_index ON tasker_named_tasks_named_steps (named_step_id);
CREATE INDEX named_tasks_named_steps_named_task_id_index ON tasker_named_tasks_named_steps (named_task_id);
CREATE UNIQUE INDEX index_tasks_on_identity_hash ON tasker_tasks (identity_hash);
CREATE INDEX tasks_identity_hash_index ON tasker_tasks (identity_hash);
CREATE INDEX tasks_named_task_id_index ON tasker_tasks (named_task_id);
CREATE INDEX tasks_requested_at_index ON tasker_tasks (requested_at);
CREATE INDEX tasks_source_system_index ON tasker_tasks (source_system);
CREATE INDEX tasks_context_idx ON tasker_tasks USING gin (context);
CREATE INDEX tasks_context_idx1 ON tasker_tasks USING gin (context jsonb_path_ops);
CREATE INDEX tasks_tags_idx ON tasker_tasks USING gin (tags);
CREATE INDEX tasks_tags_idx1 ON tasker_tasks USING gin (tags jsonb_path_ops);
CREATE INDEX idx_tasks_active_operations ON tasker_tasks (task_id) WHERE complete = false OR complete IS NULL;
CREATE INDEX idx_tasks_active_workflow_summary
    ON tasker_tasks (task_id, complete) WHERE complete = false OR complete IS NULL;
CREATE INDEX idx_tasks_completion_status_created ON tasker_tasks (complete, created_at, task_id);
CREATE UNIQUE INDEX index_tasker_task_transitions_on_task_id_and_most_recent
    ON tasker_task_transitions (task_id, most_recent) WHERE most_recent;
CREATE UNIQUE INDEX index_tasker_task_transitions_on_task_id_and_sort_key
    ON tasker_task_transitions (task_id, sort_key);
CREATE INDEX index_tasker_task_transitions_on_task_id ON tasker_task_transitions (task_id);
CREATE INDEX index_tasker_task_transitions_on_sort_key ON tasker_task_transitions (sort_key);
CREATE INDEX idx_task_transitions_most_recent ON tasker_task_transitions (task_id, most_recent) WHERE most_recent;
CREATE INDEX index_task_transitions_current_state_optimized
    ON tasker_task_transitions (task_id, most_recent) WHERE most_recent;
CREATE INDEX index_task_transitions_current_state ON tasker_task_transitions (task_id, created_at);
CREATE INDEX workflow_steps_task_id_index ON tasker_workflow_steps (task_id);
CREATE INDEX index_workflow_steps_by_task ON tasker_workflow_steps (task_id);
CREATE INDEX workflow_steps_named_step_id_index ON tasker_workflow_steps (named_step_id);
CREATE INDEX workflow_steps_last_attempted_at_index ON tasker_workflow_steps (last_attempted_at);
CREATE INDEX workflow_steps_processed_at_index ON tasker_workflow_steps (processed_at);
CREATE INDEX index_workflow_steps_task_and_id ON tasker_workflow_steps (task_id, workflow_step_id);
CREATE INDEX index_workflow_steps_task_and_step_id ON tasker_workflow_steps (task_id, workflow_step_id);
CREATE INDEX index_workflow_steps_task_and_step_optimized ON tasker_workflow_steps (task_id, workflow_step_id);
CREATE INDEX index_workflow_steps_processing_status ON tasker_workflow_steps (task_id, processed, in_process);
CREATE INDEX index_workflow_steps_retry_logic ON tasker_workflow_steps (attempts, retry_limit, retryable);
CREATE INDEX index_workflow_steps_retry_status ON tasker_workflow_steps (attempts, retry_limit);
CREATE INDEX index_workflow_steps_backoff_timing
    ON tasker_workflow_steps (last_attempted_at, backoff_request_seconds) WHERE backoff_request_seconds IS NOT NULL;
CREATE INDEX index_workflow_steps_task_covering
    ON tasker_workflow_steps (task_id) INCLUDE (workflow_step_id, processed, in_process, attempts, retry_limit);
CREATE INDEX idx_steps_active_operations
    ON tasker_workflow_steps (workflow_step_id, task_id) WHERE processed = false OR processed IS NULL;
CREATE INDEX idx_workflow_steps_task_grouping_active
    ON tasker_workflow_steps (task_id, workflow_step_id) WHERE processed = false OR processed IS NULL;
CREATE INDEX idx_workflow_steps_task_readiness
    ON tasker_workflow_steps (task_id, processed, workflow_step_id) WHERE processed = false;
CREATE INDEX index_tasker_workflow_step_edges_on_from_step_id ON tasker_workflow_step_edges (from_step_id);
CREATE INDEX index_step_edges_from_step_for_children ON tasker_workflow_step_edges (from_step_id);
CREATE INDEX index_step_edges_parent_lookup ON tasker_workflow_step_edges (from_step_id);
CREATE INDEX index_tasker_workflow_step_edges_on_to_step_id ON tasker_workflow_step_edges (to_step_id);
CREATE INDEX index_step_edges_to_step_for_parents ON tasker_workflow_step_edges (to_step_id);
CREATE INDEX index_step_edges_child_lookup ON tasker_workflow_step_edges (to_step_id);
CREATE INDEX idx_step_edges_from_to ON tasker_workflow_step_edges (from_step_id, to_step_id);
CREATE INDEX index_step_edges_from_to_composite ON tasker_workflow_step_edges (from_step_id, to_step_id);
CREATE INDEX idx_step_edges_to_from ON tasker_workflow_step_edges (to_step_id, from_step_id);
CREATE INDEX idx_workflow_step_edges_dependency_lookup ON tasker_workflow_step_edges (to_step_id, from_step_id);
CREATE INDEX index_step_edges_dependency_pair ON tasker_workflow_step_edges (to_step_id, from_step_id);
CREATE INDEX index_step_edges_to_from_composite ON tasker_workflow_step_edges (to_step_id, from_step_id);
CREATE INDEX index_workflow_step_edges_dependency_lookup ON tasker_workflow_step_edges (to_step_id, from_step_id);
CREATE UNIQUE INDEX idx_on_workflow_step_id_most_recent_97d5374ad6
    ON tasker_workflow_step_transitions (workflow_step_id, most_recent) WHERE most_recent;
CREATE UNIQUE INDEX idx_on_workflow_step_id_sort_key_4d476d7adb
    ON tasker_workflow_step_transitions (workflow_step_id, sort_key);
CREATE INDEX index_tasker_workflow_step_transitions_on_workflow_step_id
    ON tasker_workflow_step_transitions (workflow_step_id);
CREATE INDEX index_tasker_workflow_step_transitions_on_sort_key ON tasker_workflow_step_transitions (sort_key);
CREATE INDEX idx_step_transitions_most_recent
    ON tasker_workflow_step_transitions (workflow_step_id, most_recent) WHERE most_recent;
CREATE INDEX index_step_transitions_current_state_optimized
    ON tasker_workflow_step_transitions (workflow_step_id, most_recent) WHERE most_recent;
CREATE INDEX idx_step_transitions_current_state
    ON tasker_workflow_step_transitions (workflow_step_id, most_recent, to_state) WHERE most_recent;
CREATE INDEX index_step_transitions_for_current_state
    ON tasker_workflow_step_transitions (workflow_step_id, created_at);
CREATE INDEX index_step_transitions_completed
    ON tasker_workflow_step_transitions (workflow_step_id, to_state) WHERE to_state = 'complete';
CREATE INDEX index_step_transitions_completed_parents
    ON tasker_workflow_step_transitions
    (workflow_step_id, most_recent)
    WHERE to_state IN ('complete', 'resolved_manually') AND most_recent;
CREATE INDEX index_step_transitions_current_errors
    ON tasker_workflow_step_transitions
    (workflow_step_id, most_recent, created_at)
    WHERE to_state = 'error' AND most_recent;
CREATE INDEX index_step_transitions_failures_with_timing
    ON tasker_workflow_step_transitions (workflow_step_id, to_state, created_at) WHERE to_state = 'failed';
CREATE UNIQUE INDEX annotation_types_name_unique ON tasker_annotation_types (name);
CREATE INDEX annotation_types_name_index ON tasker_annotation_types (name);
CREATE INDEX task_annotations_annotation_idx ON tasker_task_annotations USING gin (annotation);
CREATE INDEX task_annotations_annotation_idx1 ON tasker_task_annotations USING gin (annotation jsonb_path_ops);
CREATE INDEX task_annotations_annotation_type_id_index ON tasker_task_annotations (annotation_type_id);
CREATE INDEX task_annotations_task_id_index ON tasker_task_annotations (task_id);

CREATE VIEW tasker_step_dag_relationships AS
SELECT
    s.workflow_step_id, s.task_id, s.named_step_id, '[]'::jsonb AS parent_step_ids, '[]'::jsonb AS child_step_ids,
    0::bigint AS parent_count, 0::bigint AS child_count, true AS is_root_step, true AS is_leaf_step,
    0 AS min_depth_from_root
FROM tasker_workflow_steps AS s;

CREATE FUNCTION get_step_readiness_status(input_task_id bigint, step_ids bigint[] DEFAULT NULL)
RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, named_step_id integer, name text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean, last_failure_at timestamp,
    next_retry_at timestamp, total_parents integer, completed_parents integer, attempts integer, retry_limit integer,
    backoff_request_seconds integer, last_attempted_at timestamp
)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;

CREATE FUNCTION get_step_readiness_status_batch(input_task_ids bigint[])
RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, named_step_id integer, name text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean, last_failure_at timestamp,
    next_retry_at timestamp, total_parents integer, completed_parents integer, attempts integer, retry_limit integer,
    backoff_request_seconds integer, last_attempted_at timestamp
)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;

CREATE FUNCTION get_task_execution_context(input_task_id bigint)
RETURNS TABLE (
    task_id bigint, named_task_id integer, status text, total_steps bigint, pending_steps bigint,
    in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
    recommended_action text, completion_percentage numeric, health_status text
)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;

CREATE FUNCTION get_task_execution_contexts_batch(input_task_ids bigint[])
RETURNS TABLE (
    task_id bigint, named_task_id integer, status text, total_steps bigint, pending_steps bigint,
    in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
    recommended_action text, completion_percentage numeric, health_status text
)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;

CREATE FUNCTION calculate_dependency_levels(input_task_id bigint)
RETURNS TABLE (
    workflow_step_id bigint, dependency_level integer
)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;

CREATE FUNCTION get_analytics_metrics_v01(since_timestamp timestamptz DEFAULT NULL)
RETURNS TABLE (
    active_tasks_count bigint, total_namespaces_count bigint, unique_task_types_count bigint,
    system_health_score numeric, task_throughput bigint, completion_count bigint, error_count bigint,
    completion_rate numeric, error_rate numeric, avg_task_duration numeric, avg_step_duration numeric,
    step_throughput bigint, analysis_period_start timestamptz, calculated_at timestamptz
)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;

CREATE FUNCTION get_slowest_steps_v01(since_timestamp timestamptz DEFAULT NULL, limit_count integer DEFAULT 10, namespace_filter text DEFAULT NULL,
    task_name_filter text DEFAULT NULL, version_filter text DEFAULT NULL)
RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, step_name varchar, task_name varchar, namespace_name varchar,
    version varchar, duration_seconds numeric, attempts integer, created_at timestamptz, completed_at timestamptz,
    retryable boolean, step_status varchar
)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;

CREATE FUNCTION get_slowest_tasks_v01(since_timestamp timestamptz DEFAULT NULL, limit_count integer DEFAULT 10, namespace_filter text DEFAULT NULL,
    task_name_filter text DEFAULT NULL, version_filter text DEFAULT NULL)
RETURNS TABLE (
    task_id bigint, task_name varchar, namespace_name varchar, version varchar, duration_seconds numeric,
    step_count bigint, completed_steps bigint, error_steps bigint, created_at timestamptz, completed_at timestamptz,
    initiator varchar, source_system varchar
)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;

CREATE FUNCTION get_system_health_counts_v01()
RETURNS TABLE (
    total_tasks bigint, pending_tasks bigint, in_progress_tasks bigint, complete_tasks bigint, error_tasks bigint,
    cancelled_tasks bigint, total_steps bigint, pending_steps bigint, in_progress_steps bigint, complete_steps bigint,
    error_steps bigint, retryable_error_steps bigint, exhausted_retry_steps bigint, in_backoff_steps bigint,
    active_connections bigint, max_connections bigint
)
LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN; END $$;
