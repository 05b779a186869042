-- Taking over tasks that another program made: the Rails engine, on a database that it shared with us. They have no
-- definition, so nothing of ours touches them; with one, they are tasks like any other.

-- What keeps a task from being a run of a definition; NULL when nothing does. Its steps have to be those of the
-- definition, in the order of the definition, and wait for each other as it says; and every state has to be one.
CREATE FUNCTION tasker_misfit(p_task bigint, p_definition text) RETURNS text
LANGUAGE plpgsql STABLE AS $$
DECLARE
    step_ids bigint[] := ARRAY(
        SELECT s.workflow_step_id FROM tasker_workflow_steps AS s WHERE s.task_id = p_task ORDER BY s.workflow_step_id);
    found text := (
        SELECT string_agg(y.name || '/' || n.name, ', ' ORDER BY s.workflow_step_id)
        FROM tasker_workflow_steps AS s
        JOIN tasker_named_steps AS n ON n.named_step_id = s.named_step_id
        JOIN tasker_dependent_systems AS y ON y.dependent_system_id = n.dependent_system_id
        WHERE s.task_id = p_task);
    expected text := (
        SELECT string_agg(y.name || '/' || n.name, ', ' ORDER BY d.place)
        FROM tasker_definition_steps AS d
        JOIN tasker_named_steps AS n ON n.named_step_id = d.named_step_id
        JOIN tasker_dependent_systems AS y ON y.dependent_system_id = n.dependent_system_id
        WHERE d.definition_hash = p_definition);
    apart text;
    unknown record;
BEGIN
    IF found IS DISTINCT FROM expected THEN
        RETURN format('its steps are %s, those of the definition are %s',
            coalesce(found, 'none'), coalesce(expected, 'none'));
    END IF;
    SELECT string_agg(n.name, ', ' ORDER BY d.place) INTO apart
    FROM tasker_definition_steps AS d
    JOIN tasker_named_steps AS n ON n.named_step_id = d.named_step_id
    WHERE d.definition_hash = p_definition
        AND ARRAY(
            SELECT DISTINCT e.from_step_id FROM tasker_workflow_step_edges AS e
            WHERE e.to_step_id = step_ids[d.place + 1] ORDER BY e.from_step_id)
        <> ARRAY(SELECT step_ids[p.place + 1] FROM unnest(d.parents) AS p (place) ORDER BY 1);
    IF apart IS NOT NULL THEN
        RETURN 'these steps wait for others than in the definition: ' || apart;
    END IF;
    SELECT r.* INTO unknown
    FROM (
        SELECT 'tasker_task_transitions' AS of_table, t.id, t.to_state FROM tasker_task_transitions AS t
        WHERE t.task_id = p_task
        UNION ALL
        SELECT 'tasker_workflow_step_transitions', t.id, t.to_state FROM tasker_workflow_step_transitions AS t
        WHERE t.workflow_step_id = ANY (step_ids)
    ) AS r
    WHERE r.to_state NOT IN ('pending', 'in_progress', 'complete', 'error', 'cancelled', 'resolved_manually')
    ORDER BY r.of_table, r.id LIMIT 1;
    RETURN CASE WHEN unknown.id IS NOT NULL THEN format('row %s of %s holds the unknown state `%s`', unknown.id, unknown.of_table, unknown.to_state) END;
END $$;

-- Takes over unfinished tasks of the definition's name and version that have no definition: those above p_after, in
-- ascending order, at most p_limit. The open ones get a wake. Answers with those it took, those it left and why, and
-- where to go on; NULL when all were looked at.
CREATE FUNCTION tasker_take_over(
    p_now timestamp, p_definition text, p_after bigint, p_limit integer,
    OUT taken bigint[], OUT remaining bigint[], OUT reasons text[], OUT next bigint
)
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
DECLARE
    found bigint[] := ARRAY(
        SELECT t.task_id FROM tasker_tasks AS t
        WHERE t.task_id > p_after
            AND t.named_task_id = (
                SELECT d.named_task_id FROM tasker_definitions AS d WHERE d.definition_hash = p_definition)
            AND NOT t.complete
            AND NOT EXISTS (SELECT FROM tasker_task_definitions AS d WHERE d.task_id = t.task_id)
            AND NOT EXISTS (
                SELECT FROM tasker_task_transitions AS r
                WHERE r.task_id = t.task_id AND r.most_recent
                    AND r.to_state IN ('complete', 'cancelled', 'resolved_manually'))
        ORDER BY t.task_id LIMIT p_limit);
