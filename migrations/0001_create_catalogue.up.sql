-- The catalogue: what workflows and steps are called. Names, types, defaults and constraints are the reference's, so
-- that its own programs can work on this database; two of its defaults are corrected, as the comments say.
--
-- No index but the unique ones and those that a statement needs; the latter have names that begin with `tasker_`, so
-- that they can be told from the reference's own. Times are UTC, in columns without a zone.
--
-- This migration and the next make what the reference's own migrations make. On a database that they made, neither is
-- run: its tables are compared with these, and what these have in addition is added where it is missing and the data
-- allow it.

CREATE TABLE tasker_task_namespaces (
    task_namespace_id serial PRIMARY KEY,
    name varchar(64) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
CREATE UNIQUE INDEX task_namespaces_name_unique ON tasker_task_namespaces (name);

-- The namespace of named tasks defaults to the number 1, so that has to be the default namespace.
INSERT INTO tasker_task_namespaces (name, created_at, updated_at)
VALUES ('default', now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC');

CREATE TABLE tasker_named_tasks (
    named_task_id serial PRIMARY KEY,
    name varchar(64) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL,
    task_namespace_id bigint NOT NULL DEFAULT 1
        CONSTRAINT fk_rails_16a0297759 REFERENCES tasker_task_namespaces (task_namespace_id),
    version varchar(16) NOT NULL DEFAULT '0.1.0',
    -- The reference's default is a JSON string of two braces, which its own readers cannot read.
    configuration jsonb DEFAULT '{}'
);
CREATE UNIQUE INDEX named_tasks_namespace_name_version_unique ON tasker_named_tasks (task_namespace_id, name, version);

CREATE TABLE tasker_dependent_systems (
    dependent_system_id serial PRIMARY KEY,
    name varchar(64) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
CREATE UNIQUE INDEX dependent_systems_name_unique ON tasker_dependent_systems (name);

CREATE TABLE tasker_dependent_system_object_maps (
    dependent_system_object_map_id bigserial PRIMARY KEY,
    dependent_system_one_id integer NOT NULL
        CONSTRAINT dependent_system_object_maps_dependent_system_one_id_foreign
        REFERENCES tasker_dependent_systems (dependent_system_id),
    dependent_system_two_id integer NOT NULL
        CONSTRAINT dependent_system_object_maps_dependent_system_two_id_foreign
        REFERENCES tasker_dependent_systems (dependent_system_id),
    remote_id_one varchar(128) NOT NULL,
    remote_id_two varchar(128) NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
CREATE UNIQUE INDEX dependent_system_object_maps_dependent_system_one_id_dependent_
    ON tasker_dependent_system_object_maps
    (dependent_system_one_id, dependent_system_two_id, remote_id_one, remote_id_two);

CREATE TABLE tasker_named_steps (
    named_step_id serial PRIMARY KEY,
    dependent_system_id integer NOT NULL
        CONSTRAINT named_steps_dependent_system_id_foreign REFERENCES tasker_dependent_systems (dependent_system_id),
    name varchar(128) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
CREATE UNIQUE INDEX named_step_by_system_uniq ON tasker_named_steps (dependent_system_id, name);
-- A spawned step is looked for by its name alone: is there one in the task already?
CREATE INDEX tasker_named_steps_by_name ON tasker_named_steps (name);

CREATE TABLE tasker_named_tasks_named_steps (
    id serial PRIMARY KEY,
    named_task_id integer NOT NULL
        CONSTRAINT named_tasks_named_steps_named_task_id_foreign REFERENCES tasker_named_tasks (named_task_id),
    named_step_id integer NOT NULL
        CONSTRAINT named_tasks_named_steps_named_step_id_foreign REFERENCES tasker_named_steps (named_step_id),
    skippable boolean NOT NULL DEFAULT false,
    default_retryable boolean NOT NULL DEFAULT true,
    default_retry_limit integer NOT NULL DEFAULT 3,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
CREATE UNIQUE INDEX named_tasks_steps_ids_unique ON tasker_named_tasks_named_steps (named_task_id, named_step_id);

CREATE TABLE tasker_annotation_types (
    annotation_type_id serial PRIMARY KEY,
    name varchar(64) NOT NULL,
    description varchar(255),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
CREATE UNIQUE INDEX annotation_types_name_unique ON tasker_annotation_types (name);
