-- Learning definitions and creating tasks: by arrays, any number in one call.

-- Writes what definitions bring. d_* describe the definitions, s_* their steps: s_definition is the number of the
-- definition in d_*, from 1, s_parents the places of the steps that the step waits for.
--
-- All names are inserted in the same order by everybody (table by table, each sorted), so that two who learn the same
-- wait for each other and do not lock each other out. What is there already is left out beforehand, because an insert
-- that conflicts uses up a number, and the numbers of names have only 31 bits.
CREATE FUNCTION tasker_learn(
    p_now timestamp,
    d_hash text[], d_namespace text[], d_name text[], d_version text[], d_description text[],
    d_configuration jsonb[], d_step_limit integer[], d_body jsonb[],
    s_definition integer[], s_place integer[], s_system text[], s_name text[], s_description text[],
    s_handler text[], s_retryable boolean[], s_retry_limit integer[], s_skippable boolean[], s_parents jsonb[]
) RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
BEGIN
    PERFORM FROM unnest(d_hash) AS d (hash)
    WHERE NOT EXISTS (SELECT FROM tasker_definitions AS known WHERE known.definition_hash = d.hash);
    IF NOT found THEN
        RETURN;
    END IF;

    INSERT INTO tasker_task_namespaces (name, created_at, updated_at)
    SELECT DISTINCT d.namespace, p_now, p_now FROM unnest(d_namespace) AS d (namespace)
    WHERE NOT EXISTS (SELECT FROM tasker_task_namespaces AS known WHERE known.name = d.namespace)
    ORDER BY d.namespace
    ON CONFLICT DO NOTHING;

    INSERT INTO tasker_dependent_systems (name, created_at, updated_at)
    SELECT DISTINCT s.system, p_now, p_now FROM unnest(s_system) AS s (system)
    WHERE NOT EXISTS (SELECT FROM tasker_dependent_systems AS known WHERE known.name = s.system)
    ORDER BY s.system
    ON CONFLICT DO NOTHING;

    INSERT INTO tasker_named_tasks
        (task_namespace_id, name, version, description, configuration, created_at, updated_at)
    SELECT DISTINCT ON (n.task_namespace_id, d.name, d.version)
        n.task_namespace_id, d.name, d.version, d.description, d.configuration, p_now, p_now
    FROM unnest(d_namespace, d_name, d_version, d_description, d_configuration)
        AS d (namespace, name, version, description, configuration)
    JOIN tasker_task_namespaces AS n ON n.name = d.namespace
    WHERE NOT EXISTS (
        SELECT FROM tasker_named_tasks AS known
        WHERE known.task_namespace_id = n.task_namespace_id AND known.name = d.name AND known.version = d.version)
    ORDER BY n.task_namespace_id, d.name, d.version
    ON CONFLICT DO NOTHING;

    INSERT INTO tasker_named_steps (dependent_system_id, name, description, created_at, updated_at)
    SELECT DISTINCT ON (y.dependent_system_id, s.name) y.dependent_system_id, s.name, s.description, p_now, p_now
    FROM unnest(s_system, s_name, s_description) AS s (system, name, description)
    JOIN tasker_dependent_systems AS y ON y.name = s.system
    WHERE NOT EXISTS (
        SELECT FROM tasker_named_steps AS known
        WHERE known.dependent_system_id = y.dependent_system_id AND known.name = s.name)
    ORDER BY y.dependent_system_id, s.name
    ON CONFLICT DO NOTHING;

    INSERT INTO tasker_definitions (definition_hash, named_task_id, step_limit, steps, body, created_at)
    SELECT DISTINCT ON (d.hash)
        d.hash, t.named_task_id, d.step_limit, (SELECT count(*) FROM unnest(s_definition) AS s (n) WHERE s.n = d.n),
        d.body, p_now
    FROM unnest(d_hash, d_namespace, d_name, d_version, d_step_limit, d_body) WITH ORDINALITY
        AS d (hash, namespace, name, version, step_limit, body, n)
    JOIN tasker_task_namespaces AS n ON n.name = d.namespace
    JOIN tasker_named_tasks AS t
        ON t.task_namespace_id = n.task_namespace_id AND t.name = d.name AND t.version = d.version
    ORDER BY d.hash
    ON CONFLICT DO NOTHING;

    INSERT INTO tasker_definition_steps
        (definition_hash, place, named_step_id, handler, retryable, retry_limit, skippable, parents)
    SELECT
        d_hash[s.definition], s.place, n.named_step_id, s.handler, s.retryable, s.retry_limit, s.skippable,
        ARRAY(SELECT p::integer FROM jsonb_array_elements_text(s.parents) AS p)
    FROM unnest(s_definition, s_place, s_system, s_name, s_handler, s_retryable, s_retry_limit, s_skippable, s_parents)
        AS s (definition, place, system, name, handler, retryable, retry_limit, skippable, parents)
    JOIN tasker_dependent_systems AS y ON y.name = s.system
    JOIN tasker_named_steps AS n ON n.dependent_system_id = y.dependent_system_id AND n.name = s.name
    ORDER BY d_hash[s.definition], s.place
    ON CONFLICT DO NOTHING;

    INSERT INTO tasker_named_tasks_named_steps
        (named_task_id, named_step_id, skippable, default_retryable, default_retry_limit, created_at, updated_at)
    SELECT DISTINCT ON (d.named_task_id, s.named_step_id)
        d.named_task_id, s.named_step_id, s.skippable, s.retryable, s.retry_limit, p_now, p_now
    FROM unnest(d_hash) AS u (hash)
    JOIN tasker_definitions AS d ON d.definition_hash = u.hash
    JOIN tasker_definition_steps AS s ON s.definition_hash = u.hash
    WHERE NOT EXISTS (
        SELECT FROM tasker_named_tasks_named_steps AS known
        WHERE known.named_task_id = d.named_task_id AND known.named_step_id = s.named_step_id)
    ORDER BY d.named_task_id, s.named_step_id
    ON CONFLICT DO NOTHING;
