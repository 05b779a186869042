DROP FUNCTION get_task_execution_context_at(timestamptz, bigint);
DROP FUNCTION get_task_execution_contexts_batch_at(timestamptz, bigint[]);
