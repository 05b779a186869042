-- Receiving wakes: each is handed out to one receiver at a time, however many ask, so that processes on one database do
-- not all look at the same tasks.
--
-- A wake that was handed out is hidden from others for a short while, by when its task was looked at: that writes another
-- wake, which is not hidden because it has another generation, or none. If the receiver died, the wake shows again.
-- It is no lock. Whoever looks at a task takes the lock of that task, and finds out what there is to do.

ALTER TABLE tasker_wakes
    ADD COLUMN handed_generation bigint,
    ADD COLUMN hidden_until timestamp(6);

-- Hands out wakes that are due, at most p_limit, in turns: of each namespace the earliest, then of each the next one,
-- beginning with the namespace after p_after; or else says when to come again, as far as that is known. `namespace` is
-- that of the last one.
--
-- A wake that p_worker left over for want of room is in line there, and kept for others as long as p_hide. A wake of a
-- definition in p_unserved is left to others. One that nobody took by p_patience is parked, for nobody who runs has its
-- handlers: it waits longer each time in a row, from a second to a minute, as in `tasker_advance`.
--
-- Rows that another transaction has locked at this moment are passed over: a task is being moved there, which writes its
-- wake anew. Nothing is waited for, and no task is locked, so there is no order of locks to keep.
CREATE FUNCTION tasker_receive_wakes(
    p_now timestamp, p_worker text, p_limit integer, p_after bigint, p_hide interval, p_patience interval,
    p_unserved text[],
    OUT tasks bigint[], OUT dues timestamp[], OUT generations bigint[], OUT namespace bigint, OUT next timestamp
)
LANGUAGE plpgsql
-- As for `tasker_advance`.
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
DECLARE
    waking record := tasker_waking_namespaces();
    due bigint[] := ARRAY(SELECT n.id FROM unnest(waking.ids, waking.firsts) AS n (id, first) WHERE n.first <= p_now);
    share integer := ceil(p_limit::numeric / greatest(cardinality(due), 1));
