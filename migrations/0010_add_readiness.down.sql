DROP FUNCTION get_step_readiness_status_batch_at(timestamptz, bigint[]);
DROP FUNCTION get_step_readiness_status_at(timestamptz, bigint, bigint[]);
DROP FUNCTION tasker_step_readiness(timestamp, bigint, bigint[]);
