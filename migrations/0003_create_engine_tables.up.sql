-- What the engine keeps beside the reference's tables. Nothing of it stands in the way of a program that knows only
-- those: rows that belong to a task or a step go with it.

-- A bound template under its hash, so that any process can go on with any task, also when the template was made at run
-- time by a process that is gone.
CREATE TABLE tasker_definitions (
    definition_hash text PRIMARY KEY,
    named_task_id integer NOT NULL REFERENCES tasker_named_tasks (named_task_id),
    -- How many steps of one task may be in progress at a time; NULL is no limit.
    step_limit integer CHECK (step_limit > 0),
    -- How many rows it has in tasker_definition_steps.
    steps integer NOT NULL CHECK (steps >= 0),
    body jsonb NOT NULL,
    created_at timestamp(6) NOT NULL
);

-- The steps of a definition, spelt out, so that tasks can be created and handlers found without reading the body.
CREATE TABLE tasker_definition_steps (
    definition_hash text NOT NULL REFERENCES tasker_definitions (definition_hash),
    place integer NOT NULL CHECK (place >= 0),
    named_step_id integer NOT NULL REFERENCES tasker_named_steps (named_step_id),
    handler text NOT NULL,
    retryable boolean NOT NULL,
    retry_limit integer NOT NULL,
    skippable boolean NOT NULL,
    -- The places of the steps that it waits for.
    parents integer[] NOT NULL,
    PRIMARY KEY (definition_hash, place),
    -- advance: the handler of a step.
    UNIQUE (definition_hash, named_step_id)
);

-- Which definition a task was made from. The limit is repeated here because every wave asks for it.
CREATE TABLE tasker_task_definitions (
    task_id bigint PRIMARY KEY REFERENCES tasker_tasks (task_id) ON DELETE CASCADE,
    definition_hash text NOT NULL REFERENCES tasker_definitions (definition_hash),
    step_limit integer,
    -- What the task is part of, for logs and for other systems. NULL for a task that Rails made.
    correlation_id text CHECK (correlation_id ~ '^[a-zA-Z0-9][a-zA-Z0-9_-]{0,99}$')
);

-- What runs a step that was spawned while its task ran, and whose it is. A step of the template has no row.
CREATE TABLE tasker_step_bindings (
    workflow_step_id bigint PRIMARY KEY REFERENCES tasker_workflow_steps (workflow_step_id) ON DELETE CASCADE,
    handler text NOT NULL,
    config jsonb NOT NULL,
    -- No foreign key: it would have to be followed whenever a step is deleted, and there is no index for that.
    spawned_by bigint NOT NULL,
    spawn_index integer NOT NULL CHECK (spawn_index >= 0)
);

-- When a task is to be looked at again. No foreign key: a wake is written and removed all the time, and one of a task
-- that is gone is removed when it is answered.
CREATE SEQUENCE tasker_wake_generations;
CREATE TABLE tasker_wakes (
    task_id bigint PRIMARY KEY,
    due_at timestamp(6) NOT NULL,
    -- Drawn from a sequence, so that it rises for a task also when its wake was removed and made again.
    generation bigint NOT NULL DEFAULT nextval('tasker_wake_generations'),
    -- How many times in a row it was put off for want of a handler.
    parked integer NOT NULL DEFAULT 0 CHECK (parked >= 0),
    -- Whose it is. No foreign key, as above.
    task_namespace_id bigint NOT NULL,
    -- The worker that looked at the task and had no room for all of it: there it waits in line.
    left_by text
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
ALTER SEQUENCE tasker_wake_generations OWNED BY tasker_wakes.generation;
-- due and tasker_receive_wakes: of each namespace the earliest first, and then by task.
CREATE INDEX tasker_wakes_due ON tasker_wakes (task_namespace_id, due_at, task_id);

-- Tasks that have no row in the audit trail yet. By it, and by the index of those whose row is an open one, the sweep
-- finds every task that is open and looks at no other, however many are finished or failed. No foreign key, as for wakes.
CREATE TABLE tasker_fresh_tasks (
    task_id bigint PRIMARY KEY
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

-- Who lives. One row for each start of a process.
CREATE TABLE tasker_workers (
    worker_id text PRIMARY KEY,
    label text NOT NULL,
    started_at timestamp(6) NOT NULL,
    beat_at timestamp(6) NOT NULL
) WITH (fillfactor = 50);