BEGIN
    IF due = '{}' THEN
        NULL;
    ELSIF p_unserved <> '{}' THEN
        -- Looks past those left to others, but not for ever: what stands in the way is parked sooner or later.
        WITH candidate AS MATERIALIZED (
            SELECT w.*, n.id AS namespace FROM unnest(due) AS n (id) CROSS JOIN LATERAL (
                SELECT w.ctid AS at, w.task_id, w.due_at, w.parked FROM tasker_wakes AS w
                WHERE w.task_namespace_id = n.id AND w.due_at <= p_now
                    AND (w.handed_generation IS DISTINCT FROM w.generation OR w.hidden_until <= p_now)
                    AND ((w.left_by = p_worker) IS NOT TRUE OR w.due_at <= p_now - p_hide)
                ORDER BY w.due_at, w.task_id LIMIT share + 500
                FOR NO KEY UPDATE SKIP LOCKED
            ) AS w
        ), judged AS MATERIALIZED (
            SELECT c.*, coalesce(d.definition_hash = ANY (p_unserved), false) AS unserved
            FROM candidate AS c
            LEFT JOIN LATERAL (
                SELECT d.definition_hash FROM tasker_task_definitions AS d WHERE d.task_id = c.task_id OFFSET 0
            ) AS d ON true
        ), parked AS (
            UPDATE tasker_wakes AS w
            SET due_at = p_now + least(2 ^ least(j.parked, 6), 60) * interval '1 second', parked = j.parked + 1,
                generation = nextval('tasker_wake_generations'), left_by = NULL
            FROM judged AS j WHERE w.ctid = j.at AND j.unserved AND j.due_at <= p_now - p_patience
        ), handed AS (
            UPDATE tasker_wakes AS w SET handed_generation = w.generation, hidden_until = p_now + p_hide
            FROM (
                SELECT served.* FROM (
                    SELECT
                        j.at, j.namespace,
                        row_number() OVER (PARTITION BY j.namespace ORDER BY j.due_at, j.task_id) AS turn
                    FROM judged AS j WHERE NOT j.unserved
                ) AS served
                ORDER BY served.turn, served.namespace <= p_after, served.namespace LIMIT p_limit
            ) AS served
            WHERE w.ctid = served.at
            RETURNING w.task_id, w.due_at, w.generation, served.turn, served.namespace
        ), ordered AS (
            SELECT h.*, row_number() OVER (ORDER BY h.turn, h.namespace <= p_after, h.namespace) AS place
            FROM handed AS h
        )
        SELECT
            array_agg(o.task_id ORDER BY o.place), array_agg(o.due_at ORDER BY o.place),
            array_agg(o.generation ORDER BY o.place), (array_agg(o.namespace ORDER BY o.place DESC))[1]
        INTO tasks, dues, generations, namespace FROM ordered AS o;
    ELSE
        WITH handed AS (
            UPDATE tasker_wakes AS w SET handed_generation = w.generation, hidden_until = p_now + p_hide
            FROM (
                SELECT w.at, w.turn, n.id AS namespace
                FROM unnest(due) AS n (id) CROSS JOIN LATERAL (
                    SELECT w.at, row_number() OVER (ORDER BY w.due_at, w.task_id) AS turn FROM (
                        SELECT w.ctid AS at, w.due_at, w.task_id FROM tasker_wakes AS w
                        WHERE w.task_namespace_id = n.id AND w.due_at <= p_now
                            AND (w.handed_generation IS DISTINCT FROM w.generation OR w.hidden_until <= p_now)
                            AND ((w.left_by = p_worker) IS NOT TRUE OR w.due_at <= p_now - p_hide)
                        ORDER BY w.due_at, w.task_id LIMIT share
                        FOR NO KEY UPDATE SKIP LOCKED
                    ) AS w
                ) AS w
                ORDER BY w.turn, n.id <= p_after, n.id LIMIT p_limit
            ) AS served
            WHERE w.ctid = served.at
            RETURNING w.task_id, w.due_at, w.generation, served.turn, served.namespace
        ), ordered AS (
            SELECT h.*, row_number() OVER (ORDER BY h.turn, h.namespace <= p_after, h.namespace) AS place
            FROM handed AS h
        )
        SELECT
            array_agg(o.task_id ORDER BY o.place), array_agg(o.due_at ORDER BY o.place),
            array_agg(o.generation ORDER BY o.place), (array_agg(o.namespace ORDER BY o.place DESC))[1]
        INTO tasks, dues, generations, namespace FROM ordered AS o;
    END IF;

    IF tasks IS NULL THEN
        SELECT min(least(
            (SELECT w.due_at FROM tasker_wakes AS w
                WHERE w.task_namespace_id = n.id AND w.due_at > p_now ORDER BY w.due_at LIMIT 1),
            (SELECT min(kept.until) FROM (
                SELECT CASE WHEN w.handed_generation = w.generation AND w.hidden_until > p_now THEN w.hidden_until
                    WHEN w.left_by = p_worker AND w.due_at > p_now - p_hide THEN w.due_at + p_hide END AS until
                FROM tasker_wakes AS w
                WHERE w.task_namespace_id = n.id AND w.due_at <= p_now
                ORDER BY w.due_at, w.task_id LIMIT 100
            ) AS kept),
            -- Those that are left to others for now.
            CASE WHEN p_unserved <> '{}' THEN (
                SELECT w.due_at + p_patience FROM tasker_wakes AS w
                WHERE w.task_namespace_id = n.id AND w.due_at <= p_now AND w.due_at + p_patience > p_now
                ORDER BY w.due_at LIMIT 1) END))
        INTO next
        FROM unnest(waking.ids) AS n (id);
    END IF;
END $$;

-- Shows wakes again that were handed out, unless they were written anew since.
CREATE FUNCTION tasker_release_wakes(p_tasks bigint[], p_generations bigint[]) RETURNS void
LANGUAGE plpgsql
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    UPDATE tasker_wakes AS w SET handed_generation = NULL, hidden_until = NULL
    FROM (
        SELECT k.at
        FROM unnest(p_tasks, p_generations) AS u (task, generation)
        CROSS JOIN LATERAL (
            SELECT k.ctid AS at FROM tasker_wakes AS k WHERE k.task_id = u.task AND k.generation = u.generation
            FOR NO KEY UPDATE SKIP LOCKED
        ) AS k
    ) AS handed
    WHERE w.ctid = handed.at;
END $$;
