DROP FUNCTION tasker_move_steps(timestamp, bigint[], text[], jsonb[], integer[], boolean[], jsonb[]);
DROP FUNCTION tasker_begin_tasks(timestamp, bigint[]);
DROP FUNCTION tasker_move_tasks(timestamp, bigint[], text[], jsonb[]);
DROP FUNCTION tasker_lock_tasks(bigint[]);
