DROP FUNCTION tasker_next_wakes(bigint);
DROP FUNCTION tasker_load_history(bigint[]);
DROP FUNCTION tasker_load_steps(bigint[]);
DROP FUNCTION tasker_load_tasks(bigint[]);
