-- What went on in the whole database of late: the reference's analytics with corrected bodies.
--
-- These questions are about all tasks, so they read all of them. Each is planned when it is asked, for the tables as
-- they are by then.

-- What the reference counts: a task that has a completed step counts as completed, one that has a failed step as failed,
-- and it may be both. The numbers are kept as they are, because programs compare them with earlier ones.
CREATE FUNCTION get_analytics_metrics_v01_at(now timestamptz, since_timestamp timestamptz DEFAULT NULL)
RETURNS TABLE (
    active_tasks_count bigint, total_namespaces_count bigint, unique_task_types_count bigint,
    system_health_score numeric, task_throughput bigint, completion_count bigint, error_count bigint,
    completion_rate numeric, error_rate numeric, avg_task_duration numeric, avg_step_duration numeric,
    step_throughput bigint, analysis_period_start timestamptz, calculated_at timestamptz)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
DECLARE
    hour_start timestamp := now AT TIME ZONE 'UTC' - interval '1 hour';
    period_start timestamp := coalesce(since_timestamp AT TIME ZONE 'UTC', hour_start);
BEGIN
    RETURN QUERY
    WITH recent AS MATERIALIZED (
        SELECT k.task_id, k.created_at, k.created_at > hour_start AS in_hour, k.created_at > period_start AS in_period
        FROM tasker_tasks AS k WHERE k.created_at > least(hour_start, period_start)
    ), step AS MATERIALIZED (
        SELECT
            recent.task_id, recent.in_hour, recent.in_period, t.to_state AS state,
            t.created_at - recent.created_at AS since_task, t.created_at - s.created_at AS since_step
        FROM recent
        JOIN tasker_workflow_steps AS s ON s.task_id = recent.task_id
        LEFT JOIN tasker_workflow_step_transitions AS t ON t.workflow_step_id = s.workflow_step_id AND t.most_recent
    ), counted AS (
        SELECT
            count(DISTINCT step.task_id) FILTER (WHERE step.in_hour AND step.state = 'complete') AS hour_completed,
            count(DISTINCT step.task_id) FILTER (WHERE step.in_hour AND step.state = 'error') AS hour_failed,
            count(DISTINCT step.task_id) FILTER (WHERE step.in_period AND step.state = 'complete') AS completed,
            count(DISTINCT step.task_id) FILTER (WHERE step.in_period AND step.state = 'error') AS failed,
            avg(extract(epoch FROM step.since_task)) FILTER (WHERE step.in_period AND step.state = 'complete')
                AS since_task,
            avg(extract(epoch FROM step.since_step)) FILTER (WHERE step.in_period AND step.state = 'complete')
                AS since_step,
            count(*) FILTER (WHERE step.in_period) AS steps
        FROM step
    )
    SELECT
        (
            SELECT count(DISTINCT s.task_id)
            FROM tasker_workflow_step_transitions AS t
            JOIN tasker_workflow_steps AS s ON s.workflow_step_id = t.workflow_step_id
            WHERE t.most_recent AND t.to_state NOT IN ('complete', 'error', 'resolved_manually')
        ),
        used.namespaces, used.names, tasker_share(c.hour_completed, c.hour_completed + c.hour_failed, 1, 3, 1.0),
        period.tasks, c.completed, c.failed,
        tasker_share(c.completed, period.tasks, 100, 2, 0.0), tasker_share(c.failed, period.tasks, 100, 2, 0.0),
        round(coalesce(c.since_task, 0)::numeric, 3), round(coalesce(c.since_step, 0)::numeric, 3), c.steps,
        period_start AT TIME ZONE 'UTC', now
    FROM counted AS c
    CROSS JOIN (SELECT count(*) AS tasks FROM recent WHERE recent.in_period) AS period
    CROSS JOIN tasker_catalogue_in_use() AS used;
END $$;

-- The same columns, by the state of tasks: completed is a task that is complete, failed one in error, active one that is
-- open; how long a task took is told by tasks, and how long a step took, as before, by completed steps.
CREATE FUNCTION get_analytics_metrics_v02_at(now timestamptz, since_timestamp timestamptz DEFAULT NULL)
RETURNS TABLE (
    active_tasks_count bigint, total_namespaces_count bigint, unique_task_types_count bigint,
    system_health_score numeric, task_throughput bigint, completion_count bigint, error_count bigint,
    completion_rate numeric, error_rate numeric, avg_task_duration numeric, avg_step_duration numeric,
    step_throughput bigint, analysis_period_start timestamptz, calculated_at timestamptz)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
