-- Tasks, steps, edges and the audit trail: the tables that every wave reads and writes. Columns and constraints are the
-- reference's; what it only promised (six states, no edge from a step to itself, no two edges or steps that are the
-- same) is a constraint here.
--
-- Every index costs each wave, so there are few, and each says which statement it serves. None may name a column of a
-- step that a claim or an outcome writes (processed, in_process, attempts, results, the times …), not even in a
-- condition: it would end the updates in place (HOT) on which the cost of a step rests.

CREATE TABLE tasker_tasks (
    task_id bigserial PRIMARY KEY,                                          -- the task's lock; load
    named_task_id integer NOT NULL
        CONSTRAINT tasks_named_task_id_foreign REFERENCES tasker_named_tasks (named_task_id),
    complete boolean NOT NULL DEFAULT false,                                -- repeats what the audit trail says
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
) WITH (fillfactor = 90);                                                   -- room for setting `complete` in place
CREATE UNIQUE INDEX index_tasks_on_identity_hash ON tasker_tasks (identity_hash);  -- create: the same request again
-- Scopes: the tasks of a workflow, and those of late. Neither column ever changes, so nothing on a task's path but its
-- creation writes them.
CREATE INDEX tasker_tasks_of_named_task ON tasker_tasks (named_task_id);
CREATE INDEX tasker_tasks_by_creation ON tasker_tasks (created_at);

