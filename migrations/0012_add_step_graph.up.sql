-- What hangs on what: the depth of steps, their levels, and the reference's view of both ends of their edges.
--
-- Paths are never listed, for a few layers have millions. A graph is read once, by index probes, into arrays of small
-- numbers, and walked there: the cost is that of its steps and edges.

-- The edges into steps, in ascending order of their sources. `sources` and `targets` are places in p_steps, which
-- ascends; the source is 0 when it is none of them.
CREATE FUNCTION tasker_edges_among(p_steps bigint[], OUT sources integer[], OUT targets integer[])
LANGUAGE plpgsql STABLE
-- A probe has no other way than a nested loop. What is left to join, two lists in memory, is joined by hash.
SET enable_nestloop = off SET enable_hashjoin = on
AS $$
BEGIN
    SELECT
        array_agg(e.source ORDER BY e.source, e.target), array_agg(e.target ORDER BY e.source, e.target)
    INTO sources, targets
    FROM (
        SELECT coalesce(source.place, 0)::integer AS source, edge.place::integer AS target
        FROM (
            SELECT e.from_step_id, u.place
            FROM unnest(p_steps) WITH ORDINALITY AS u (step, place)
            CROSS JOIN LATERAL (
                SELECT e.from_step_id FROM tasker_workflow_step_edges AS e WHERE e.to_step_id = u.step OFFSET 0
            ) AS e
            OFFSET 0
        ) AS edge
        LEFT JOIN unnest(p_steps) WITH ORDINALITY AS source (step, place) ON source.step = edge.from_step_id
    ) AS e;
    sources := coalesce(sources, '{}');
    targets := coalesce(targets, '{}');
END $$;

-- How far each step of a task is from the nearest step that waits for none; NULL when no such step leads to it. Breadth
-- first. Edges from other tasks, as old data may have them, are followed; of steps of those tasks there may be rows,
-- too.
CREATE FUNCTION tasker_step_depths(p_task bigint)
RETURNS TABLE (workflow_step_id bigint, depth integer)
LANGUAGE plpgsql STABLE COST 100000 ROWS 10
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
DECLARE
    steps bigint[];             -- those of the task and whatever they wait for; ascending
    sources integer[];
    targets integer[];
    first_edge integer[];       -- by step: where its outgoing edges begin; NULL when it has none
    depths integer[];           -- by step; -1 when it waits for some step, until it is reached
    reached integer[] := '{}';  -- in the order of their depths
    step integer;
    edge integer;
BEGIN
    WITH RECURSIVE above (step) AS (
        SELECT s.workflow_step_id FROM tasker_workflow_steps AS s WHERE s.task_id = p_task
        UNION
        SELECT e.from_step_id
        FROM above
        CROSS JOIN LATERAL (
            SELECT e.from_step_id FROM tasker_workflow_step_edges AS e WHERE e.to_step_id = above.step OFFSET 0
        ) AS e
    )
    SELECT array_agg(above.step ORDER BY above.step) INTO steps FROM above;
    SELECT e.sources, e.targets INTO sources, targets FROM tasker_edges_among(steps) AS e;

    depths := array_fill(0, ARRAY[coalesce(cardinality(steps), 0)]);
    first_edge := array_fill(NULL::integer, ARRAY[coalesce(cardinality(steps), 0)]);
    FOR edge IN REVERSE cardinality(sources) .. 1 LOOP
        first_edge[sources[edge]] := edge;
        depths[targets[edge]] := -1;
    END LOOP;
    FOR step IN 1 .. coalesce(cardinality(steps), 0) LOOP
        IF depths[step] = 0 THEN
            reached := reached || step;
        END IF;
    END LOOP;
    -- Grows while it is read.
    FOR place IN 1 .. coalesce(cardinality(steps), 0) LOOP
        step := reached[place];
        EXIT WHEN step IS NULL;
        edge := first_edge[step];
        WHILE sources[edge] = step LOOP
            IF depths[targets[edge]] < 0 THEN
                depths[targets[edge]] := depths[step] + 1;
                reached := reached || targets[edge];
            END IF;
            edge := edge + 1;
        END LOOP;
    END LOOP;
    RETURN QUERY SELECT u.step, nullif(u.depth, -1) FROM unnest(steps, depths) AS u (step, depth);
END $$;

-- The level of each step of a task: 0 for those that wait for no step at all, else the longest way from one of them
-- within the task. Steps that no such way leads to are left out, because they wait for steps of other tasks only.
-- Ascending by level and step.
CREATE FUNCTION tasker_dependency_levels(p_task bigint)
RETURNS TABLE (workflow_step_id bigint, dependency_level integer)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
DECLARE
    steps bigint[] := ARRAY(
        SELECT s.workflow_step_id FROM tasker_workflow_steps AS s WHERE s.task_id = p_task ORDER BY s.workflow_step_id);
    sources integer[];
    targets integer[];
    first_edge integer[] := array_fill(NULL::integer, ARRAY[cardinality(steps)]);
    waits_for integer[] := array_fill(0, ARRAY[cardinality(steps)]);   -- by step: parents of the task not yet passed
    levels integer[] := array_fill(0, ARRAY[cardinality(steps)]);      -- by step; NULL when none is known
    passed integer[] := '{}';
    step integer;
    edge integer;
    child integer;
