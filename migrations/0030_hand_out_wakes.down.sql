DROP FUNCTION tasker_release_wakes(bigint[], bigint[]);
DROP FUNCTION tasker_receive_wakes(timestamp, text, integer, bigint, interval, interval, text[]);

ALTER TABLE tasker_wakes
    DROP COLUMN hidden_until,
    DROP COLUMN handed_generation;
