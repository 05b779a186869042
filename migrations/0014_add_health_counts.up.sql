-- How the whole database stands, counted: the reference's health counts with a corrected body. It reads everything, so
-- it is not for the path of a task.

-- A task or a step without a row of the audit trail is pending. What was resolved by hand has no bucket, nor have
-- cancelled steps, so the buckets need not make up the total.
CREATE FUNCTION get_system_health_counts_v01_at(now timestamptz)
RETURNS TABLE (
    total_tasks bigint, pending_tasks bigint, in_progress_tasks bigint, complete_tasks bigint, error_tasks bigint,
    cancelled_tasks bigint, total_steps bigint, pending_steps bigint, in_progress_steps bigint, complete_steps bigint,
    error_steps bigint, retryable_error_steps bigint, exhausted_retry_steps bigint, in_backoff_steps bigint,
    active_connections bigint, max_connections bigint)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
SET plan_cache_mode = force_custom_plan SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT task.*, step.*, (
            SELECT count(*) FROM pg_stat_activity AS a WHERE a.datname = current_database() AND a.state = 'active'),
        current_setting('max_connections')::bigint
    FROM (
        SELECT
            count(*),
            count(*) FILTER (WHERE coalesce(t.to_state, 'pending') = 'pending'),
            count(*) FILTER (WHERE t.to_state = 'in_progress'),
            count(*) FILTER (WHERE t.to_state = 'complete'),
            count(*) FILTER (WHERE t.to_state = 'error'),
            count(*) FILTER (WHERE t.to_state = 'cancelled')
        FROM tasker_tasks AS k
        LEFT JOIN tasker_task_transitions AS t ON t.task_id = k.task_id AND t.most_recent
    ) AS task
    CROSS JOIN (
        SELECT
            count(*),
            count(*) FILTER (WHERE coalesce(t.to_state, 'pending') = 'pending'),
            count(*) FILTER (WHERE t.to_state = 'in_progress'),
            count(*) FILTER (WHERE t.to_state = 'complete'),
            count(*) FILTER (WHERE t.to_state = 'error'),
            count(*) FILTER (
                WHERE t.to_state = 'error' AND tasker_may_run(s.attempts, s.retry_limit, s.retryable)),
            count(*) FILTER (
                WHERE t.to_state = 'error' AND coalesce(s.attempts, 0) >= coalesce(s.retry_limit, 3)),
            count(*) FILTER (
                WHERE t.to_state = 'error' AND tasker_may_run(s.attempts, s.retry_limit, s.retryable)
                    AND tasker_not_before(
                        t.to_state, t.metadata, t.created_at, s.attempts, s.last_attempted_at,
                        s.backoff_request_seconds) > now AT TIME ZONE 'UTC')
        FROM tasker_workflow_steps AS s
        LEFT JOIN tasker_workflow_step_transitions AS t ON t.workflow_step_id = s.workflow_step_id AND t.most_recent
    ) AS step;
END $$;
