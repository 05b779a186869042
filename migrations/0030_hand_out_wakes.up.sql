-- Receiving wakes: each is handed out to one receiver at a time, however many ask, so that processes on one database do
-- not all look at the same tasks.
--
-- A wake that was handed out is hidden from others for a short while, by when its task was looked at: that writes another
-- wake, which is not hidden because it has another generation, or none. If the receiver died, the wake shows again.
-- It is no lock. Whoever looks at a task takes the lock of that task, and finds out what there is to do.

ALTER TABLE tasker_wakes
    ADD COLUMN handed_generation bigint,
    ADD COLUMN hidden_until timestamp(6);

-- Hands out wakes that are due, the earliest first, at most p_limit; or else says when to come again, as far as that is
-- known.
--
-- A wake of a definition in p_unserved is left to others. One that nobody took by p_patient is parked, for nobody who runs
-- has its handlers: it waits longer each time in a row, from a second to a minute, as in `tasker_advance`.
--
-- Rows that another transaction has locked at this moment are passed over: a task is being moved there, which writes its
-- wake anew. Nothing is waited for, and no task is locked, so there is no order of locks to keep.
CREATE FUNCTION tasker_receive_wakes(
    p_now timestamp, p_limit integer, p_hide interval, p_patience interval, p_unserved text[],
    OUT tasks bigint[], OUT dues timestamp[], OUT generations bigint[], OUT next timestamp
)
LANGUAGE plpgsql
-- As for `tasker_advance`.
SET search_path FROM CURRENT
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    IF p_unserved <> '{}' THEN
        -- Looks past those left to others, but not for ever: what stands in the way is parked sooner or later.
        WITH candidate AS MATERIALIZED (
            SELECT w.ctid AS at, w.task_id, w.due_at, w.parked FROM tasker_wakes AS w
            WHERE w.due_at <= p_now AND (w.handed_generation IS DISTINCT FROM w.generation OR w.hidden_until <= p_now)
            ORDER BY w.due_at, w.task_id LIMIT p_limit + 500
            FOR NO KEY UPDATE SKIP LOCKED
        ), judged AS MATERIALIZED (
            SELECT c.*, coalesce(d.definition_hash = ANY (p_unserved), false) AS unserved
            FROM candidate AS c
            LEFT JOIN LATERAL (
                SELECT d.definition_hash FROM tasker_task_definitions AS d WHERE d.task_id = c.task_id OFFSET 0
            ) AS d ON true
        ), parked AS (
            UPDATE tasker_wakes AS w
            SET due_at = p_now + least(2 ^ least(j.parked, 6), 60) * interval '1 second', parked = j.parked + 1,
                generation = nextval('tasker_wake_generations')
            FROM judged AS j WHERE w.ctid = j.at AND j.unserved AND j.due_at <= p_now - p_patience
        ), handed AS (
            UPDATE tasker_wakes AS w SET handed_generation = w.generation, hidden_until = p_now + p_hide
            FROM (
                SELECT j.at FROM judged AS j WHERE NOT j.unserved ORDER BY j.due_at, j.task_id LIMIT p_limit
            ) AS served
            WHERE w.ctid = served.at
            RETURNING w.task_id, w.due_at, w.generation
        )
        SELECT
            array_agg(h.task_id ORDER BY h.due_at, h.task_id), array_agg(h.due_at ORDER BY h.due_at, h.task_id),
            array_agg(h.generation ORDER BY h.due_at, h.task_id)
        INTO tasks, dues, generations FROM handed AS h;
    ELSE
        WITH handed AS (
            UPDATE tasker_wakes AS w SET handed_generation = w.generation, hidden_until = p_now + p_hide
            FROM (
                SELECT w.ctid AS at FROM tasker_wakes AS w
                WHERE w.due_at <= p_now
                    AND (w.handed_generation IS DISTINCT FROM w.generation OR w.hidden_until <= p_now)
                ORDER BY w.due_at, w.task_id LIMIT p_limit
                FOR NO KEY UPDATE SKIP LOCKED
            ) AS due
            WHERE w.ctid = due.at
            RETURNING w.task_id, w.due_at, w.generation
        )
        SELECT
            array_agg(h.task_id ORDER BY h.due_at, h.task_id), array_agg(h.due_at ORDER BY h.due_at, h.task_id),
            array_agg(h.generation ORDER BY h.due_at, h.task_id)
        INTO tasks, dues, generations FROM handed AS h;
    END IF;

    IF tasks IS NULL THEN
        SELECT least(
            (SELECT w.due_at FROM tasker_wakes AS w WHERE w.due_at > p_now ORDER BY w.due_at LIMIT 1),
            (SELECT min(hidden.until) FROM (
                SELECT w.hidden_until AS until FROM tasker_wakes AS w
                WHERE w.due_at <= p_now AND w.handed_generation = w.generation AND w.hidden_until > p_now
                ORDER BY w.due_at, w.task_id LIMIT 100
            ) AS hidden),
            -- Those that are left to others for now.
            CASE WHEN p_unserved <> '{}' THEN (
                SELECT w.due_at + p_patience FROM tasker_wakes AS w
                WHERE w.due_at <= p_now AND w.due_at + p_patience > p_now ORDER BY w.due_at LIMIT 1) END)
        INTO next;
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
