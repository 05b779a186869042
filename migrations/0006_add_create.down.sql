DROP FUNCTION tasker_create(
    timestamp, jsonb, jsonb, text[], text[], timestamp[], text[], text[], text[], jsonb[], jsonb[], jsonb[],
    text[], integer[], integer[], jsonb[]);
DROP FUNCTION tasker_learn(
    timestamp, text[], text[], text[], text[], text[], jsonb[], integer[], jsonb[], integer[], integer[], text[],
    text[], text[], text[], boolean[], integer[], boolean[], jsonb[]);
