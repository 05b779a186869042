-- Locking tasks, and writing rows of the audit trail with the columns that repeat what they say.
--
-- How statements are written, here and in the migrations that follow:
--
-- * Rows are read by one index probe for each id, `unnest(ids) CROSS JOIN LATERAL (SELECT … WHERE key = id OFFSET 0)`,
--   and written by the `ctid` found in that read. That leaves the planner no choice; a plan made while the tables were
--   empty is still right when they are large. A join that can be turned round is not: on an empty table it may begin
--   with a whole index, and a session keeps its plan.
-- * A row leaves the unique index over `most_recent` before the next one enters it. Parts of one statement run in no
--   promised order, so the INSERT reads from the UPDATE.
-- * Times are arguments, in UTC without a zone; nothing depends on the session's zone.
--
-- These functions have no settings of their own, for a function is planned under those of whoever calls it first in a
-- session. They are called by functions that bring them, and by nobody else.

-- Locks those of the tasks that there are, in ascending order, which is everybody's order, and returns them. Nothing
-- that was read before may be relied on: in a VOLATILE function each statement sees what was committed when it began,
-- so those after this one see what others did before they let go of the lock.
CREATE FUNCTION tasker_lock_tasks(p_tasks bigint[]) RETURNS bigint[]
LANGUAGE plpgsql AS $$
BEGIN
    -- At a higher isolation a statement would not see what was committed while it waited for the lock.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RAISE EXCEPTION 'tasks are moved at the isolation level read committed only'
            USING ERRCODE = 'invalid_transaction_state';
    END IF;
    RETURN (
        SELECT array_agg(locked.task_id)
        FROM (SELECT DISTINCT id FROM unnest(p_tasks) AS u (id) ORDER BY id) AS wanted
        CROSS JOIN LATERAL (
            SELECT t.task_id FROM tasker_tasks AS t WHERE t.task_id = wanted.id FOR NO KEY UPDATE
        ) AS locked);
END $$;

-- Moves tasks, at most once each, and returns the new rows in the order of the arguments.
CREATE FUNCTION tasker_move_tasks(p_now timestamp, p_task bigint[], p_to text[], p_metadata jsonb[]) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    new_rows bigint[];
BEGIN
    WITH moved AS MATERIALIZED (
        SELECT
            m.*, nextval('tasker_task_transitions_id_seq') AS id, task.at AS task_at, current.at AS row_at,
            fresh.at AS fresh_at,
            coalesce(current.to_state, 'pending') AS from_state, coalesce(current.sort_key, 0) AS sort_key
        FROM unnest(p_task, p_to, p_metadata) WITH ORDINALITY AS m (task, to_state, metadata, place)
        CROSS JOIN LATERAL (
            SELECT t.ctid AS at FROM tasker_tasks AS t WHERE t.task_id = m.task OFFSET 0
        ) AS task
        LEFT JOIN LATERAL (
            SELECT t.ctid AS at, t.to_state, t.sort_key FROM tasker_task_transitions AS t
            WHERE t.task_id = m.task AND t.most_recent OFFSET 0
        ) AS current ON true
        LEFT JOIN LATERAL (
            SELECT f.ctid AS at FROM tasker_fresh_tasks AS f WHERE current.at IS NULL AND f.task_id = m.task OFFSET 0
        ) AS fresh ON true
    ), no_longer_fresh AS (
        DELETE FROM tasker_fresh_tasks AS f USING moved WHERE f.ctid = moved.fresh_at
    ), ended AS (
        UPDATE tasker_task_transitions AS t SET most_recent = false, updated_at = p_now
        FROM moved WHERE t.ctid = moved.row_at
        RETURNING 1
    ), flagged AS (
        UPDATE tasker_tasks AS t SET complete = NOT t.complete, updated_at = p_now
        FROM moved WHERE t.ctid = moved.task_at AND t.complete <> (moved.to_state = 'complete')
    ), written AS (
        INSERT INTO tasker_task_transitions
            (id, to_state, from_state, metadata, sort_key, most_recent, task_id, created_at, updated_at)
        SELECT id, to_state, from_state, metadata, sort_key + 10, true, task, p_now, p_now
        FROM moved WHERE (SELECT count(*) FROM ended) >= 0
    )
    SELECT array_agg(id ORDER BY place) INTO new_rows FROM moved;
    RETURN new_rows;