END $$;

-- Creates tasks with their steps and edges, each with a wake. t_* describe the tasks in the order of the request;
-- i_* the inputs that differ from the context, by the number of the task, from 1, and the place of the step.
--
-- Answers by task, in that order: its id or that of the one which has its identity already, whether it is new, and
-- whether it was complete at once, and how many steps it has; and the ids of all new steps, by task and place. When
-- `unknown` or `not_skippable` is set, nothing was written: a definition was not learned, or `bypass_steps` names that
-- step, which is none or may not be passed over.
--
-- Ids are drawn before the rows are written, so that steps and edges are written without looking anything up.
CREATE FUNCTION tasker_create(
    p_now timestamp, p_skipped_metadata jsonb, p_skipped_results jsonb,
    t_definition text[], t_identity_hash text[], t_requested_at timestamp[], t_initiator text[],
    t_source_system text[], t_reason text[], t_tags jsonb[], t_bypass_steps jsonb[], t_context jsonb[],
    t_correlation_id text[],
    i_task integer[], i_place integer[], i_inputs jsonb[],
    OUT unknown text, OUT not_skippable text,
    OUT task_ids bigint[], OUT created boolean[], OUT settled boolean[], OUT step_counts integer[],
    OUT step_ids bigint[]
)
LANGUAGE plpgsql
-- As for `tasker_advance`. The checks of foreign keys are planned under these settings, too.
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
DECLARE
    inserted bigint[];
    first_step integer[];       -- for each new task, how many steps of other tasks come before its own
    bypassed bigint[];
    complete_at_once bigint[];
