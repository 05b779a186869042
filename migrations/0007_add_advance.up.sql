-- `tasker_advance` moves tasks on by one wave: what finished goes in, what may run comes out, in one call and one
-- commit. It is a row of small steps, each a function of its own, in the order in which the contract tells them:
--
--     lock → heads → record → spawn → judge → claim → settle → wake
--
-- A statement costs more to begin than to run when one step is in the call, so the common way through has few of them
-- and what is rare stands behind an IF. How statements are written is told in 0005_add_moves.
--
-- Only `tasker_advance` is called from outside. It brings the settings under which all of these are planned.

-- The tasks of a call, by how they stand.
CREATE TYPE tasker_heads AS (
    tasks bigint[],             -- those that have a definition; all others are another program's, and nothing is done to them
    live bigint[],              -- pending or in progress, and neither paused nor a draft: may move
    unbegun bigint[],           -- those of them that are pending
    limited bigint[],           -- those of them with a limit of their own, and
    limits integer[],           -- that limit
    held bigint[],              -- paused, or a draft
    closed bigint[],            -- settled before, and
    closed_states text[]        -- how
);

-- Outcomes that were recorded.
CREATE TYPE tasker_recorded AS (
    places integer[],           -- where they stand in the call, from 1
    rows bigint[],              -- the rows that recorded them
    blocked text[],             -- why their steps may never run again by themselves; NULL where they may
    completed bigint[],         -- the steps that completed
    others bigint[]             -- the other steps
);

-- A step that is ready, or will be at a known moment.
CREATE TYPE tasker_candidate AS (
    task bigint,
    step bigint,
    may_claim boolean,          -- false when it is looked at only for the sake of its wake
    not_before timestamp,
    handler text,               -- unless every handler will do
    attempt integer,            -- the one that would be claimed
    state text,
    sort_key integer,
    step_at tid,                -- where the row of the step is
    row_at tid,                 -- where the row of its state is; NULL when there is none
    has_other_parents boolean   -- other than those that this call completed
);

-- What came of judging.
CREATE TYPE tasker_judgement AS (
    candidates tasker_candidate[],  -- ascending by task and step
    some_cancelled boolean          -- some step that was judged is cancelled
);

-- What is to be claimed, and the wakes of what is left over.
CREATE TYPE tasker_choice AS (
    chosen tasker_candidate[],
    some_have_rows boolean,     -- some that is chosen was tried, or moved otherwise, before
    some_have_parents boolean,  -- other than those that this call completed
    wake_tasks bigint[],
    wake_dues timestamp[],      -- NULL when only parked
    wake_parked boolean[],      -- some step is left over only for want of a handler
    no_room_tasks bigint[],     -- of these tasks some step is left over whose
    no_room_handlers text[]     -- handler has a room of its own; may come twice
);

-- Claims.
CREATE TYPE tasker_claims AS (
    tasks bigint[], steps bigint[], tokens bigint[], attempts integer[],
    retries boolean[]           -- whether the step was in error until now
);

-- What the parents of claimed steps yielded. Each result is told once, however many steps wait for it.
CREATE TYPE tasker_parents AS (
    children bigint[], parents bigint[],            -- pairs
    steps bigint[], kinds text[], results jsonb[]   -- each parent; the kind is value, skipped or absent
);

CREATE FUNCTION tasker_read_heads(p_tasks bigint[]) RETURNS tasker_heads
LANGUAGE plpgsql AS $$
DECLARE
    heads tasker_heads;
BEGIN
    SELECT
        array_agg(h.task),
        array_agg(h.task) FILTER (WHERE h.open AND NOT h.held),
        array_agg(h.task) FILTER (WHERE h.open AND NOT h.held AND h.state = 'pending'),
        array_agg(h.task) FILTER (WHERE h.open AND NOT h.held AND h.step_limit IS NOT NULL),
        array_agg(h.step_limit) FILTER (WHERE h.open AND NOT h.held AND h.step_limit IS NOT NULL),
        array_agg(h.task) FILTER (WHERE h.held),
        array_agg(h.task) FILTER (WHERE NOT h.open),
        array_agg(h.state) FILTER (WHERE NOT h.open)
    INTO heads
    FROM (
        SELECT
            u.task, coalesce(current.to_state, 'pending') AS state, definition.step_limit,
            coalesce(current.to_state IN ('pending', 'in_progress'), true) AS open,
            coalesce(current.to_state = 'pending' AND current.phase IN ('paused', 'draft'), false) AS held
        FROM unnest(p_tasks) AS u (task)
        LEFT JOIN LATERAL (
            SELECT t.to_state, t.metadata ->> 'phase' AS phase FROM tasker_task_transitions AS t
            WHERE t.task_id = u.task AND t.most_recent OFFSET 0
        ) AS current ON true
        CROSS JOIN LATERAL (
            SELECT d.step_limit FROM tasker_task_definitions AS d WHERE d.task_id = u.task OFFSET 0
        ) AS definition
    ) AS h;
    RETURN heads;
END $$;

-- Records the outcomes whose claim is the current one: its row is the most recent of that step, and the step is of that
-- task. Nothing else counts, so whoever wrote a newer row has fenced the claim by that alone.
--
-- o_to is the state that the step goes to: complete, error, or pending when the attempt is taken back. o_metadata is
-- what the engine says about the move; what depends on the step as it stands is filled in here.
CREATE FUNCTION tasker_record(
    p_now timestamp,
    o_task bigint[], o_step bigint[], o_token bigint[], o_to text[], o_permanent boolean[], o_wait_seconds integer[],
    o_results jsonb[], o_metadata jsonb[]
) RETURNS tasker_recorded
LANGUAGE plpgsql AS $$
DECLARE
    recorded tasker_recorded;
