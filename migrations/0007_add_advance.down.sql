DROP FUNCTION tasker_advance(
    text, timestamp, bigint[], bigint[], bigint[], text[], boolean[], integer[], jsonb[], jsonb[], jsonb, bigint[],
    integer, integer, text[], integer[], boolean, jsonb);
DROP FUNCTION tasker_write_wakes(timestamp, text, bigint[], bigint[], timestamp[], boolean[]);
DROP FUNCTION tasker_verdicts(bigint[]);
DROP FUNCTION tasker_settle(timestamp, bigint[], bigint[]);
DROP FUNCTION tasker_read_parents(bigint[], bigint[]);
DROP FUNCTION tasker_claim(timestamp, text, tasker_candidate[], boolean);
DROP FUNCTION tasker_choose(
    timestamp, tasker_candidate[], tasker_heads, bigint[], integer, integer, text[], integer[], boolean);
DROP FUNCTION tasker_choose_in_turns(
    timestamp, tasker_candidate[], tasker_heads, bigint[], integer, integer, text[], integer[], boolean);
DROP FUNCTION tasker_judge(bigint[], bigint[], bigint[], bigint[], boolean);
DROP FUNCTION tasker_cancel_below_cancelled(timestamp, bigint[], jsonb);
DROP FUNCTION tasker_step_named(bigint, text);
DROP FUNCTION tasker_spawn(timestamp, bigint[], bigint[], integer[], jsonb);
DROP FUNCTION tasker_held_claims(text, bigint[], bigint[]);
DROP FUNCTION tasker_keep_late(timestamp, bigint[], bigint[], bigint[], text[], jsonb[], jsonb[], integer[]);
DROP FUNCTION tasker_recorded_before(bigint[], bigint[], bigint[], integer[]);
DROP FUNCTION tasker_record(
    timestamp, bigint[], bigint[], bigint[], text[], boolean[], integer[], jsonb[], jsonb[]);
DROP FUNCTION tasker_read_heads(bigint[]);
DROP TYPE tasker_parents;
DROP TYPE tasker_claims;
DROP TYPE tasker_choice;
DROP TYPE tasker_judgement;
DROP TYPE tasker_candidate;
DROP TYPE tasker_recorded;
DROP TYPE tasker_heads;
