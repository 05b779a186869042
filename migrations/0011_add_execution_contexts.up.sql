-- How tasks stand as a whole: the reference's execution contexts with corrected bodies. The ladders are those of the
-- engine's `decide::ExecutionCounts`.

-- One row for each of the tasks that there is, ascending, however often it is named.
CREATE FUNCTION get_task_execution_contexts_batch_at(now timestamptz, input_task_ids bigint[])
RETURNS TABLE (
    task_id bigint, named_task_id integer, status text, total_steps bigint, pending_steps bigint,
    in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
    recommended_action text, completion_percentage numeric, health_status text)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET enable_bitmapscan = off SET enable_material = off SET jit = off
AS $$
BEGIN
    RETURN QUERY
    SELECT
        v.task_id, v.named_task_id, v.status, v.total, v.pending, v.running, v.satisfied, v.failed, v.ready,
        v.verdict, CASE v.verdict
            WHEN 'has_ready_steps' THEN 'execute_ready_steps'
            WHEN 'processing' THEN 'wait_for_completion'
            WHEN 'blocked_by_failures' THEN 'handle_failures'
            WHEN 'all_complete' THEN 'finalize_task'
            ELSE 'wait_for_dependencies' END,
        CASE WHEN v.total = 0 THEN 0.0 ELSE round(v.satisfied * 100.0 / v.total, 2) END,
        CASE WHEN v.failed = 0 AND v.blocked = 0 THEN 'healthy'
            WHEN v.ready = 0 AND v.blocked > 0 THEN 'blocked'
            ELSE 'recovering' END
    FROM (
        SELECT
            task.*, coalesce(current.state, 'pending') AS status, tally.*,
            CASE WHEN tally.ready > 0 THEN 'has_ready_steps'
                WHEN tally.running > 0 THEN 'processing'
                WHEN tally.waiting > 0 THEN 'waiting_for_dependencies'
                WHEN tally.blocked > 0 THEN 'blocked_by_failures'
                WHEN tally.satisfied + tally.cancelled = tally.total THEN 'all_complete'
                ELSE 'waiting_for_dependencies' END AS verdict
        FROM (SELECT DISTINCT unnest(input_task_ids)) AS u (id)
        CROSS JOIN LATERAL (
            SELECT k.task_id, k.named_task_id FROM tasker_tasks AS k WHERE k.task_id = u.id OFFSET 0
        ) AS task
        LEFT JOIN LATERAL (
            SELECT t.to_state::text AS state FROM tasker_task_transitions AS t
            WHERE t.task_id = u.id AND t.most_recent OFFSET 0
        ) AS current ON true
        CROSS JOIN LATERAL (
            SELECT
                count(*) AS total,
                count(*) FILTER (WHERE r.current_state = 'pending') AS pending,
                count(*) FILTER (WHERE r.current_state = 'in_progress') AS running,
                count(*) FILTER (WHERE r.current_state IN ('complete', 'resolved_manually')) AS satisfied,
                count(*) FILTER (WHERE r.current_state = 'cancelled') AS cancelled,
                count(*) FILTER (WHERE r.current_state = 'error') AS failed,
                count(*) FILTER (WHERE r.ready_for_execution) AS ready,
                count(*) FILTER (WHERE r.waiting_for_backoff) AS waiting,
                count(*) FILTER (WHERE r.blocked) AS blocked
            FROM tasker_step_readiness(now AT TIME ZONE 'UTC', u.id, NULL) AS r
        ) AS tally
    ) AS v
    ORDER BY v.task_id;
END $$;

-- One row, or none when there is no such task.
CREATE FUNCTION get_task_execution_context_at(now timestamptz, input_task_id bigint)
RETURNS TABLE (
    task_id bigint, named_task_id integer, status text, total_steps bigint, pending_steps bigint,
    in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
    recommended_action text, completion_percentage numeric, health_status text)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_task_execution_contexts_batch_at(now, ARRAY[input_task_id]);
END $$;
