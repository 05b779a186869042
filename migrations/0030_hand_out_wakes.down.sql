DROP FUNCTION tasker_receive_wakes;

ALTER TABLE tasker_wakes
    DROP COLUMN hidden_until,
    DROP COLUMN handed_generation;
