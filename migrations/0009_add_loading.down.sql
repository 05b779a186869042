DROP FUNCTION tasker_due(timestamp, bigint);
DROP FUNCTION tasker_waking_namespaces();
DROP FUNCTION tasker_load_history(bigint[]);
DROP FUNCTION tasker_load_steps(bigint[]);
DROP FUNCTION tasker_load_tasks(bigint[]);
