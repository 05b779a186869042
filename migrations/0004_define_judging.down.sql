DROP FUNCTION tasker_not_before(text, jsonb, timestamp, integer, timestamp, integer);
DROP FUNCTION tasker_moment(text);
DROP FUNCTION tasker_may_run(integer, integer, boolean);