BEGIN
    WITH ended AS (
        UPDATE tasker_workflow_step_transitions AS t SET most_recent = false, updated_at = p_now
        FROM unnest(o_task, o_step, o_token, o_to, o_permanent, o_wait_seconds, o_results, o_metadata) WITH ORDINALITY
            AS o (task, step, token, to_state, permanent, wait_seconds, results, metadata, place)
        CROSS JOIN LATERAL (
            SELECT c.ctid AS at FROM tasker_workflow_step_transitions AS c
            WHERE c.id = o.token AND c.workflow_step_id = o.step AND c.most_recent AND c.to_state = 'in_progress'
            OFFSET 0
        ) AS claim
        CROSS JOIN LATERAL (
            SELECT s.ctid AS at, s.retryable, coalesce(s.retry_limit, 3) AS retry_limit
            FROM tasker_workflow_steps AS s WHERE s.workflow_step_id = o.step AND s.task_id = o.task OFFSET 0
        ) AS step
        WHERE t.ctid = claim.at
        RETURNING
            o.place, o.step, o.to_state, o.permanent, o.wait_seconds, o.results, o.metadata, t.sort_key,
            step.at AS step_at, step.retryable, step.retry_limit
    ), stepped AS (
        UPDATE tasker_workflow_steps AS s
        SET in_process = false,
            processed = e.to_state = 'complete',
            processed_at = CASE WHEN e.to_state = 'complete' THEN p_now ELSE s.processed_at END,
            attempts = CASE WHEN e.to_state = 'pending' THEN s.attempts - 1 ELSE s.attempts END,
            retryable = s.retryable AND NOT e.permanent,
            backoff_request_seconds = e.wait_seconds,
            results = CASE e.to_state
                WHEN 'complete' THEN e.results
                WHEN 'error' THEN
                    CASE WHEN jsonb_typeof(s.results) = 'object' THEN s.results ELSE '{}' END || e.results
                ELSE s.results END,
            updated_at = p_now
        FROM ended AS e WHERE s.ctid = e.step_at
        RETURNING
            e.place, e.step, e.to_state, e.permanent, e.metadata, e.sort_key, e.retryable, e.retry_limit,
            CASE WHEN e.to_state <> 'error' THEN NULL
                WHEN coalesce(s.attempts, 0) >= e.retry_limit THEN 'retries_exhausted'
                WHEN NOT s.retryable THEN 'not_retryable' END AS blocked,
            nextval('tasker_workflow_step_transitions_id_seq') AS id
    ), written AS (
        INSERT INTO tasker_workflow_step_transitions
            (id, to_state, from_state, metadata, sort_key, most_recent, workflow_step_id, created_at, updated_at)
        SELECT
            s.id, s.to_state, 'in_progress',
            CASE WHEN s.to_state <> 'error' THEN s.metadata
                WHEN s.permanent THEN s.metadata || jsonb_build_object('retryable_was', s.retryable)
                ELSE s.metadata || jsonb_build_object(
                    'retryable', s.retryable,
                    'retry_available', s.retryable AND (s.metadata ->> 'attempt_number')::bigint < s.retry_limit) END,
            s.sort_key + 10, true, s.step, p_now, p_now
        FROM stepped AS s
    )
    SELECT
        array_agg(s.place), array_agg(s.id), array_agg(s.blocked),
        array_agg(s.step) FILTER (WHERE s.to_state = 'complete'),
        array_agg(s.step) FILTER (WHERE s.to_state <> 'complete')
    INTO recorded FROM stepped AS s;
    RETURN recorded;
END $$;

-- The places of outcomes that were recorded before under the same claim: the row after the claim's names it. Rare.
CREATE FUNCTION tasker_recorded_before(o_task bigint[], o_step bigint[], o_token bigint[], p_but integer[])
RETURNS integer[]
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (
        SELECT array_agg(o.place)
        FROM unnest(o_task, o_step, o_token) WITH ORDINALITY AS o (task, step, token, place)
        CROSS JOIN LATERAL (
            SELECT c.sort_key FROM tasker_workflow_step_transitions AS c
            WHERE c.id = o.token AND c.workflow_step_id = o.step AND c.to_state = 'in_progress' OFFSET 0
        ) AS claim
        CROSS JOIN LATERAL (
            SELECT t.metadata ->> 'claim' AS claim FROM tasker_workflow_step_transitions AS t
            WHERE t.workflow_step_id = o.step AND t.sort_key > claim.sort_key ORDER BY t.sort_key LIMIT 1
        ) AS next
        WHERE next.claim = o.token::text
            AND o.place <> ALL (coalesce(p_but, '{}'))
            AND EXISTS (
                SELECT FROM tasker_workflow_steps AS s WHERE s.workflow_step_id = o.step AND s.task_id = o.task));
END $$;

