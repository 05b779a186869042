-- What is done now and then: operators' acts, signs of life, lost workers, lost wakes.
--
-- These decide little. The engine reads the task under its lock, decides, and has the plan written here, so that there
-- is one table of what is allowed in which state, whatever the backend.

-- Locks tasks for a transaction that goes on to read and move them: `tasker_lock_tasks`, with the settings under which it
-- is planned.
CREATE FUNCTION tasker_hold_tasks(p_tasks bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    PERFORM tasker_lock_tasks(p_tasks);
END $$;

-- Writes a plan for a task that the caller has locked and read: t_* moves of the task in order, s_* moves of steps (see
-- `tasker_move_steps`). Its wake becomes due at p_wake, but with p_keep_earlier stays where it is due before that;
-- without p_wake it is removed. Answers with the new rows, in the order of the arguments.
CREATE FUNCTION tasker_apply(
    p_now timestamp, p_task bigint, t_to text[], t_metadata jsonb[],
    s_step bigint[], s_to text[], s_metadata jsonb[], s_attempts integer[], s_retryable boolean[], s_results jsonb[],
    p_wake timestamp, p_keep_earlier boolean,
    OUT task_rows bigint[], OUT step_rows bigint[]
)
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    step_rows := tasker_move_steps(p_now, s_step, s_to, s_metadata, s_attempts, s_retryable, s_results);
    FOR i IN 1 .. cardinality(t_to) LOOP
        task_rows := task_rows || tasker_move_tasks(p_now, ARRAY[p_task], t_to[i:i], t_metadata[i:i]);
    END LOOP;
    IF p_wake IS NULL THEN
        DELETE FROM tasker_wakes AS w WHERE w.task_id = p_task;
    ELSE
        INSERT INTO tasker_wakes AS w (task_id, due_at, task_namespace_id)
        SELECT p_task, p_wake, n.task_namespace_id
        FROM tasker_tasks AS t JOIN tasker_named_tasks AS n ON n.named_task_id = t.named_task_id
        WHERE t.task_id = p_task
        ON CONFLICT (task_id) DO UPDATE
        SET due_at = excluded.due_at, parked = 0, generation = excluded.generation, left_by = NULL
        WHERE NOT p_keep_earlier OR excluded.due_at < w.due_at;
    END IF;
END $$;

-- Notes that a worker lives, and finds the claims that it holds without knowing.
CREATE FUNCTION tasker_beat(p_now timestamp, p_worker text, p_label text, p_held bigint[], p_claimed_before timestamp)
RETURNS TABLE (task bigint, step bigint, token bigint)
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    INSERT INTO tasker_workers AS w (worker_id, label, started_at, beat_at) VALUES (p_worker, p_label, p_now, p_now)
    ON CONFLICT (worker_id) DO UPDATE
    SET label = excluded.label, beat_at = greatest(w.beat_at, excluded.beat_at);
    RETURN QUERY
    SELECT s.task_id, s.workflow_step_id, t.id
    FROM tasker_workflow_step_transitions AS t
    CROSS JOIN LATERAL (
        SELECT s.* FROM tasker_workflow_steps AS s WHERE s.workflow_step_id = t.workflow_step_id OFFSET 0
    ) AS s
    WHERE t.metadata ->> 'worker_id' = p_worker AND t.most_recent AND t.to_state = 'in_progress'
        AND t.created_at < p_claimed_before AND t.id <> ALL (p_held)
    ORDER BY s.task_id, s.workflow_step_id;
END $$;

-- Claims made before a moment by workers that have not beaten since, ascending by task and step. A claim that names no
-- worker is nobody's to judge.
--
-- Worker by worker, from one to the next in the index of running claims: so nothing is read of what ran before.
CREATE FUNCTION tasker_lost_claims(p_lost_before timestamp, p_limit bigint)
RETURNS TABLE (task bigint, step bigint, token bigint)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    WITH RECURSIVE worker (id) AS (
        SELECT ''
        UNION ALL
        SELECT (
            SELECT t.metadata ->> 'worker_id' FROM tasker_workflow_step_transitions AS t
            WHERE t.metadata ->> 'worker_id' > worker.id AND t.most_recent AND t.to_state = 'in_progress'
            ORDER BY t.metadata ->> 'worker_id' LIMIT 1)
        FROM worker WHERE worker.id IS NOT NULL
    )
    SELECT step.task_id, claim.workflow_step_id, claim.id
    FROM worker
    CROSS JOIN LATERAL (
        SELECT t.id, t.workflow_step_id FROM tasker_workflow_step_transitions AS t
        WHERE t.metadata ->> 'worker_id' = worker.id AND t.most_recent AND t.to_state = 'in_progress'
            AND t.created_at < p_lost_before OFFSET 0
    ) AS claim
    CROSS JOIN LATERAL (
        SELECT s.task_id FROM tasker_workflow_steps AS s WHERE s.workflow_step_id = claim.workflow_step_id OFFSET 0
    ) AS step
    WHERE NOT EXISTS (
        SELECT FROM tasker_workers AS w WHERE w.worker_id = worker.id AND w.beat_at >= p_lost_before)
    ORDER BY step.task_id, claim.workflow_step_id
    LIMIT p_limit;
END $$;

-- Whether a task can move and nobody knows: it is ours (it has a definition), open, neither paused nor a draft, has no
-- wake, and nothing runs.
CREATE FUNCTION tasker_is_forgotten(p_task bigint) RETURNS boolean
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN EXISTS (SELECT FROM tasker_task_definitions AS d WHERE d.task_id = p_task)
        AND NOT EXISTS (SELECT FROM tasker_wakes AS w WHERE w.task_id = p_task)
        AND NOT EXISTS (
            SELECT FROM tasker_task_transitions AS t
            WHERE t.task_id = p_task AND t.most_recent AND (
                t.to_state NOT IN ('pending', 'in_progress')
                OR t.to_state = 'pending' AND t.metadata ->> 'phase' IN ('paused', 'draft')))
        AND NOT EXISTS (SELECT FROM tasker_workflow_steps AS s WHERE s.task_id = p_task AND s.in_process)
        AND NOT EXISTS (
            SELECT FROM tasker_workflow_steps AS s
            WHERE s.task_id = p_task AND (
                SELECT t.to_state FROM tasker_workflow_step_transitions AS t
                WHERE t.workflow_step_id = s.workflow_step_id AND t.most_recent) = 'in_progress');
END $$;

-- Gives wakes to forgotten tasks above p_after, in ascending order, at most p_limit. `next` is where to go on, NULL
-- when all were looked at. Looked at are those that are open, and in full only those of them that have no wake; each is
-- judged before and after it is locked, so that only few are locked.
CREATE FUNCTION tasker_sweep(p_now timestamp, p_after bigint, p_limit integer, OUT woken integer, OUT next bigint)
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
DECLARE
    forgotten bigint[];
    given integer;
BEGIN
    woken := 0;
    next := p_after;
    WHILE woken < p_limit LOOP
        forgotten := ARRAY(
            SELECT open.task
            FROM (
                SELECT f.task_id AS task FROM tasker_fresh_tasks AS f WHERE f.task_id > coalesce(next, 0)
                UNION ALL
                SELECT t.task_id FROM tasker_task_transitions AS t
                WHERE t.task_id > coalesce(next, 0) AND t.most_recent AND t.to_state IN ('pending', 'in_progress')
            ) AS open
            WHERE NOT EXISTS (SELECT FROM tasker_wakes AS w WHERE w.task_id = open.task)
                AND tasker_is_forgotten(open.task)
            ORDER BY open.task LIMIT p_limit - woken);
        IF forgotten = '{}' THEN
            next := NULL;
            RETURN;
        END IF;
        PERFORM tasker_lock_tasks(forgotten);
        INSERT INTO tasker_wakes (task_id, due_at, task_namespace_id)
        SELECT u.task, p_now, n.task_namespace_id
        FROM unnest(forgotten) AS u (task)
        JOIN tasker_tasks AS t ON t.task_id = u.task
        JOIN tasker_named_tasks AS n ON n.named_task_id = t.named_task_id
        WHERE tasker_is_forgotten(u.task);
        GET DIAGNOSTICS given = ROW_COUNT;
        woken := woken + given;
        next := forgotten[cardinality(forgotten)];
    END LOOP;
END $$;