BEGIN
    SELECT e.sources, e.targets INTO sources, targets FROM tasker_edges_among(steps) AS e;
    FOR edge IN REVERSE cardinality(sources) .. 1 LOOP
        levels[targets[edge]] := NULL;
        IF sources[edge] > 0 THEN
            first_edge[sources[edge]] := edge;
            waits_for[targets[edge]] := waits_for[targets[edge]] + 1;
        END IF;
    END LOOP;
    FOR step IN 1 .. cardinality(steps) LOOP
        IF waits_for[step] = 0 THEN
            passed := passed || step;
        END IF;
    END LOOP;
    -- Grows while it is read.
    FOR place IN 1 .. cardinality(steps) LOOP
        step := passed[place];
        IF step IS NULL THEN
            PERFORM tasker_raise_cycle(p_task, steps, sources, targets, waits_for);
        END IF;
        edge := first_edge[step];
        WHILE sources[edge] = step LOOP
            child := targets[edge];
            levels[child] := greatest(levels[child], levels[step] + 1);
            waits_for[child] := waits_for[child] - 1;
            IF waits_for[child] = 0 THEN
                passed := passed || child;
            END IF;
            edge := edge + 1;
        END LOOP;
    END LOOP;
    RETURN QUERY
    SELECT u.step, u.level FROM unnest(steps, levels) AS u (step, level)
    WHERE u.level IS NOT NULL ORDER BY u.level, u.step;
END $$;

-- Names a cycle: one through the first step that stands on one or behind one, found by going back from there. What is
-- left when all others are passed waits for something that is left, too, so there is always a way back.
CREATE FUNCTION tasker_raise_cycle(
    p_task bigint, p_steps bigint[], p_sources integer[], p_targets integer[], p_waits_for integer[]
) RETURNS void
LANGUAGE plpgsql STABLE AS $$
DECLARE
    parent integer[] := array_fill(0, ARRAY[cardinality(p_steps)]);    -- by step: the first parent that is left
    way integer[] := '{}';
    step integer;
    names text[];
BEGIN
    FOR edge IN REVERSE cardinality(p_sources) .. 1 LOOP
        IF p_sources[edge] > 0 AND p_waits_for[p_sources[edge]] > 0 THEN
            parent[p_targets[edge]] := p_sources[edge];
        END IF;
    END LOOP;
    step := (SELECT min(u.place) FROM unnest(p_waits_for) WITH ORDINALITY AS u (waits_for, place) WHERE u.waits_for > 0);
    WHILE step <> ALL (way) LOOP
        way := step || way;
        step := parent[step];
    END LOOP;
    -- Told from its first step, on which it is closed.
    way := way[:array_position(way, step)];
    step := array_position(way, (SELECT min(u.step) FROM unnest(way) AS u (step)));
    way := way[step:] || way[:step];
    names := ARRAY(
        SELECT n.name
        FROM unnest(way) WITH ORDINALITY AS u (step, place)
        CROSS JOIN LATERAL (
            SELECT s.named_step_id FROM tasker_workflow_steps AS s WHERE s.workflow_step_id = p_steps[u.step] OFFSET 0
        ) AS s
        CROSS JOIN LATERAL (
            SELECT n.name FROM tasker_named_steps AS n WHERE n.named_step_id = s.named_step_id OFFSET 0
        ) AS n
        ORDER BY u.place);
    RAISE EXCEPTION 'cycle in task %: %', p_task, array_to_string(names, ' → ') USING ERRCODE = 'data_exception';
END $$;

-- Both ends of the edges of every step, and its depth. Asked about a task or a step, it reads that task.
CREATE VIEW tasker_step_graph AS
SELECT
    s.workflow_step_id, t.task_id, s.named_step_id, parent.ids AS parent_step_ids, child.ids AS child_step_ids,
    jsonb_array_length(parent.ids)::bigint AS parent_count, jsonb_array_length(child.ids)::bigint AS child_count,
    jsonb_array_length(parent.ids) = 0 AS is_root_step, jsonb_array_length(child.ids) = 0 AS is_leaf_step,
    d.depth AS min_depth_from_root
FROM tasker_tasks AS t
CROSS JOIN LATERAL tasker_step_depths(t.task_id) AS d
JOIN tasker_workflow_steps AS s ON s.workflow_step_id = d.workflow_step_id AND s.task_id = t.task_id
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(e.from_step_id ORDER BY e.from_step_id), '[]') AS ids
    FROM tasker_workflow_step_edges AS e WHERE e.to_step_id = s.workflow_step_id
) AS parent
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(e.to_step_id ORDER BY e.to_step_id), '[]') AS ids
    FROM tasker_workflow_step_edges AS e WHERE e.from_step_id = s.workflow_step_id
) AS child;