-- Keeps what came too late: outcomes whose claim was ended by another row, which takes them into its metadata as the
-- engine's `audit::late_outcome` says it; the first one of each claim. p_but are places of outcomes that counted, now or
-- before. Rare.
CREATE FUNCTION tasker_keep_late(
    p_now timestamp, o_task bigint[], o_step bigint[], o_token bigint[], o_to text[], o_results jsonb[],
    o_metadata jsonb[], p_but integer[]
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE tasker_workflow_step_transitions AS t
    SET metadata = coalesce(t.metadata, '{}') || jsonb_build_object('late_outcome', late.said), updated_at = p_now
    FROM (
        SELECT ended.at,
            (o.metadata - '{claim,retryable,retry_available,retryable_was,permanent,backoff_seconds,backoff_until}'::text[])
            || jsonb_build_object('to_state', o.to_state, 'at', to_char(p_now, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))
            || CASE WHEN o.to_state = 'complete' THEN jsonb_build_object('results', o.results) ELSE '{}' END AS said
        FROM unnest(o_task, o_step, o_token, o_to, o_results, o_metadata) WITH ORDINALITY
            AS o (task, step, token, to_state, results, metadata, place)
        CROSS JOIN LATERAL (
            SELECT c.sort_key FROM tasker_workflow_step_transitions AS c
            WHERE c.id = o.token AND c.workflow_step_id = o.step AND c.to_state = 'in_progress' OFFSET 0
        ) AS claim
        CROSS JOIN LATERAL (
            SELECT t.ctid AS at, t.metadata FROM tasker_workflow_step_transitions AS t
            WHERE t.workflow_step_id = o.step AND t.sort_key > claim.sort_key ORDER BY t.sort_key LIMIT 1
        ) AS ended
        WHERE o.place <> ALL (coalesce(p_but, '{}'))
            -- A step that was handed back did not run; one that sleeps did.
            AND (o.to_state <> 'pending' OR o.metadata ? 'phase')
            AND NOT coalesce(ended.metadata ? 'late_outcome', false)
            AND EXISTS (
                SELECT FROM tasker_workflow_steps AS s WHERE s.workflow_step_id = o.step AND s.task_id = o.task)
        OFFSET 0
    ) AS late
    WHERE t.ctid = late.at;
END $$;

-- The claims that a worker holds on tasks, but for those given. Rare: the reply that told of them may have been lost.
CREATE FUNCTION tasker_held_claims(p_worker text, p_but bigint[], p_tasks bigint[]) RETURNS tasker_claims
LANGUAGE plpgsql AS $$
DECLARE
    held tasker_claims;
BEGIN
    SELECT
        array_agg(step.task_id), array_agg(step.workflow_step_id), array_agg(claim.id), array_agg(step.attempts),
        array_agg(false)
    INTO held
    FROM (SELECT DISTINCT unnest(p_tasks)) AS u (task)
    CROSS JOIN LATERAL (
        SELECT s.task_id, s.workflow_step_id, s.attempts FROM tasker_workflow_steps AS s
        WHERE s.task_id = u.task AND s.in_process OFFSET 0
    ) AS step
    CROSS JOIN LATERAL (
        SELECT t.id FROM tasker_workflow_step_transitions AS t
        WHERE t.workflow_step_id = step.workflow_step_id AND t.most_recent AND t.to_state = 'in_progress'
            AND t.metadata ->> 'worker_id' = p_worker OFFSET 0
    ) AS claim
    WHERE claim.id <> ALL (p_but);
    RETURN held;
END $$;

-- Adds the steps that completed steps asked for. p_spawned is an array of objects: `outcome` (its place in the call),
-- `index` (among the steps of that outcome), `name`, `handler`, `config`, `retry_limit`, `retryable`, and the names of
-- further parents, `after`, and of steps that are to wait for it, `before`.
--
-- A name that the task had already adds nothing. In `after` may stand only what this outcome added before, in `before`
-- only what waited for the asking step before: so no edge closes a cycle. Anything else is an error, and the outcome
-- cannot be recorded.
CREATE FUNCTION tasker_spawn(
    p_now timestamp, o_task bigint[], o_step bigint[], p_places integer[], p_spawned jsonb
) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    asked record;
    children bigint[];          -- of the asking step, before it asked
    added bigint[];             -- by its outcome
    new_step bigint;
    system_id integer;
BEGIN
    IF p_places IS NULL THEN
        RETURN;
    END IF;
    -- Spawned steps belong to no system that anybody named. Their names are inserted in the order in which
    -- `tasker_learn` does it, after the lock of the tasks: nobody waits in a circle.
    INSERT INTO tasker_dependent_systems (name, created_at, updated_at)
    SELECT 'unknown', p_now, p_now
    WHERE NOT EXISTS (SELECT FROM tasker_dependent_systems AS y WHERE y.name = 'unknown')
    ON CONFLICT DO NOTHING;
    SELECT y.dependent_system_id INTO system_id FROM tasker_dependent_systems AS y WHERE y.name = 'unknown';
    INSERT INTO tasker_named_steps (dependent_system_id, name, created_at, updated_at)
    SELECT DISTINCT ON (a.name) system_id, a.name, p_now, p_now
    FROM jsonb_to_recordset(p_spawned) AS a (outcome integer, name text)
    WHERE a.outcome = ANY (p_places) AND NOT EXISTS (
        SELECT FROM tasker_named_steps AS n WHERE n.dependent_system_id = system_id AND n.name = a.name)
    ORDER BY a.name
    ON CONFLICT DO NOTHING;

    FOR asked IN
        SELECT
            a.*, o_task[a.outcome] AS task, o_step[a.outcome] AS parent,
            a.outcome IS DISTINCT FROM lag(a.outcome) OVER (ORDER BY a.outcome, a.index) AS first
        FROM jsonb_to_recordset(p_spawned) AS a (
            outcome integer, index integer, name text, handler text, config jsonb, retry_limit integer,
            retryable boolean, after text[], before text[])
        WHERE a.outcome = ANY (p_places)
        ORDER BY a.outcome, a.index
    LOOP
        IF asked.first THEN
            added := '{}';
            children := ARRAY(
                SELECT e.to_step_id FROM tasker_workflow_step_edges AS e WHERE e.from_step_id = asked.parent);
        END IF;
        new_step := tasker_step_named(asked.task, asked.name);
        IF new_step = ANY (added) THEN
            RAISE EXCEPTION 'spawned step `%` is asked for twice', asked.name USING ERRCODE = 'data_exception';
        END IF;
        CONTINUE WHEN new_step IS NOT NULL;
        PERFORM FROM unnest(asked.after) AS a (name)
        WHERE coalesce(tasker_step_named(asked.task, a.name) <> ALL (added), true);
        IF found THEN
            RAISE EXCEPTION 'spawned step `%` is to wait for a step that was not added before it', asked.name
                USING ERRCODE = 'data_exception';
        END IF;
        PERFORM FROM unnest(asked.before) AS b (name)
        WHERE coalesce(tasker_step_named(asked.task, b.name) <> ALL (children), true);
        IF found THEN
            RAISE EXCEPTION 'spawned step `%` is to run before a step that does not wait for the asking one', asked.name
                USING ERRCODE = 'data_exception';
        END IF;

        INSERT INTO tasker_workflow_steps (
            task_id, named_step_id, retryable, retry_limit, attempts, inputs, results, created_at, updated_at)
        SELECT asked.task, n.named_step_id, asked.retryable, asked.retry_limit, 0, t.context, '{}', p_now, p_now
        FROM tasker_named_steps AS n CROSS JOIN tasker_tasks AS t
        WHERE n.dependent_system_id = system_id AND n.name = asked.name AND t.task_id = asked.task
        RETURNING workflow_step_id INTO new_step;
        added := added || new_step;
        INSERT INTO tasker_step_bindings (workflow_step_id, handler, config, spawned_by, spawn_index)
        VALUES (new_step, asked.handler, coalesce(asked.config, 'null'), asked.parent, asked.index);
        INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
        SELECT DISTINCT edge.parent, edge.child, 'provides', p_now, p_now
        FROM (
            SELECT asked.parent AS parent, new_step AS child
            UNION ALL
            SELECT tasker_step_named(asked.task, a.name), new_step FROM unnest(asked.after) AS a (name)
            UNION ALL
            SELECT new_step, tasker_step_named(asked.task, b.name) FROM unnest(asked.before) AS b (name)
        ) AS edge;
    END LOOP;
END $$;

-- The step of that name, in whatever system; NULL when the task has none.
CREATE FUNCTION tasker_step_named(p_task bigint, p_name text) RETURNS bigint
LANGUAGE plpgsql AS $$
BEGIN
    RETURN (
        SELECT s.workflow_step_id
        FROM tasker_named_steps AS n
        CROSS JOIN LATERAL (
            SELECT s.workflow_step_id FROM tasker_workflow_steps AS s
            WHERE s.task_id = p_task AND s.named_step_id = n.named_step_id OFFSET 0
        ) AS s
        WHERE n.name = p_name LIMIT 1);
END $$;

-- Cancels whatever is not settled below cancelled steps of these tasks, and tells which they were and where they stood;
-- NULL when there was none. Rare: whoever cancels a step cancels what hangs on it in the same transaction, but Rails
-- leaves such steps behind.
CREATE FUNCTION tasker_cancel_below_cancelled(
    p_now timestamp, p_tasks bigint[], p_metadata jsonb,
    OUT tasks bigint[], OUT steps bigint[], OUT states text[], OUT rows bigint[]
)
LANGUAGE plpgsql AS $$
BEGIN
    WITH RECURSIVE below (step) AS (
        SELECT child.step
        FROM unnest(p_tasks) AS u (task)
        CROSS JOIN LATERAL (
            SELECT s.workflow_step_id AS id FROM tasker_workflow_steps AS s
            WHERE s.task_id = u.task AND NOT s.processed AND NOT s.in_process AND (
                SELECT t.to_state FROM tasker_workflow_step_transitions AS t
                WHERE t.workflow_step_id = s.workflow_step_id AND t.most_recent) = 'cancelled'
            OFFSET 0
        ) AS cancelled
        CROSS JOIN LATERAL (
            SELECT e.to_step_id AS step FROM tasker_workflow_step_edges AS e
            WHERE e.from_step_id = cancelled.id OFFSET 0
        ) AS child
        UNION
        SELECT child.step
        FROM below
        CROSS JOIN LATERAL (
            SELECT e.to_step_id AS step FROM tasker_workflow_step_edges AS e
            WHERE e.from_step_id = below.step OFFSET 0
        ) AS child
    )
    SELECT
        array_agg(doomed.task ORDER BY doomed.step), array_agg(doomed.step ORDER BY doomed.step),
        array_agg(doomed.state ORDER BY doomed.step)
    INTO tasks, steps, states
    FROM (
        SELECT
            below.step,
            (SELECT s.task_id FROM tasker_workflow_steps AS s WHERE s.workflow_step_id = below.step) AS task,
            coalesce((
                SELECT t.to_state FROM tasker_workflow_step_transitions AS t
                WHERE t.workflow_step_id = below.step AND t.most_recent
            ), 'pending') AS state
        FROM below
    ) AS doomed
    -- Old data may hold edges into other tasks, which are not locked.
    WHERE doomed.task = ANY (p_tasks) AND doomed.state IN ('pending', 'in_progress', 'error');
    IF steps IS NOT NULL THEN
        rows := tasker_move_steps(
            p_now, steps, array_fill('cancelled'::text, ARRAY[cardinality(steps)]),
            array_fill(p_metadata, ARRAY[cardinality(steps)]), NULL, NULL, NULL);
    END IF;
END $$;

-- Judges steps: those that are ready, or will be at a known moment, ascending by task and step. p_steps may be claimed,
-- p_waiting are looked at for their wake only; steps of tasks that are not live are passed over.
CREATE FUNCTION tasker_judge(
    p_live bigint[], p_steps bigint[], p_waiting bigint[], p_completed bigint[], p_with_handlers boolean
) RETURNS tasker_judgement
LANGUAGE plpgsql AS $$
DECLARE
    judgement tasker_judgement;
BEGIN
    SELECT
        array_agg(ROW(
            j.task_id, j.step, j.may_claim,
            tasker_not_before(
                j.state, j.metadata, j.created_at, j.attempts, j.last_attempted_at, j.backoff_request_seconds),
            CASE WHEN p_with_handlers THEN coalesce((
                SELECT d.handler FROM tasker_definition_steps AS d
                WHERE d.definition_hash = (
                        SELECT t.definition_hash FROM tasker_task_definitions AS t WHERE t.task_id = j.task_id)
                    AND d.named_step_id = j.named_step_id
            ), (
                SELECT b.handler FROM tasker_step_bindings AS b WHERE b.workflow_step_id = j.step
            )) END,
            coalesce(j.attempts, 0) + 1, j.state, j.sort_key, j.step_at, j.row_at, (
                SELECT true FROM tasker_workflow_step_edges AS e
                WHERE e.to_step_id = j.step AND e.from_step_id <> ALL (p_completed) LIMIT 1) IS NOT NULL
        )::tasker_candidate ORDER BY j.task_id, j.step) FILTER (WHERE j.candidate),
        bool_or(j.state = 'cancelled')
    INTO judgement
    FROM (
        SELECT
            u.step, u.may_claim, step.*, current.at AS row_at, current.metadata, current.created_at,
            coalesce(current.to_state, 'pending') AS state, coalesce(current.sort_key, 0) AS sort_key,
            CASE WHEN coalesce(current.to_state, 'pending') IN ('pending', 'error')
                    AND tasker_may_run(step.attempts, step.retry_limit, step.retryable)
                -- No parent is unsatisfied. From the far end, because the last parents of a wide join finish last, so
                -- that it is judged by one look each time.
                THEN (
                    SELECT true FROM tasker_workflow_step_edges AS e
                    WHERE e.to_step_id = u.step AND coalesce((
                        SELECT p.to_state FROM tasker_workflow_step_transitions AS p
                        WHERE p.workflow_step_id = e.from_step_id AND p.most_recent
                    ), 'pending') NOT IN ('complete', 'resolved_manually')
                    ORDER BY e.from_step_id DESC LIMIT 1) IS NULL
                ELSE false END AS candidate
        FROM (
            SELECT unnest(p_steps) AS step, true AS may_claim
            UNION ALL
            SELECT unnest(p_waiting), false
        ) AS u
        CROSS JOIN LATERAL (
            SELECT
                s.task_id, s.named_step_id, s.ctid AS step_at, s.attempts, s.retry_limit, s.retryable,
                s.last_attempted_at, s.backoff_request_seconds
            FROM tasker_workflow_steps AS s
            WHERE s.workflow_step_id = u.step AND NOT s.processed AND NOT s.in_process AND s.task_id = ANY (p_live)
            OFFSET 0
        ) AS step
        LEFT JOIN LATERAL (
            SELECT t.ctid AS at, t.to_state, t.metadata, t.created_at, t.sort_key
            FROM tasker_workflow_step_transitions AS t
            WHERE t.workflow_step_id = u.step AND t.most_recent OFFSET 0
        ) AS current ON true
        OFFSET 0
    ) AS j;
    RETURN judgement;
END $$;

-- The places of the candidates that get the room when there is not enough for all, ascending: in turns, one step of each
-- wanted task, then one of each other, then the next one of each, so that a task with a thousand steps does not keep the
-- others waiting. The arguments are those of `tasker_choose`.
CREATE FUNCTION tasker_choose_in_turns(
    p_now timestamp, p_candidates tasker_candidate[], p_heads tasker_heads, p_wanted bigint[],
    p_total integer, p_per_task integer, h_names text[], h_rooms integer[], p_others boolean
) RETURNS integer[]
LANGUAGE plpgsql AS $$
DECLARE
    chosen integer[];
    task_rooms integer[];       -- how many more steps of each task may run
    task_room integer;
    h integer;
    c record;
BEGIN
    FOR c IN
        SELECT r.* FROM (
            SELECT
                u.place, u.task, u.handler, dense_rank() OVER (ORDER BY u.task)::integer AS number,
                row_number() OVER (PARTITION BY u.task ORDER BY u.place) AS turn, u.task = ANY (p_wanted) AS wanted
            FROM unnest(p_candidates) WITH ORDINALITY AS u (
                task, step, may_claim, not_before, handler, attempt, state, sort_key, step_at, row_at,
                has_other_parents, place)
            WHERE u.may_claim AND (u.not_before <= p_now) IS NOT FALSE
        ) AS r
        ORDER BY r.turn, NOT r.wanted, r.place
    LOOP
        EXIT WHEN p_total <= 0;
        task_room := task_rooms[c.number];
        IF task_room IS NULL THEN
            task_room := least(p_per_task, p_heads.limits[array_position(p_heads.limited, c.task)]) - (
                SELECT count(*) FROM tasker_workflow_steps AS s WHERE s.task_id = c.task AND s.in_process);
            task_room := coalesce(task_room, 2147483647);
        END IF;
        h := array_position(h_names, c.handler);
        IF task_room > 0 AND (h_rooms[h] > 0 OR (h IS NULL AND (p_others OR h_names IS NULL))) THEN
            p_total := p_total - 1;
            task_room := task_room - 1;
            IF h IS NOT NULL THEN
                h_rooms[h] := h_rooms[h] - 1;
            END IF;
            chosen := chosen || c.place::integer;
        END IF;
        task_rooms[c.number] := task_room;
    END LOOP;
    RETURN ARRAY(SELECT u.place FROM unnest(chosen) AS u (place) ORDER BY u.place);
END $$;

-- Chooses what to claim within the room and the limits of tasks, and finds the wakes of what is left over. A task that is
-- at its limit needs none: what runs there will move it.
CREATE FUNCTION tasker_choose(
    p_now timestamp, p_candidates tasker_candidate[], p_heads tasker_heads, p_wanted bigint[],
    p_total integer, p_per_task integer, h_names text[], h_rooms integer[], p_others boolean
) RETURNS tasker_choice
LANGUAGE plpgsql AS $$
DECLARE
    -- Variables of their own, because to an array in a field nothing is added in place.
    chosen tasker_candidate[];
    some_have_rows boolean := false;
    some_have_parents boolean := false;
    wake_tasks bigint[];
    wake_dues timestamp[];
    wake_parked boolean[];
    no_room_tasks bigint[];
    no_room_handlers text[];
    in_turns integer[];         -- the places of those that get the room; NULL when there is enough for all
    place integer := 0;
    next_chosen integer := 1;   -- the place in `in_turns` of the next one
    c tasker_candidate;
    task bigint;
    task_room integer;          -- how many more steps of the task may run; NULL is no limit
    due timestamp;              -- its wake
    parked boolean := false;
BEGIN
    IF h_names IS NOT NULL OR cardinality(p_candidates) > p_total THEN
        in_turns := tasker_choose_in_turns(
            p_now, p_candidates, p_heads, p_wanted, p_total, p_per_task, h_names, h_rooms, p_others);
    END IF;
    -- The last one, of no task, ends the task before it.
    FOREACH c IN ARRAY p_candidates || NULL::tasker_candidate LOOP
        place := place + 1;
        IF c.task IS DISTINCT FROM task THEN
            IF due IS NOT NULL OR parked THEN
                wake_tasks := wake_tasks || task;
                wake_dues := wake_dues || due;
                wake_parked := wake_parked || parked;
            END IF;
            EXIT WHEN c.task IS NULL;
            task := c.task;
            due := NULL;
            parked := false;
            task_room := least(p_per_task, p_heads.limits[array_position(p_heads.limited, task)]);
            IF task_room IS NOT NULL THEN
                task_room := task_room - (
                    SELECT count(*) FROM tasker_workflow_steps AS s WHERE s.task_id = task AND s.in_process);
            END IF;
        END IF;

        IF c.not_before > p_now THEN
            due := least(due, c.not_before);
        ELSIF NOT c.may_claim THEN
            due := p_now;
        ELSIF task_room <= 0 THEN
            CONTINUE;
        ELSIF in_turns IS NULL OR in_turns[next_chosen] = place THEN
            next_chosen := next_chosen + 1;
            task_room := task_room - 1;
            chosen := chosen || c;
            some_have_rows := some_have_rows OR c.row_at IS NOT NULL;
            some_have_parents := some_have_parents OR c.has_other_parents;
        ELSIF c.handler = ANY (h_names) THEN
            due := p_now;
            no_room_tasks := no_room_tasks || task;
            no_room_handlers := no_room_handlers || c.handler;
        ELSIF h_names IS NULL OR p_others THEN
            due := p_now;
        ELSE
            parked := true;
        END IF;
    END LOOP;
    RETURN (
        chosen, some_have_rows, some_have_parents, wake_tasks, wake_dues, wake_parked, no_room_tasks,
        no_room_handlers);
END $$;

-- Claims steps: a row `in_progress`, whose id is the token; before it a row `pending` where the last attempt failed.
CREATE FUNCTION tasker_claim(
    p_now timestamp, p_worker text, p_chosen tasker_candidate[], p_some_have_rows boolean
) RETURNS tasker_claims
LANGUAGE plpgsql AS $$
DECLARE
    claims tasker_claims;
BEGIN
    IF p_some_have_rows THEN
        UPDATE tasker_workflow_step_transitions AS t SET most_recent = false, updated_at = p_now
        FROM unnest(p_chosen) AS c WHERE t.ctid = c.row_at AND t.workflow_step_id = c.step;
        INSERT INTO tasker_workflow_step_transitions
            (to_state, from_state, metadata, sort_key, most_recent, workflow_step_id, created_at, updated_at)
        SELECT
            'pending', 'error', jsonb_build_object('retry_attempt', c.attempt, 'triggered_by', 'engine'),
            c.sort_key + 10, false, c.step, p_now, p_now
        FROM unnest(p_chosen) AS c WHERE c.state = 'error';
    END IF;
    WITH stepped AS (
        UPDATE tasker_workflow_steps AS s
        SET attempts = c.attempt, in_process = true, last_attempted_at = p_now, backoff_request_seconds = NULL,
            updated_at = p_now
        FROM unnest(p_chosen) AS c WHERE s.ctid = c.step_at AND s.workflow_step_id = c.step
        RETURNING
            c.task, c.step, c.attempt, c.state = 'error' AS retries,
            c.sort_key + CASE c.state WHEN 'error' THEN 20 ELSE 10 END AS sort_key,
            nextval('tasker_workflow_step_transitions_id_seq') AS token
    ), written AS (
        INSERT INTO tasker_workflow_step_transitions
            (id, to_state, from_state, metadata, sort_key, most_recent, workflow_step_id, created_at, updated_at)
        SELECT
            s.token, 'in_progress', 'pending',
            jsonb_build_object('attempt_number', s.attempt, 'worker_id', p_worker),
            s.sort_key, true, s.step, p_now, p_now
        FROM stepped AS s
    )
    SELECT
        array_agg(s.task), array_agg(s.step), array_agg(s.token), array_agg(s.attempt), array_agg(s.retries)
    INTO claims
    FROM stepped AS s;
    IF cardinality(claims.steps) IS DISTINCT FROM cardinality(p_chosen) THEN
        RAISE EXCEPTION 'a step was written by somebody who does not hold the lock of its task'
            USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN claims;
END $$;

-- What the parents of these steps yielded, but for parents that the caller knows.
CREATE FUNCTION tasker_read_parents(p_steps bigint[], p_known bigint[]) RETURNS tasker_parents
LANGUAGE plpgsql AS $$
DECLARE
    parents tasker_parents;
BEGIN
    SELECT array_agg(u.step), array_agg(edge.parent) INTO parents.children, parents.parents
    FROM unnest(p_steps) AS u (step)
    CROSS JOIN LATERAL (
        SELECT e.from_step_id AS parent FROM tasker_workflow_step_edges AS e WHERE e.to_step_id = u.step OFFSET 0
    ) AS edge
    WHERE edge.parent <> ALL (p_known);

    -- What Rails resolved does not say whether results were given: an empty object is none.
    SELECT
        array_agg(r.step), array_agg(r.kind),
        array_agg(CASE WHEN r.kind = 'value' THEN r.results END)
    INTO parents.steps, parents.kinds, parents.results
    FROM (
        SELECT u.step, step.results, CASE
            WHEN current.to_state = 'resolved_manually' AND current.metadata ->> 'phase' = 'skipped' THEN 'skipped'
            WHEN step.results IS NULL THEN 'absent'
            WHEN current.to_state = 'resolved_manually'
                AND NOT coalesce(current.metadata -> 'results_given' = 'true', step.results <> '{}') THEN 'absent'
            ELSE 'value' END AS kind
        FROM (SELECT DISTINCT unnest(parents.parents)) AS u (step)
        CROSS JOIN LATERAL (
            SELECT s.results FROM tasker_workflow_steps AS s WHERE s.workflow_step_id = u.step OFFSET 0
        ) AS step
        CROSS JOIN LATERAL (
            SELECT t.to_state, t.metadata FROM tasker_workflow_step_transitions AS t
            WHERE t.workflow_step_id = u.step AND t.most_recent OFFSET 0
        ) AS current
    ) AS r;
    RETURN parents;
END $$;

-- Settles those of the tasks that have nothing left to do, by the rules of `decide::settlement`.
CREATE FUNCTION tasker_settle(
    p_now timestamp, p_tasks bigint[], p_unbegun bigint[],
    OUT tasks bigint[], OUT states text[], OUT rows bigint[], OUT metadata jsonb[], OUT left_open integer[],
    OUT begun bigint[], OUT begun_by bigint[]
)
LANGUAGE plpgsql AS $$
DECLARE
    unsure bigint[];
BEGIN
    -- What runs keeps its task open. Where every step is processed, nothing needs to be counted. From the far end,
    -- where a task is at work.
    SELECT array_agg(q.task) FILTER (WHERE q.finished), array_agg(q.task) FILTER (WHERE NOT q.finished)
    INTO tasks, unsure
    FROM (
        SELECT u.task, (
            SELECT true FROM tasker_workflow_steps AS s WHERE s.task_id = u.task AND NOT s.processed
            ORDER BY s.workflow_step_id DESC LIMIT 1) IS NULL AS finished
        FROM unnest(p_tasks) AS u (task)
        WHERE (
            SELECT true FROM tasker_workflow_steps AS s WHERE s.task_id = u.task AND s.in_process
            ORDER BY s.workflow_step_id DESC LIMIT 1) IS NULL
    ) AS q;
    states := array_fill('complete'::text, ARRAY[coalesce(cardinality(tasks), 0)]);
    metadata := array_fill('{}'::jsonb, ARRAY[coalesce(cardinality(tasks), 0)]);
    left_open := array_fill(0, ARRAY[coalesce(cardinality(tasks), 0)]);

    IF unsure IS NOT NULL THEN
        SELECT tasks || array_agg(v.task), states || array_agg(v.verdict), metadata || array_agg(
            CASE v.verdict
                WHEN 'error' THEN jsonb_build_object('reason', 'steps_in_error_state', 'error_steps', v.blocked)
                WHEN 'cancelled' THEN jsonb_build_object(
                    'cancelled_steps', v.cancelled, 'triggered_by', 'all_leaves_cancelled')
                ELSE CASE WHEN v.cancelled > 0 THEN jsonb_build_object('cancelled_steps', v.cancelled) ELSE '{}' END
            END), left_open || array_agg(v.unsatisfied)
        INTO tasks, states, metadata, left_open
        FROM tasker_verdicts(unsure) AS v;
    END IF;
    IF tasks IS NULL THEN
        RETURN;
    END IF;

    -- A task that was never begun, or was reopened, is begun before it is complete.
    IF p_unbegun IS NOT NULL THEN
        SELECT array_agg(u.task) INTO begun FROM unnest(tasks, states) AS u (task, state)
        WHERE u.state = 'complete' AND u.task = ANY (p_unbegun);
        IF begun IS NOT NULL THEN
            begun_by := tasker_begin_tasks(p_now, begun);
        END IF;
    END IF;
    rows := tasker_move_tasks(p_now, tasks, states, metadata);
END $$;

-- Counts the steps of tasks in which none runs, and says how those end that do end; `blocked` are names. Judged in
-- full, and only where the quick look of `tasker_settle` could not tell: something failed, was cancelled, resolved or
-- waits.
CREATE FUNCTION tasker_verdicts(p_tasks bigint[])
RETURNS TABLE (task bigint, verdict text, cancelled bigint, unsatisfied integer, blocked jsonb)
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY
    SELECT v.task, v.verdict, v.cancelled, v.unsatisfied::integer, CASE WHEN v.verdict = 'error' THEN (
        SELECT jsonb_agg(n.name ORDER BY s.workflow_step_id)
        FROM tasker_workflow_steps AS s
        CROSS JOIN LATERAL (
            SELECT n.name FROM tasker_named_steps AS n WHERE n.named_step_id = s.named_step_id OFFSET 0
        ) AS n
        WHERE s.task_id = v.task AND NOT tasker_may_run(s.attempts, s.retry_limit, s.retryable)
            AND coalesce((
                SELECT t.to_state FROM tasker_workflow_step_transitions AS t
                WHERE t.workflow_step_id = s.workflow_step_id AND t.most_recent
            ), 'pending') IN ('pending', 'error')) END
    FROM (
        SELECT u.task, tally.cancelled, tally.total - tally.satisfied AS unsatisfied, CASE
            WHEN tally.satisfied + tally.cancelled = tally.total THEN
                -- Some leaf, a step that no other waits for, is not cancelled; a task without steps has none.
                CASE WHEN tally.cancelled > 0 AND (
                    SELECT true FROM tasker_workflow_steps AS s
                    WHERE s.task_id = u.task
                        AND (
                            SELECT true FROM tasker_workflow_step_edges AS e
                            WHERE e.from_step_id = s.workflow_step_id LIMIT 1) IS NULL
                        AND (
                            SELECT t.to_state FROM tasker_workflow_step_transitions AS t
                            WHERE t.workflow_step_id = s.workflow_step_id AND t.most_recent) <> 'cancelled'
                    LIMIT 1) IS NULL
                THEN 'cancelled' ELSE 'complete' END
            -- Some step is blocked, and none is ready or waits for its back-off only.
            WHEN tally.blocked > 0 AND tally.running = 0 AND (
                    SELECT true FROM tasker_workflow_steps AS s
                    WHERE s.task_id = u.task AND tasker_may_run(s.attempts, s.retry_limit, s.retryable)
                        AND coalesce((
                            SELECT t.to_state FROM tasker_workflow_step_transitions AS t
                            WHERE t.workflow_step_id = s.workflow_step_id AND t.most_recent
                        ), 'pending') IN ('pending', 'error')
                        AND (
                            SELECT true FROM tasker_workflow_step_edges AS e
                            WHERE e.to_step_id = s.workflow_step_id AND coalesce((
                                SELECT p.to_state FROM tasker_workflow_step_transitions AS p
                                WHERE p.workflow_step_id = e.from_step_id AND p.most_recent
                            ), 'pending') NOT IN ('complete', 'resolved_manually')
                            LIMIT 1) IS NULL
                    LIMIT 1) IS NULL
                THEN 'error' END AS verdict
        FROM unnest(p_tasks) AS u (task)
        CROSS JOIN LATERAL (
            SELECT
                count(*) AS total,
                count(*) FILTER (WHERE x.state IN ('complete', 'resolved_manually')) AS satisfied,
                count(*) FILTER (WHERE x.state = 'cancelled') AS cancelled,
                count(*) FILTER (WHERE x.state = 'in_progress') AS running,
                count(*) FILTER (WHERE x.state IN ('pending', 'error') AND NOT x.may_run) AS blocked
            FROM (
                SELECT
                    tasker_may_run(s.attempts, s.retry_limit, s.retryable) AS may_run, coalesce((
                        SELECT t.to_state FROM tasker_workflow_step_transitions AS t
                        WHERE t.workflow_step_id = s.workflow_step_id AND t.most_recent
                    ), 'pending') AS state
                FROM tasker_workflow_steps AS s WHERE s.task_id = u.task
            ) AS x
        ) AS tally
    ) AS v
    WHERE v.verdict IS NOT NULL;
END $$;

-- Writes wakes: those of wanted tasks are replaced, of others only an earlier one counts. A wake that is put off for
-- want of a handler is parked: it waits twice as long each time in a row, from a second to a minute; one that is parked
-- and not yet due stays as it is, lest whoever looks often keeps it from others. A task that may go on at once is left
-- over by p_worker, which had no room for it. Answers with those it wrote.
CREATE FUNCTION tasker_write_wakes(
    p_now timestamp, p_worker text, p_wanted bigint[], p_tasks bigint[], p_dues timestamp[], p_parked boolean[],
    OUT tasks bigint[], OUT dues timestamp[]
)
LANGUAGE plpgsql AS $$
BEGIN
    WITH written AS (
        INSERT INTO tasker_wakes (task_id, due_at, parked, left_by, task_namespace_id)
        SELECT
            u.task, least(u.due, parked.until),
            CASE WHEN parked.until <= coalesce(u.due, parked.until) THEN parked.times + 1 ELSE 0 END,
            CASE WHEN u.due <= p_now THEN p_worker END, (
                SELECT n.task_namespace_id FROM tasker_tasks AS t
                JOIN tasker_named_tasks AS n ON n.named_task_id = t.named_task_id WHERE t.task_id = u.task)
        FROM unnest(p_tasks, p_dues, p_parked) AS u (task, due, parked)
        LEFT JOIN LATERAL (
            SELECT k.due_at, k.parked, k.parked > 0 AND k.due_at > p_now AS waits
            FROM tasker_wakes AS k WHERE k.task_id = u.task OFFSET 0
        ) AS old ON true
        CROSS JOIN LATERAL (
            SELECT
                coalesce(old.parked, 0) AS times,
                CASE WHEN u.parked AND old.waits THEN old.due_at
                    WHEN u.parked
                    THEN p_now + least(2 ^ least(coalesce(old.parked, 0), 6), 60) * interval '1 second' END AS until
        ) AS parked
        WHERE old.due_at IS NULL OR least(u.due, parked.until) < old.due_at
            OR u.task = ANY (p_wanted) AND NOT (u.parked AND old.waits AND old.due_at <= coalesce(u.due, old.due_at))
        ON CONFLICT (task_id) DO UPDATE
        SET due_at = excluded.due_at, parked = excluded.parked, generation = excluded.generation,
            left_by = excluded.left_by
        RETURNING task_id, due_at
    )
    SELECT array_agg(task_id), array_agg(due_at) INTO tasks, dues FROM written;
END $$;

-- Moves tasks on by one wave.
--
-- o_* are outcomes, each once (see `tasker_record`); p_spawned are the steps that they ask for (see `tasker_spawn`), or
-- NULL. p_wanted are tasks to be looked at in full. p_total, p_per_task, h_names and h_rooms are the room of the
-- worker; NULL is no limit. h_names have rooms of their own; others have no limit with p_others, and no room without.
-- p_below_cancelled is the metadata of steps that are cancelled because a parent was.
--
-- Answers, each part in arrays of one length: the tasks that there are; outcomes that were recorded, by their place
-- from 1, with their rows; places of outcomes that were recorded before (all others are stale); claims; what their
-- parents yielded, but for parents that this call completed; rows that began tasks; steps that were cancelled in
-- passing, with where they stood; tasks that are settled, with the row when this call wrote it; of those that it
-- settled, which come first, what the row says and how many steps are not satisfied; tasks that were
-- pending before; wakes that it wrote; tasks and the handlers for which there was no room.
CREATE FUNCTION tasker_advance(
    p_worker text, p_now timestamp,
    o_task bigint[], o_step bigint[], o_token bigint[], o_to text[], o_permanent boolean[], o_wait_seconds integer[],
    o_results jsonb[], o_metadata jsonb[], p_spawned jsonb,
    p_wanted bigint[], p_total integer, p_per_task integer, h_names text[], h_rooms integer[], p_others boolean,
    p_below_cancelled jsonb,
    OUT tasks bigint[],
    OUT recorded_places integer[], OUT recorded_rows bigint[], OUT recorded_blocked text[],
    OUT repeated_places integer[],
    OUT claim_tasks bigint[], OUT claim_steps bigint[], OUT claim_tokens bigint[], OUT claim_attempts integer[],
    OUT claim_retries boolean[],
    OUT edge_children bigint[], OUT edge_parents bigint[],
    OUT parent_steps bigint[], OUT parent_kinds text[], OUT parent_results jsonb[],
    OUT begun_tasks bigint[], OUT begun_rows bigint[],
    OUT cancelled_tasks bigint[], OUT cancelled_steps bigint[], OUT cancelled_states text[], OUT cancelled_rows bigint[],
    OUT settled_tasks bigint[], OUT settled_states text[], OUT settled_rows bigint[],
    OUT settled_metadata jsonb[], OUT settled_open integer[], OUT unbegun_tasks bigint[],
    OUT wake_tasks bigint[], OUT wake_dues timestamp[],
    OUT no_room_tasks bigint[], OUT no_room_handlers text[]
)
LANGUAGE plpgsql
-- A plan is made once for a session and must suit one step as well as five hundred, on tables of any size: nested loops
-- over index probes, whatever the statistics say. All seven cost 4 µs a call.
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
DECLARE
    heads tasker_heads;
    recorded tasker_recorded;
    full_tasks bigint[];        -- of which every step is judged
    ready bigint[];             -- steps that may be claimed when they are judged ready
    judgement tasker_judgement;
    choice tasker_choice;
    held tasker_claims;
    claims tasker_claims;
    parents tasker_parents;
    idle bigint[];              -- live tasks without a new claim
    answered bigint[];          -- tasks whose wake is removed
BEGIN
    heads := tasker_read_heads(tasker_lock_tasks(o_task || p_wanted));
    tasks := heads.tasks;
    unbegun_tasks := heads.unbegun;

    IF o_token <> '{}' THEN
        recorded := tasker_record(
            p_now, o_task, o_step, o_token, o_to, o_permanent, o_wait_seconds, o_results, o_metadata);
        recorded_places := recorded.places;
        recorded_rows := recorded.rows;
        recorded_blocked := recorded.blocked;
        IF p_spawned IS NOT NULL THEN
            PERFORM tasker_spawn(p_now, o_task, o_step, recorded.places, p_spawned);
        END IF;
        IF coalesce(cardinality(recorded.places), 0) < cardinality(o_token) THEN
            repeated_places := tasker_recorded_before(o_task, o_step, o_token, recorded.places);
            PERFORM tasker_keep_late(
                p_now, o_task, o_step, o_token, o_to, o_results, o_metadata, recorded.places || repeated_places);
        END IF;
    END IF;

    -- Judge.
    IF p_wanted <> '{}' OR p_per_task IS NOT NULL OR heads.limited IS NOT NULL THEN
        full_tasks := ARRAY(
            SELECT u.task FROM unnest(heads.live) AS u (task)
            WHERE p_per_task IS NOT NULL OR u.task = ANY (p_wanted) OR u.task = ANY (heads.limited));
    END IF;
    IF recorded.completed IS NOT NULL THEN
        ready := ARRAY(
            SELECT DISTINCT child.step
            FROM unnest(recorded.completed) AS u (step)
            CROSS JOIN LATERAL (
                SELECT e.to_step_id AS step FROM tasker_workflow_step_edges AS e WHERE e.from_step_id = u.step OFFSET 0
            ) AS child);
    END IF;
    IF full_tasks <> '{}' THEN
        ready := ARRAY(
            SELECT unnest(ready)
            UNION
            SELECT step.id
            FROM unnest(full_tasks) AS u (task)
            CROSS JOIN LATERAL (
                SELECT s.workflow_step_id AS id FROM tasker_workflow_steps AS s
                WHERE s.task_id = u.task AND NOT s.processed AND NOT s.in_process OFFSET 0
            ) AS step);
        recorded.others := ARRAY(SELECT unnest(recorded.others) EXCEPT SELECT unnest(ready));
    END IF;
    IF ready <> '{}' OR recorded.others <> '{}' THEN
        judgement := tasker_judge(
            heads.live, ready, recorded.others, coalesce(recorded.completed, '{}'), h_names IS NOT NULL);
        IF judgement.some_cancelled AND full_tasks <> '{}' THEN
            SELECT c.tasks, c.steps, c.states, c.rows
            INTO cancelled_tasks, cancelled_steps, cancelled_states, cancelled_rows
            FROM tasker_cancel_below_cancelled(p_now, full_tasks, p_below_cancelled) AS c;
            IF cancelled_steps IS NOT NULL THEN
                judgement := tasker_judge(
                    heads.live, ready, recorded.others, coalesce(recorded.completed, '{}'), h_names IS NOT NULL);
            END IF;
        END IF;
    END IF;

    -- Claim. What the worker holds already is read first, so that no new claim is among it.
    IF repeated_places IS NOT NULL THEN
        held := tasker_held_claims(
            p_worker, o_token, ARRAY(SELECT o_task[u.place] FROM unnest(repeated_places) AS u (place)));
    END IF;
    IF judgement.candidates IS NOT NULL THEN
        choice := tasker_choose(
            p_now, judgement.candidates, heads, p_wanted, p_total, p_per_task, h_names, h_rooms, p_others);
        no_room_tasks := choice.no_room_tasks;
        no_room_handlers := choice.no_room_handlers;
    END IF;
    IF choice.chosen IS NOT NULL THEN
        claims := tasker_claim(p_now, p_worker, choice.chosen, choice.some_have_rows);
        IF heads.unbegun IS NOT NULL THEN
            SELECT array_agg(u.task) INTO begun_tasks FROM unnest(heads.unbegun) AS u (task)
            WHERE u.task = ANY (claims.tasks);
            IF begun_tasks IS NOT NULL THEN
                begun_rows := tasker_begin_tasks(p_now, begun_tasks);
            END IF;
        END IF;
    END IF;
    claim_tasks := held.tasks || claims.tasks;
    claim_steps := held.steps || claims.steps;
    claim_tokens := held.tokens || claims.tokens;
    claim_attempts := held.attempts || claims.attempts;
    claim_retries := held.retries || claims.retries;
    IF choice.some_have_parents OR held.steps IS NOT NULL THEN
        parents := tasker_read_parents(claim_steps, coalesce(recorded.completed, '{}'));
        edge_children := parents.children;
        edge_parents := parents.parents;
        parent_steps := parents.steps;
        parent_kinds := parents.kinds;
        parent_results := parents.results;
    END IF;

    -- Settle. A task with a new claim has something left to do; in the midst of chains each has one, in the same order.
    IF heads.live <> claims.tasks OR claims.tasks IS NULL THEN
        idle := ARRAY(SELECT unnest(heads.live) EXCEPT SELECT unnest(claims.tasks));
        IF idle <> '{}' THEN
            SELECT
                s.tasks, s.states, s.rows, s.metadata, s.left_open, begun_tasks || s.begun, begun_rows || s.begun_by
            INTO
                settled_tasks, settled_states, settled_rows, settled_metadata, settled_open, begun_tasks,
                begun_rows
            FROM tasker_settle(p_now, idle, heads.unbegun) AS s;
        END IF;
    END IF;

    -- Wake.
    IF choice.wake_tasks IS NOT NULL THEN
        SELECT w.tasks, w.dues INTO wake_tasks, wake_dues
        FROM tasker_write_wakes(
            p_now, p_worker, p_wanted, choice.wake_tasks, choice.wake_dues, choice.wake_parked) AS w;
    END IF;
    answered := p_wanted || settled_tasks || heads.held || heads.closed;
    IF answered <> '{}' THEN
        DELETE FROM tasker_wakes AS w
        USING (
            SELECT old.at
            FROM (SELECT unnest(answered) EXCEPT SELECT unnest(choice.wake_tasks)) AS u (task)
            CROSS JOIN LATERAL (
                SELECT k.ctid AS at FROM tasker_wakes AS k WHERE k.task_id = u.task OFFSET 0
            ) AS old
        ) AS old
        WHERE w.ctid = old.at;
    END IF;
    settled_tasks := settled_tasks || heads.closed;
    settled_states := settled_states || heads.closed_states;
    settled_rows := settled_rows || array_fill(NULL::bigint, ARRAY[coalesce(cardinality(heads.closed), 0)]);
END $$;