BEGIN
    PERFORM tasker_lock_tasks(found);
    SELECT
        array_agg(t.task ORDER BY t.task) FILTER (WHERE t.misfit IS NULL),
        array_agg(t.task ORDER BY t.task) FILTER (WHERE t.misfit IS NOT NULL),
        array_agg(t.misfit ORDER BY t.task) FILTER (WHERE t.misfit IS NOT NULL)
    INTO taken, remaining, reasons
    FROM (SELECT u.task, tasker_misfit(u.task, p_definition) AS misfit FROM unnest(found) AS u (task) OFFSET 0) AS t
    -- Somebody else may have taken it while we waited for the lock.
    WHERE NOT EXISTS (SELECT FROM tasker_task_definitions AS d WHERE d.task_id = t.task);

    INSERT INTO tasker_task_definitions (task_id, definition_hash, step_limit)
    SELECT u.task, d.definition_hash, d.step_limit
    FROM unnest(taken) AS u (task) CROSS JOIN tasker_definitions AS d WHERE d.definition_hash = p_definition;
    -- A history without a current row reads as pending. Now a row says so, because the next one has to come after all.
    INSERT INTO tasker_task_transitions
        (to_state, from_state, metadata, sort_key, most_recent, task_id, created_at, updated_at)
    SELECT 'pending', last.to_state, '{"reason": "taken_over"}', last.sort_key + 10, true, u.task, p_now, p_now
    FROM unnest(taken) AS u (task)
    CROSS JOIN LATERAL (
        SELECT t.to_state, t.sort_key, t.most_recent FROM tasker_task_transitions AS t
        WHERE t.task_id = u.task ORDER BY t.most_recent DESC, t.sort_key DESC LIMIT 1
    ) AS last
    WHERE NOT last.most_recent;
    INSERT INTO tasker_workflow_step_transitions
        (to_state, from_state, metadata, sort_key, most_recent, workflow_step_id, created_at, updated_at)
    SELECT
        'pending', last.to_state, '{"reason": "taken_over"}', last.sort_key + 10, true, s.workflow_step_id, p_now, p_now
    FROM unnest(taken) AS u (task)
    JOIN tasker_workflow_steps AS s ON s.task_id = u.task
    CROSS JOIN LATERAL (
        SELECT t.to_state, t.sort_key, t.most_recent FROM tasker_workflow_step_transitions AS t
        WHERE t.workflow_step_id = s.workflow_step_id ORDER BY t.most_recent DESC, t.sort_key DESC LIMIT 1
    ) AS last
    WHERE NOT last.most_recent;
    INSERT INTO tasker_fresh_tasks (task_id)
    SELECT u.task FROM unnest(taken) AS u (task)
    WHERE NOT EXISTS (SELECT FROM tasker_task_transitions AS t WHERE t.task_id = u.task)
    ON CONFLICT (task_id) DO NOTHING;
    INSERT INTO tasker_wakes (task_id, due_at, task_namespace_id)
    SELECT u.task, p_now, n.task_namespace_id
    FROM unnest(taken) AS u (task)
    JOIN tasker_tasks AS t ON t.task_id = u.task
    JOIN tasker_named_tasks AS n ON n.named_task_id = t.named_task_id
    WHERE NOT EXISTS (
        SELECT FROM tasker_task_transitions AS t WHERE t.task_id = u.task AND t.most_recent AND t.to_state = 'error')
    ON CONFLICT (task_id) DO NOTHING;
    next := CASE WHEN cardinality(found) = p_limit THEN found[p_limit] END;
END $$;
