DROP FUNCTION tasker_take_over(timestamp, text, bigint, integer);
DROP FUNCTION tasker_misfit(bigint, text);
