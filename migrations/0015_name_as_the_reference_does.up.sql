-- The nine functions and the view of the reference, under its names and with its columns, for its own programs and for
-- whoever has written statements against them. Each asks what was made in the migrations before, at the moment at which
-- the statement began.
--
-- Nothing of ours calls these ten: on a database that Rails made they are Rails' own until somebody has them replaced.
-- For that this file can be run as it is.

CREATE OR REPLACE FUNCTION get_step_readiness_status(input_task_id bigint, step_ids bigint[] DEFAULT NULL)
RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, named_step_id integer, name text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
    last_failure_at timestamp, next_retry_at timestamp, total_parents integer, completed_parents integer,
    attempts integer, retry_limit integer, backoff_request_seconds integer, last_attempted_at timestamp)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_step_readiness_status_at(statement_timestamp(), input_task_id, step_ids);
END $$;

CREATE OR REPLACE FUNCTION get_step_readiness_status_batch(input_task_ids bigint[])
RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, named_step_id integer, name text, current_state text,
    dependencies_satisfied boolean, retry_eligible boolean, ready_for_execution boolean,
    last_failure_at timestamp, next_retry_at timestamp, total_parents integer, completed_parents integer,
    attempts integer, retry_limit integer, backoff_request_seconds integer, last_attempted_at timestamp)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_step_readiness_status_batch_at(statement_timestamp(), input_task_ids);
END $$;

CREATE OR REPLACE FUNCTION get_task_execution_context(input_task_id bigint)
RETURNS TABLE (
    task_id bigint, named_task_id integer, status text, total_steps bigint, pending_steps bigint,
    in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
    recommended_action text, completion_percentage numeric, health_status text)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_task_execution_context_at(statement_timestamp(), input_task_id);
END $$;

CREATE OR REPLACE FUNCTION get_task_execution_contexts_batch(input_task_ids bigint[])
RETURNS TABLE (
    task_id bigint, named_task_id integer, status text, total_steps bigint, pending_steps bigint,
    in_progress_steps bigint, completed_steps bigint, failed_steps bigint, ready_steps bigint, execution_status text,
    recommended_action text, completion_percentage numeric, health_status text)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_task_execution_contexts_batch_at(statement_timestamp(), input_task_ids);
END $$;

CREATE OR REPLACE FUNCTION calculate_dependency_levels(input_task_id bigint)
RETURNS TABLE (workflow_step_id bigint, dependency_level integer)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM tasker_dependency_levels(input_task_id);
END $$;

CREATE OR REPLACE FUNCTION get_analytics_metrics_v01(since_timestamp timestamptz DEFAULT NULL)
RETURNS TABLE (
    active_tasks_count bigint, total_namespaces_count bigint, unique_task_types_count bigint,
    system_health_score numeric, task_throughput bigint, completion_count bigint, error_count bigint,
    completion_rate numeric, error_rate numeric, avg_task_duration numeric, avg_step_duration numeric,
    step_throughput bigint, analysis_period_start timestamptz, calculated_at timestamptz)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_analytics_metrics_v01_at(statement_timestamp(), since_timestamp);
END $$;

CREATE OR REPLACE FUNCTION get_slowest_steps_v01(
    since_timestamp timestamptz DEFAULT NULL, limit_count integer DEFAULT 10, namespace_filter text DEFAULT NULL,
    task_name_filter text DEFAULT NULL, version_filter text DEFAULT NULL
) RETURNS TABLE (
    workflow_step_id bigint, task_id bigint, step_name varchar, task_name varchar, namespace_name varchar,
    version varchar, duration_seconds numeric, attempts integer, created_at timestamptz, completed_at timestamptz,
    retryable boolean, step_status varchar)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_slowest_steps_v01_at(
        statement_timestamp(), since_timestamp, limit_count, namespace_filter, task_name_filter, version_filter);
END $$;

CREATE OR REPLACE FUNCTION get_slowest_tasks_v01(
    since_timestamp timestamptz DEFAULT NULL, limit_count integer DEFAULT 10, namespace_filter text DEFAULT NULL,
    task_name_filter text DEFAULT NULL, version_filter text DEFAULT NULL
) RETURNS TABLE (
    task_id bigint, task_name varchar, namespace_name varchar, version varchar, duration_seconds numeric,
    step_count bigint, completed_steps bigint, error_steps bigint, created_at timestamptz, completed_at timestamptz,
    initiator varchar, source_system varchar)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_slowest_tasks_v01_at(
        statement_timestamp(), since_timestamp, limit_count, namespace_filter, task_name_filter, version_filter);
END $$;

CREATE OR REPLACE FUNCTION get_system_health_counts_v01()
RETURNS TABLE (
    total_tasks bigint, pending_tasks bigint, in_progress_tasks bigint, complete_tasks bigint, error_tasks bigint,
    cancelled_tasks bigint, total_steps bigint, pending_steps bigint, in_progress_steps bigint, complete_steps bigint,
    error_steps bigint, retryable_error_steps bigint, exhausted_retry_steps bigint, in_backoff_steps bigint,
    active_connections bigint, max_connections bigint)
LANGUAGE plpgsql STABLE
SET search_path FROM CURRENT SET timezone = 'UTC'
AS $$
BEGIN
    RETURN QUERY SELECT * FROM get_system_health_counts_v01_at(statement_timestamp());
END $$;

CREATE OR REPLACE VIEW tasker_step_dag_relationships AS
SELECT
    g.workflow_step_id, g.task_id, g.named_step_id, g.parent_step_ids, g.child_step_ids, g.parent_count, g.child_count,
    g.is_root_step, g.is_leaf_step, g.min_depth_from_root
FROM tasker_step_graph AS g;
