DROP FUNCTION tasker_sweep(timestamp, bigint, integer);
DROP FUNCTION tasker_is_forgotten(bigint);
DROP FUNCTION tasker_lost_claims(timestamp, bigint);
DROP FUNCTION tasker_beat(timestamp, text, text, bigint[], timestamp);
DROP FUNCTION tasker_apply(
    timestamp, bigint, text[], jsonb[], bigint[], text[], jsonb[], integer[], boolean[], jsonb[], timestamp, boolean);
DROP FUNCTION tasker_hold_tasks(bigint[]);
