-- Which steps of a task may run, and why the others may not: the reference's readiness functions with corrected bodies.
-- Each depends on time, so each takes it: `_at` functions are new, so that they can be had beside the reference's own.
--
-- What the functions here and in the migrations that follow bring as settings of their own, since neither a pooler nor
-- an application's session can be trusted with it:
--
-- * the search path, so that they are found and find their tables in whatever schema they were made in;
-- * the zone UTC, though nothing depends on it: all is compared in UTC without a zone;
-- * where they read what belongs to tasks, the plan: index probes, whatever the tables held when it was made.

-- The steps of a task as they stand at a moment, or those of them that are given: what the reference's readiness tells,
-- and besides which steps are blocked and which wait for nothing but their back-off. PostgreSQL puts it in the place of
-- its call, so what is not asked for is not read. Only for functions that bring settings.
--
-- An edge from a step of another task, as old data may have it, counts like any other.
CREATE FUNCTION tasker_step_readiness(p_now timestamp, p_task bigint, p_steps bigint[])
RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, named_step_id integer, name text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
    last_failure_at timestamp, next_retry_at timestamp, total_parents integer, completed_parents integer,
    attempts integer, retry_limit integer, backoff_request_seconds integer, last_attempted_at timestamp,
    blocked boolean, waiting_for_backoff boolean)
LANGUAGE sql STABLE AS $$
    SELECT
        j.workflow_step_id, j.task_id, j.named_step_id, (
            SELECT n.name::text FROM tasker_named_steps AS n WHERE n.named_step_id = j.named_step_id),
        j.state, j.satisfied = j.parents, coalesce(j.attempts, 0) < coalesce(j.retry_limit, 3), j.free AND j.due,
        CASE WHEN j.state = 'error' THEN j.since END,
        -- The reference tells what was asked for in every state.
        coalesce(j.not_before, j.last_attempted_at
            + CASE WHEN j.backoff_request_seconds < 0 THEN 0 ELSE j.backoff_request_seconds END * interval '1 second'),
        j.parents, j.satisfied, coalesce(j.attempts, 0), coalesce(j.retry_limit, 3),
        j.backoff_request_seconds, j.last_attempted_at,
        j.unsettled AND NOT j.may_run, j.free AND NOT j.due
    FROM (
        SELECT
            f.*, f.unsettled AND f.may_run AND f.satisfied = f.parents AND NOT f.processed AND NOT f.in_process AS free,
            coalesce(f.not_before <= p_now, f.not_before IS NULL) AS due
        FROM (
            SELECT
                step.*, current.since, coalesce(current.state, 'pending') AS state,
                coalesce(current.state, 'pending') IN ('pending', 'error') AS unsettled,
                tasker_may_run(step.attempts, step.retry_limit, step.retryable) AS may_run,
                tasker_not_before(
                    coalesce(current.state, 'pending'), current.metadata, current.since, step.attempts,
                    step.last_attempted_at, step.backoff_request_seconds) AS not_before,
                parent.parents, parent.satisfied
            FROM (
                SELECT
                    s.workflow_step_id, s.task_id, s.named_step_id, s.processed, s.in_process, s.attempts,
                    s.retry_limit, s.retryable, s.last_attempted_at, s.backoff_request_seconds
                FROM tasker_workflow_steps AS s
                WHERE s.task_id = p_task AND (p_steps IS NULL OR s.workflow_step_id = ANY (p_steps))
                OFFSET 0
            ) AS step
            LEFT JOIN LATERAL (
                SELECT t.to_state::text AS state, t.metadata, t.created_at AS since
                FROM tasker_workflow_step_transitions AS t
                WHERE t.workflow_step_id = step.workflow_step_id AND t.most_recent OFFSET 0
            ) AS current ON true
            CROSS JOIN LATERAL (
                SELECT
                    count(*)::integer AS parents,
                    count(*) FILTER (WHERE (
                        SELECT t.to_state FROM tasker_workflow_step_transitions AS t
                        WHERE t.workflow_step_id = e.from_step_id AND t.most_recent
                    ) IN ('complete', 'resolved_manually'))::integer AS satisfied
                FROM tasker_workflow_step_edges AS e WHERE e.to_step_id = step.workflow_step_id
            ) AS parent
            OFFSET 0
        ) AS f
    ) AS j
$$;

-- The steps of a task, or those of them that are given; ascending.
CREATE FUNCTION get_step_readiness_status_at(now timestamptz, input_task_id bigint, step_ids bigint[] DEFAULT NULL)
RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, named_step_id integer, name text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
    last_failure_at timestamp, next_retry_at timestamp, total_parents integer, completed_parents integer,
    attempts integer, retry_limit integer, backoff_request_seconds integer, last_attempted_at timestamp)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT
        r.workflow_step_id, r.task_id, r.named_step_id, r.name, r.current_state, r.dependencies_satisfied,
        r.retry_eligible, r.ready_for_execution, r.last_failure_at, r.next_retry_at, r.total_parents,
        r.completed_parents, r.attempts, r.retry_limit, r.backoff_request_seconds, r.last_attempted_at
    FROM tasker_step_readiness(now AT TIME ZONE 'UTC', input_task_id, step_ids) AS r
    ORDER BY r.workflow_step_id;
END $$;

-- The steps of many tasks; ascending by task and step, each once however often its task is named.
CREATE FUNCTION get_step_readiness_status_batch_at(now timestamptz, input_task_ids bigint[])
RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, named_step_id integer, name text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
    last_failure_at timestamp, next_retry_at timestamp, total_parents integer, completed_parents integer,
    attempts integer, retry_limit integer, backoff_request_seconds integer, last_attempted_at timestamp)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT
        r.workflow_step_id, r.task_id, r.named_step_id, r.name, r.current_state, r.dependencies_satisfied,
        r.retry_eligible, r.ready_for_execution, r.last_failure_at, r.next_retry_at, r.total_parents,
        r.completed_parents, r.attempts, r.retry_limit, r.backoff_request_seconds, r.last_attempted_at
    FROM (SELECT DISTINCT unnest(input_task_ids)) AS u (task)
    CROSS JOIN LATERAL tasker_step_readiness(now AT TIME ZONE 'UTC', u.task, NULL) AS r
    ORDER BY r.task_id, r.workflow_step_id;
END $$;