DECLARE
    hour_start timestamp := now AT TIME ZONE 'UTC' - interval '1 hour';
    period_start timestamp := coalesce(since_timestamp AT TIME ZONE 'UTC', hour_start);
BEGIN
    RETURN QUERY
    WITH task AS MATERIALIZED (
        SELECT
            k.task_id, coalesce(t.to_state, 'pending') AS state, t.created_at - k.created_at AS took,
            k.created_at > hour_start AS in_hour, k.created_at > period_start AS in_period
        FROM tasker_tasks AS k
        LEFT JOIN tasker_task_transitions AS t ON t.task_id = k.task_id AND t.most_recent
    ), counted AS (
        SELECT
            count(*) FILTER (WHERE task.state IN ('pending', 'in_progress')) AS active,
            count(*) FILTER (WHERE task.in_hour AND task.state = 'complete') AS hour_completed,
            count(*) FILTER (WHERE task.in_hour AND task.state = 'error') AS hour_failed,
            count(*) FILTER (WHERE task.in_period) AS tasks,
            count(*) FILTER (WHERE task.in_period AND task.state = 'complete') AS completed,
            count(*) FILTER (WHERE task.in_period AND task.state = 'error') AS failed,
            avg(extract(epoch FROM task.took)) FILTER (WHERE task.in_period AND task.state = 'complete') AS took
        FROM task
    ), step AS (
        SELECT
            count(*) AS steps,
            avg(extract(epoch FROM t.created_at - s.created_at)) FILTER (WHERE t.to_state = 'complete') AS took
        FROM task
        JOIN tasker_workflow_steps AS s ON s.task_id = task.task_id
        LEFT JOIN tasker_workflow_step_transitions AS t ON t.workflow_step_id = s.workflow_step_id AND t.most_recent
        WHERE task.in_period
    )
    SELECT
        c.active, used.namespaces, used.names,
        tasker_share(c.hour_completed, c.hour_completed + c.hour_failed, 1, 3, 1.0),
        c.tasks, c.completed, c.failed,
        tasker_share(c.completed, c.tasks, 100, 2, 0.0), tasker_share(c.failed, c.tasks, 100, 2, 0.0),
        round(coalesce(c.took, 0)::numeric, 3), round(coalesce(step.took, 0)::numeric, 3), step.steps,
        period_start AT TIME ZONE 'UTC', now
    FROM counted AS c CROSS JOIN step CROSS JOIN tasker_catalogue_in_use() AS used;
END $$;

CREATE FUNCTION get_analytics_metrics_v02(since_timestamp timestamptz DEFAULT NULL)
RETURNS TABLE (
    active_tasks_count bigint, total_namespaces_count bigint, unique_task_types_count bigint,
    system_health_score numeric, task_throughput bigint, completion_count bigint, error_count bigint,
    completion_rate numeric, error_rate numeric, avg_task_duration numeric, avg_step_duration numeric,
    step_throughput bigint, analysis_period_start timestamptz, calculated_at timestamptz)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_analytics_metrics_v02_at(statement_timestamp(), since_timestamp);
END $$;

-- How many namespaces, and how many names of workflows, have a task.
CREATE FUNCTION tasker_catalogue_in_use(OUT namespaces bigint, OUT names bigint)
LANGUAGE sql STABLE AS $$
    SELECT count(DISTINCT w.task_namespace_id), count(DISTINCT w.name)
    FROM tasker_named_tasks AS w WHERE w.named_task_id IN (SELECT k.named_task_id FROM tasker_tasks AS k)
$$;

-- A share of a whole, in so many parts and with so many decimals; of nothing, what is said for it.
CREATE FUNCTION tasker_share(p_part bigint, p_whole bigint, p_parts integer, p_decimals integer, p_of_nothing numeric)
RETURNS numeric
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_whole = 0 THEN p_of_nothing
        ELSE round(p_part::numeric * p_parts / p_whole, p_decimals) END
$$;