BEGIN
    SELECT t.hash INTO unknown
    FROM unnest(t_definition) WITH ORDINALITY AS t (hash, n)
    WHERE NOT EXISTS (SELECT FROM tasker_definitions AS d WHERE d.definition_hash = t.hash)
    ORDER BY t.n LIMIT 1;
    IF unknown IS NOT NULL THEN
        RETURN;
    END IF;
    IF '[]' <> ANY (t_bypass_steps) THEN
        SELECT b.name INTO not_skippable
        FROM unnest(t_definition, t_bypass_steps) WITH ORDINALITY AS t (hash, names, n)
        CROSS JOIN LATERAL jsonb_array_elements_text(t.names) WITH ORDINALITY AS b (name, n)
        WHERE NOT EXISTS (
            SELECT FROM tasker_definition_steps AS d JOIN tasker_named_steps AS s USING (named_step_id)
            WHERE d.definition_hash = t.hash AND s.name = b.name AND d.skippable)
        ORDER BY t.n, b.n LIMIT 1;
        IF not_skippable IS NOT NULL THEN
            RETURN;
        END IF;
    END IF;

    -- In the order of the identities: two equal requests wait for each other, they do not lock each other out.
    task_ids := ARRAY(
        SELECT nextval('tasker_tasks_task_id_seq') FROM generate_series(1, cardinality(t_definition)));
    WITH written AS (
        INSERT INTO tasker_tasks (
            task_id, named_task_id, requested_at, initiator, source_system, reason, bypass_steps, tags, context,
            identity_hash, created_at, updated_at)
        SELECT
            t.id, (SELECT d.named_task_id FROM tasker_definitions AS d WHERE d.definition_hash = t.definition),
            t.requested_at, t.initiator, t.source_system, t.reason, t.bypass_steps::json, t.tags, t.context,
            t.identity_hash, p_now, p_now
        FROM unnest(
            task_ids, t_definition, t_identity_hash, t_requested_at, t_initiator, t_source_system, t_reason,
            t_tags, t_bypass_steps, t_context
        ) WITH ORDINALITY AS t (
            id, definition, identity_hash, requested_at, initiator, source_system, reason,
            tags, bypass_steps, context, n)
        ORDER BY t.identity_hash, t.n
        ON CONFLICT (identity_hash) DO NOTHING
        RETURNING task_id
    )
    SELECT coalesce(array_agg(task_id), '{}') INTO inserted FROM written;

    -- Which are new, and where their steps begin; of the others the task that was there before.
    SELECT array_agg(t.id = ANY (inserted) ORDER BY t.n), array_agg(t.before ORDER BY t.n),
        array_agg(t.steps ORDER BY t.n), array_agg(CASE WHEN t.id = ANY (inserted) THEN t.id ELSE (
            SELECT k.task_id FROM tasker_tasks AS k WHERE k.identity_hash = t.identity_hash) END ORDER BY t.n)
    INTO created, first_step, step_counts, task_ids
    FROM (
        SELECT u.*, d.steps, coalesce(sum(d.steps) FILTER (WHERE u.id = ANY (inserted)) OVER (
            ORDER BY u.n ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0)::integer AS before
        FROM unnest(task_ids, t_definition, t_identity_hash) WITH ORDINALITY AS u (id, definition, identity_hash, n)
        CROSS JOIN LATERAL (
            SELECT d.steps FROM tasker_definitions AS d WHERE d.definition_hash = u.definition OFFSET 0
        ) AS d
    ) AS t;
    IF array_position(task_ids, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'a task of the same identity was removed at this moment'
            USING ERRCODE = 'serialization_failure';
    END IF;
    IF inserted = '{}' THEN
        settled := array_fill(false, ARRAY[cardinality(task_ids)]);
        RETURN;
    END IF;

    INSERT INTO tasker_task_definitions (task_id, definition_hash, step_limit, correlation_id)
    SELECT
        t.id, t.definition, (SELECT d.step_limit FROM tasker_definitions AS d WHERE d.definition_hash = t.definition),
        t.correlation_id
    FROM unnest(task_ids, t_definition, created, t_correlation_id) AS t (id, definition, created, correlation_id)
    WHERE t.created;

    step_ids := ARRAY(
        SELECT nextval('tasker_workflow_steps_workflow_step_id_seq')
        FROM unnest(t_definition, created) AS t (definition, created)
        CROSS JOIN LATERAL (
            SELECT d.steps FROM tasker_definitions AS d WHERE d.definition_hash = t.definition OFFSET 0
        ) AS d
        CROSS JOIN LATERAL generate_series(1, d.steps)
        WHERE t.created);
    INSERT INTO tasker_workflow_steps (
        workflow_step_id, task_id, named_step_id, retryable, retry_limit, skippable, attempts, inputs, results,
        created_at, updated_at)
    SELECT
        step_ids[t.before + d.place + 1], t.id, d.named_step_id, d.retryable, d.retry_limit, d.skippable, 0,
        t.context, '{}', p_now, p_now
    FROM unnest(task_ids, created, first_step, t_definition, t_context) AS t (id, created, before, definition, context)
    CROSS JOIN LATERAL (
        SELECT d.* FROM tasker_definition_steps AS d WHERE d.definition_hash = t.definition OFFSET 0
    ) AS d
    WHERE t.created;
    INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
    SELECT step_ids[t.before + p.place + 1], step_ids[t.before + d.place + 1], 'provides', p_now, p_now
    FROM unnest(created, first_step, t_definition) AS t (created, before, definition)
    CROSS JOIN LATERAL (
        SELECT d.place, d.parents FROM tasker_definition_steps AS d WHERE d.definition_hash = t.definition OFFSET 0
    ) AS d
    CROSS JOIN LATERAL unnest(d.parents) AS p (place)
    WHERE t.created;
    IF cardinality(i_task) > 0 THEN
        UPDATE tasker_workflow_steps AS s SET inputs = i.inputs
        FROM (
            SELECT u.task, u.place, u.inputs FROM unnest(i_task, i_place, i_inputs) AS u (task, place, inputs)
            WHERE created[u.task] AND u.place < step_counts[u.task] OFFSET 0
        ) AS i
        WHERE s.workflow_step_id = step_ids[first_step[i.task] + i.place + 1];
    END IF;

    IF '[]' <> ANY (t_bypass_steps) THEN
        bypassed := ARRAY(
            SELECT DISTINCT step_ids[t.before + d.place + 1]
            FROM unnest(created, first_step, t_definition, t_bypass_steps) AS t (created, before, definition, names)
            CROSS JOIN LATERAL jsonb_array_elements_text(t.names) AS b (name)
            CROSS JOIN LATERAL (
                SELECT d.place FROM tasker_named_steps AS s JOIN tasker_definition_steps AS d USING (named_step_id)
                WHERE s.name = b.name AND d.definition_hash = t.definition OFFSET 0
            ) AS d
            WHERE t.created ORDER BY 1);
        PERFORM tasker_move_steps(
            p_now, bypassed, array_fill('resolved_manually'::text, ARRAY[cardinality(bypassed)]),
            array_fill(p_skipped_metadata, ARRAY[cardinality(bypassed)]), NULL, NULL,
            array_fill(p_skipped_results, ARRAY[cardinality(bypassed)]));
    END IF;

    SELECT array_agg(t.id) FILTER (WHERE t.done), array_agg(t.done ORDER BY t.n) INTO complete_at_once, settled
    FROM (
        SELECT u.id, u.n, u.created AND NOT EXISTS (
            SELECT FROM tasker_workflow_steps AS s WHERE s.task_id = u.id AND NOT s.processed) AS done
        FROM unnest(task_ids, created) WITH ORDINALITY AS u (id, created, n)
    ) AS t;
    IF complete_at_once IS NOT NULL THEN
        PERFORM tasker_begin_tasks(p_now, complete_at_once);
        PERFORM tasker_move_tasks(
            p_now, complete_at_once, array_fill('complete'::text, ARRAY[cardinality(complete_at_once)]),
            array_fill('{}'::jsonb, ARRAY[cardinality(complete_at_once)]));
    END IF;
    INSERT INTO tasker_wakes (task_id, due_at, task_namespace_id)
    SELECT made.id, p_now, n.task_namespace_id
    FROM unnest(task_ids, created, settled) AS made (id, created, settled)
    JOIN tasker_tasks AS t ON t.task_id = made.id
    JOIN tasker_named_tasks AS n ON n.named_task_id = t.named_task_id
    WHERE made.created AND NOT made.settled;
    INSERT INTO tasker_fresh_tasks (task_id)
    SELECT t.id FROM unnest(task_ids, created, settled) AS t (id, created, settled)
    WHERE t.created AND NOT t.settled;
END $$;