CREATE TABLE tasker_task_transitions (
    id bigserial PRIMARY KEY,
    to_state varchar NOT NULL
        CHECK (to_state IN ('pending', 'in_progress', 'complete', 'error', 'cancelled', 'resolved_manually')),
    from_state varchar
        CHECK (from_state IN ('pending', 'in_progress', 'complete', 'error', 'cancelled', 'resolved_manually')),
    metadata jsonb DEFAULT '{}',
    sort_key integer NOT NULL,
    most_recent boolean NOT NULL DEFAULT true,
    task_id bigint NOT NULL CONSTRAINT fk_rails_e8caec803c REFERENCES tasker_tasks (task_id),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
-- The state of a task, wherever it is asked for; and at most one.
CREATE UNIQUE INDEX index_tasker_task_transitions_on_task_id_and_most_recent
    ON tasker_task_transitions (task_id, most_recent) WHERE most_recent;
-- sweep: the tasks that are open. As small as what is under way.
CREATE INDEX tasker_open_tasks ON tasker_task_transitions (task_id)
    WHERE most_recent AND to_state IN ('pending', 'in_progress');
-- Scopes: the tasks that failed. Only a failure writes it.
CREATE INDEX tasker_failed_tasks ON tasker_task_transitions (created_at) WHERE most_recent AND to_state = 'error';
-- load: the history in order.
CREATE UNIQUE INDEX index_tasker_task_transitions_on_task_id_and_sort_key
    ON tasker_task_transitions (task_id, sort_key);

CREATE TABLE tasker_workflow_steps (
    workflow_step_id bigserial PRIMARY KEY,                                 -- judge, record, claim: one step at a time
    task_id bigint NOT NULL CONSTRAINT workflow_steps_task_id_foreign REFERENCES tasker_tasks (task_id),
    named_step_id integer NOT NULL
        CONSTRAINT workflow_steps_named_step_id_foreign REFERENCES tasker_named_steps (named_step_id),
    retryable boolean NOT NULL DEFAULT true,
    retry_limit integer DEFAULT 3,
    in_process boolean NOT NULL DEFAULT false,                              -- repeats what the audit trail says
    processed boolean NOT NULL DEFAULT false,                               -- repeats what the audit trail says
    processed_at timestamp,
    attempts integer,
    last_attempted_at timestamp,
    backoff_request_seconds integer,
    inputs jsonb,
    results jsonb,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL,
    skippable boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70);                                                   -- room for a claim and an outcome in place
-- No name twice in a task; spawning looks there.
CREATE UNIQUE INDEX index_workflow_steps_on_task_id_and_named_step_id
    ON tasker_workflow_steps (task_id, named_step_id);
-- The steps of a task in order: wanted tasks, settling, load.
CREATE INDEX tasker_steps_of_task ON tasker_workflow_steps (task_id, workflow_step_id);

CREATE TABLE tasker_workflow_step_edges (
    id bigserial PRIMARY KEY,
    from_step_id bigint NOT NULL
        CONSTRAINT fk_rails_7b4652ccf2 REFERENCES tasker_workflow_steps (workflow_step_id),
    to_step_id bigint NOT NULL
        CONSTRAINT fk_rails_93ec0bf6eb REFERENCES tasker_workflow_steps (workflow_step_id),
    name varchar NOT NULL,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL,
    CONSTRAINT tasker_no_edge_to_itself CHECK (from_step_id <> to_step_id)
);
-- No two edges between the same steps; and the children of a step: advance, intervene, load.
CREATE UNIQUE INDEX index_workflow_step_edges_on_from_step_id_and_to_step_id
    ON tasker_workflow_step_edges (from_step_id, to_step_id);
-- The parents of a step: whether it is ready, and what they yielded.
CREATE INDEX tasker_parents_of_step ON tasker_workflow_step_edges (to_step_id, from_step_id);

CREATE TABLE tasker_workflow_step_transitions (
    id bigserial PRIMARY KEY,                                               -- the token of a claim: the fence
    to_state varchar NOT NULL
        CHECK (to_state IN ('pending', 'in_progress', 'complete', 'error', 'cancelled', 'resolved_manually')),
    from_state varchar
        CHECK (from_state IN ('pending', 'in_progress', 'complete', 'error', 'cancelled', 'resolved_manually')),
    metadata jsonb DEFAULT '{}',
    sort_key integer NOT NULL,
    most_recent boolean NOT NULL DEFAULT true,
    workflow_step_id bigint NOT NULL
        CONSTRAINT fk_rails_6e0f6eb833 REFERENCES tasker_workflow_steps (workflow_step_id),
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
-- The state of a step, wherever it is asked for; and at most one.
CREATE UNIQUE INDEX idx_on_workflow_step_id_most_recent_97d5374ad6
    ON tasker_workflow_step_transitions (workflow_step_id, most_recent) WHERE most_recent;
-- load: the history in order. advance: the row after a claim's, which says whether its outcome was recorded.
CREATE UNIQUE INDEX idx_on_workflow_step_id_sort_key_4d476d7adb
    ON tasker_workflow_step_transitions (workflow_step_id, sort_key);
-- beat: the claims that a worker holds. rescue: all claims that are held. As small as what runs at the moment.
CREATE INDEX tasker_running_claims ON tasker_workflow_step_transitions ((metadata ->> 'worker_id'))
    WHERE most_recent AND to_state = 'in_progress';
-- Scopes: the steps that failed. Only a failure writes it.
CREATE INDEX tasker_failed_steps ON tasker_workflow_step_transitions (created_at)
    WHERE most_recent AND to_state = 'error';

CREATE TABLE tasker_task_annotations (
    task_annotation_id bigserial PRIMARY KEY,
    task_id bigint NOT NULL CONSTRAINT task_annotations_task_id_foreign REFERENCES tasker_tasks (task_id),
    annotation_type_id integer NOT NULL
        CONSTRAINT task_annotations_annotation_type_id_foreign
        REFERENCES tasker_annotation_types (annotation_type_id),
    annotation jsonb,
    created_at timestamp(6) NOT NULL,
    updated_at timestamp(6) NOT NULL
);
-- Scopes: the notes about a task, and those of a kind.
CREATE INDEX tasker_annotations_of_task ON tasker_task_annotations (task_id);
CREATE INDEX tasker_annotations_of_type ON tasker_task_annotations (annotation_type_id);

-- These tables grow all the time: by a share of their size they would be vacuumed, and their statistics renewed, too
-- late.
ALTER TABLE tasker_workflow_steps
    SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
ALTER TABLE tasker_workflow_step_transitions
    SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