-- Steps that completed, the slowest first: by the time from their creation to their completion. Those that took no time
-- at all are left out. Of steps created since then, or in the last day.
CREATE FUNCTION get_slowest_steps_v01_at(
    now timestamptz, since_timestamp timestamptz DEFAULT NULL, limit_count integer DEFAULT 10,
    namespace_filter text DEFAULT NULL, task_name_filter text DEFAULT NULL, version_filter text DEFAULT NULL
) RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, step_name varchar, task_name varchar, namespace_name varchar,
    version varchar, duration_seconds numeric, attempts integer, created_at timestamptz, completed_at timestamptz,
    retryable boolean, step_status varchar)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT
        s.workflow_step_id, s.task_id, n.name, w.name, p.name, w.version,
        round(extract(epoch FROM t.created_at - s.created_at)::numeric, 3), s.attempts,
        s.created_at AT TIME ZONE 'UTC', t.created_at AT TIME ZONE 'UTC', s.retryable, t.to_state
    FROM tasker_workflow_steps AS s
    JOIN tasker_workflow_step_transitions AS t ON t.workflow_step_id = s.workflow_step_id AND t.most_recent
    JOIN tasker_named_steps AS n ON n.named_step_id = s.named_step_id
    JOIN tasker_tasks AS k ON k.task_id = s.task_id
    JOIN tasker_named_tasks AS w ON w.named_task_id = k.named_task_id
    JOIN tasker_task_namespaces AS p ON p.task_namespace_id = w.task_namespace_id
    WHERE s.created_at > coalesce(since_timestamp, now - interval '24 hours') AT TIME ZONE 'UTC'
        AND t.to_state = 'complete' AND t.created_at > s.created_at
        AND (namespace_filter IS NULL OR p.name = namespace_filter)
        AND (task_name_filter IS NULL OR w.name = task_name_filter)
        AND (version_filter IS NULL OR w.version = version_filter)
    ORDER BY t.created_at - s.created_at DESC, s.workflow_step_id
    LIMIT limit_count;
END $$;

-- Tasks in which some step completed or failed, the slowest first: by the time from their creation to the last such
-- moment. Of tasks created since then, or in the last day.
CREATE FUNCTION get_slowest_tasks_v01_at(
    now timestamptz, since_timestamp timestamptz DEFAULT NULL, limit_count integer DEFAULT 10,
    namespace_filter text DEFAULT NULL, task_name_filter text DEFAULT NULL, version_filter text DEFAULT NULL
) RETURNS TABLE (
    task_id bigint, task_name varchar, namespace_name varchar, version varchar, duration_seconds numeric,
    step_count bigint, completed_steps bigint, error_steps bigint, created_at timestamptz, completed_at timestamptz,
    initiator varchar, source_system varchar)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT
        f.task_id, f.name, f.namespace, f.version,
        round(extract(epoch FROM f.ended_at - f.created_at)::numeric, 3), f.steps, f.completed, f.failed,
        f.created_at AT TIME ZONE 'UTC', f.ended_at AT TIME ZONE 'UTC', f.initiator, f.source_system
    FROM (
        SELECT
            k.task_id, k.created_at, k.initiator, k.source_system, w.name, w.version, p.name AS namespace,
            count(*) AS steps,
            count(*) FILTER (WHERE t.to_state = 'complete') AS completed,
            count(*) FILTER (WHERE t.to_state = 'error') AS failed,
            max(t.created_at) FILTER (WHERE t.to_state IN ('complete', 'error')) AS ended_at
        FROM tasker_tasks AS k
        JOIN tasker_named_tasks AS w ON w.named_task_id = k.named_task_id
        JOIN tasker_task_namespaces AS p ON p.task_namespace_id = w.task_namespace_id
        JOIN tasker_workflow_steps AS s ON s.task_id = k.task_id
        LEFT JOIN tasker_workflow_step_transitions AS t ON t.workflow_step_id = s.workflow_step_id AND t.most_recent
        WHERE k.created_at > coalesce(since_timestamp, now - interval '24 hours') AT TIME ZONE 'UTC'
            AND (namespace_filter IS NULL OR p.name = namespace_filter)
            AND (task_name_filter IS NULL OR w.name = task_name_filter)
            AND (version_filter IS NULL OR w.version = version_filter)
        GROUP BY k.task_id, w.named_task_id, p.task_namespace_id
    ) AS f
    WHERE f.ended_at IS NOT NULL
    ORDER BY f.ended_at - f.created_at DESC, f.task_id
    LIMIT limit_count;
END $$;