END $$;

-- Begins tasks, and returns the new rows in the order of the arguments.
CREATE FUNCTION tasker_begin_tasks(p_now timestamp, p_task bigint[]) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    metadata jsonb[] := ARRAY(
        SELECT jsonb_build_object('initialization_completed', true, 'step_dependencies_established', (
            SELECT count(*) FROM tasker_workflow_steps AS s WHERE s.task_id = u.task))
        FROM unnest(p_task) WITH ORDINALITY AS u (task, place) ORDER BY u.place);
BEGIN
    RETURN tasker_move_tasks(
        p_now, p_task, array_fill('in_progress'::text, ARRAY[cardinality(p_task)]), metadata);
END $$;

-- Moves steps otherwise than by claim and outcome, at most once each, and returns the new rows in the order of the
-- arguments. NULL for attempts, retryable or results leaves the column as it is. A step that moves loses the wait that
-- was asked for; one that becomes complete or resolved is processed.
CREATE FUNCTION tasker_move_steps(
    p_now timestamp, p_step bigint[], p_to text[], p_metadata jsonb[],
    p_attempts integer[], p_retryable boolean[], p_results jsonb[]
) RETURNS bigint[]
LANGUAGE plpgsql AS $$
DECLARE
    new_rows bigint[];
BEGIN
    WITH moved AS MATERIALIZED (
        SELECT
            m.*, nextval('tasker_workflow_step_transitions_id_seq') AS id, step.at AS step_at, current.at AS row_at,
            coalesce(current.to_state, 'pending') AS from_state, coalesce(current.sort_key, 0) AS sort_key
        FROM unnest(p_step, p_to, p_metadata, p_attempts, p_retryable, p_results) WITH ORDINALITY
            AS m (step, to_state, metadata, attempts, retryable, results, place)
        CROSS JOIN LATERAL (
            SELECT s.ctid AS at FROM tasker_workflow_steps AS s WHERE s.workflow_step_id = m.step OFFSET 0
        ) AS step
        LEFT JOIN LATERAL (
            SELECT t.ctid AS at, t.to_state, t.sort_key FROM tasker_workflow_step_transitions AS t
            WHERE t.workflow_step_id = m.step AND t.most_recent OFFSET 0
        ) AS current ON true
    ), ended AS (
        UPDATE tasker_workflow_step_transitions AS t SET most_recent = false, updated_at = p_now
        FROM moved WHERE t.ctid = moved.row_at
        RETURNING 1
    ), stepped AS (
        UPDATE tasker_workflow_steps AS s
        SET in_process = moved.to_state = 'in_progress',
            processed = moved.to_state IN ('complete', 'resolved_manually'),
            processed_at = CASE WHEN moved.to_state IN ('complete', 'resolved_manually')
                THEN p_now ELSE s.processed_at END,
            attempts = coalesce(moved.attempts, s.attempts),
            retryable = coalesce(moved.retryable, s.retryable),
            results = coalesce(moved.results, s.results),
            backoff_request_seconds = NULL,
            updated_at = p_now
        FROM moved WHERE s.ctid = moved.step_at
    ), written AS (
        INSERT INTO tasker_workflow_step_transitions
            (id, to_state, from_state, metadata, sort_key, most_recent, workflow_step_id, created_at, updated_at)
        SELECT id, to_state, from_state, metadata, sort_key + 10, true, step, p_now, p_now
        FROM moved WHERE (SELECT count(*) FROM ended) >= 0
    )
    SELECT array_agg(id ORDER BY place) INTO new_rows FROM moved;
    RETURN new_rows;
END $$;
