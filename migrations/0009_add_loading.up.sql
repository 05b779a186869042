-- Reading tasks and wakes. Functions rather than statements of the program, for the sake of their settings: each row is
-- found by an index, whatever the tables held when a session made its plan. Each call sees one moment only if its
-- transaction does. A task without a definition is another program's, and not among them.

CREATE FUNCTION tasker_load_tasks(p_tasks bigint[])
RETURNS TABLE (
    task bigint, identity_hash varchar, definition text, context jsonb, requested_at timestamp, initiator varchar,
    source_system varchar, reason varchar, tags jsonb, bypass_steps jsonb, correlation_id text, complete boolean,
    created_at timestamp,
    state varchar, metadata jsonb, since timestamp, sort_key integer, transition bigint,
    due timestamp, generation bigint)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT
        k.task_id, k.identity_hash, d.definition_hash, k.context, k.requested_at, k.initiator, k.source_system,
        k.reason, k.tags, k.bypass_steps::jsonb, d.correlation_id, k.complete, k.created_at, t.to_state, t.metadata,
        t.created_at, t.sort_key, t.id, w.due_at, w.generation
    FROM unnest(p_tasks) WITH ORDINALITY AS u (task, place)
    CROSS JOIN LATERAL (SELECT k.* FROM tasker_tasks AS k WHERE k.task_id = u.task OFFSET 0) AS k
    CROSS JOIN LATERAL (
        SELECT d.definition_hash, d.correlation_id FROM tasker_task_definitions AS d WHERE d.task_id = u.task OFFSET 0
    ) AS d
    LEFT JOIN LATERAL (
        SELECT t.* FROM tasker_task_transitions AS t WHERE t.task_id = u.task AND t.most_recent OFFSET 0
    ) AS t ON true
    LEFT JOIN LATERAL (
        SELECT w.due_at, w.generation FROM tasker_wakes AS w WHERE w.task_id = u.task OFFSET 0
    ) AS w ON true
    ORDER BY u.place;
END $$;

-- Steps ascending by task and step. `inputs` is NULL where it repeats the context, as it mostly does.
CREATE FUNCTION tasker_load_steps(p_tasks bigint[])
RETURNS TABLE (
    task bigint, step bigint, name varchar, handler text, config jsonb, spawned_by bigint, spawn_index integer,
    attempts integer, retry_limit integer, retryable boolean, skippable boolean, in_process boolean, processed boolean,
    processed_at timestamp, last_attempted_at timestamp, backoff_request_seconds integer, inputs jsonb, results jsonb,
    parents bigint[],
    state varchar, metadata jsonb, since timestamp, sort_key integer, transition bigint)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT
        s.task_id, s.workflow_step_id, n.name, b.handler, b.config, b.spawned_by, b.spawn_index,
        coalesce(s.attempts, 0), coalesce(s.retry_limit, 3), s.retryable, s.skippable, s.in_process, s.processed,
        s.processed_at, s.last_attempted_at, s.backoff_request_seconds,
        CASE WHEN s.inputs IS DISTINCT FROM k.context THEN s.inputs END, s.results,
        ARRAY(
            SELECT DISTINCT e.from_step_id FROM tasker_workflow_step_edges AS e
            WHERE e.to_step_id = s.workflow_step_id ORDER BY e.from_step_id),
        t.to_state, t.metadata, t.created_at, t.sort_key, t.id
    FROM (SELECT DISTINCT unnest(p_tasks)) AS u (task)
    CROSS JOIN LATERAL (SELECT FROM tasker_task_definitions AS d WHERE d.task_id = u.task OFFSET 0) AS ours
    CROSS JOIN LATERAL (SELECT k.context FROM tasker_tasks AS k WHERE k.task_id = u.task OFFSET 0) AS k
    CROSS JOIN LATERAL (SELECT s.* FROM tasker_workflow_steps AS s WHERE s.task_id = u.task OFFSET 0) AS s
    CROSS JOIN LATERAL (
        SELECT n.name FROM tasker_named_steps AS n WHERE n.named_step_id = s.named_step_id OFFSET 0
    ) AS n
    LEFT JOIN LATERAL (
        SELECT b.* FROM tasker_step_bindings AS b WHERE b.workflow_step_id = s.workflow_step_id OFFSET 0
    ) AS b ON true
    LEFT JOIN LATERAL (
        SELECT t.* FROM tasker_workflow_step_transitions AS t
        WHERE t.workflow_step_id = s.workflow_step_id AND t.most_recent OFFSET 0
    ) AS t ON true
    ORDER BY s.task_id, s.workflow_step_id;
END $$;

-- The audit trail of tasks (`step` is NULL) and of their steps, in order.
CREATE FUNCTION tasker_load_history(p_tasks bigint[])
RETURNS TABLE (
    task bigint, step bigint, id bigint, from_state varchar, to_state varchar, metadata jsonb, sort_key integer,
    most_recent boolean, at timestamp)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT u.task, h.*
    FROM (SELECT DISTINCT unnest(p_tasks)) AS u (task)
    CROSS JOIN LATERAL (SELECT FROM tasker_task_definitions AS d WHERE d.task_id = u.task OFFSET 0) AS ours
    CROSS JOIN LATERAL (
        SELECT NULL::bigint AS step, t.id, t.from_state, t.to_state, t.metadata, t.sort_key, t.most_recent, t.created_at
        FROM tasker_task_transitions AS t WHERE t.task_id = u.task
        UNION ALL
        SELECT
            s.workflow_step_id, t.id, t.from_state, t.to_state, t.metadata, t.sort_key, t.most_recent, t.created_at
        FROM tasker_workflow_steps AS s
        CROSS JOIN LATERAL (
            SELECT t.* FROM tasker_workflow_step_transitions AS t
            WHERE t.workflow_step_id = s.workflow_step_id OFFSET 0
        ) AS t
        WHERE s.task_id = u.task
    ) AS h
    ORDER BY u.task, h.step NULLS FIRST, h.sort_key;
END $$;

-- The namespaces that have wakes, ascending, and when the first of each is due: one probe for each, however many wakes
-- there are.
CREATE FUNCTION tasker_waking_namespaces(OUT ids bigint[], OUT firsts timestamp[])
LANGUAGE plpgsql STABLE AS $$
DECLARE
    id bigint := 0;
    first timestamp;
BEGIN
    ids := '{}';
    LOOP
        SELECT w.task_namespace_id, w.due_at INTO id, first FROM tasker_wakes AS w
        WHERE w.task_namespace_id > id ORDER BY w.task_namespace_id, w.due_at LIMIT 1;
        EXIT WHEN NOT found;
        ids := ids || id;
        firsts := firsts || first;
    END LOOP;
END $$;

-- Wakes that are due, at most p_limit, in turns: of each namespace the earliest, then of each the next one. `next` is
-- when the earliest of all others is due.
CREATE FUNCTION tasker_due(
    p_now timestamp, p_limit bigint, OUT tasks bigint[], OUT dues timestamp[], OUT generations bigint[], OUT next timestamp
)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_bitmapscan = off SET jit = off
AS $$
BEGIN
    SELECT
        array_agg(w.task_id ORDER BY w.place) FILTER (WHERE w.told),
        array_agg(w.due_at ORDER BY w.place) FILTER (WHERE w.told),
        array_agg(w.generation ORDER BY w.place) FILTER (WHERE w.told),
        min(w.due_at) FILTER (WHERE NOT w.told)
    INTO tasks, dues, generations, next
    FROM (
        SELECT w.*, w.due_at <= p_now AND w.place <= p_limit AS told
        FROM (
            SELECT w.*, row_number() OVER (ORDER BY w.due_at > p_now, w.turn, w.namespace) AS place
            FROM (
                SELECT
                    w.*, n.id AS namespace,
                    row_number() OVER (PARTITION BY n.id ORDER BY w.due_at, w.task_id) AS turn
                FROM unnest((SELECT ids FROM tasker_waking_namespaces())) AS n (id)
                CROSS JOIN LATERAL (
                    SELECT w.task_id, w.due_at, w.generation FROM tasker_wakes AS w
                    WHERE w.task_namespace_id = n.id ORDER BY w.due_at, w.task_id LIMIT p_limit + 1
                ) AS w
            ) AS w
        ) AS w
    ) AS w;
END $$;
