-- When may a step run again? The rules of the engine's `decide::readiness` and `decide::not_before`, each defined once.
-- They are plain expressions, which PostgreSQL puts in the place of their call: they cost nothing and hide nothing from
-- the planner.

-- Whether a step that is pending or failed may be tried again at all. Where it may not, it is blocked.
CREATE FUNCTION tasker_may_run(p_attempts integer, p_retry_limit integer, p_retryable boolean) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$
    SELECT coalesce(p_attempts, 0) < coalesce(p_retry_limit, 3) AND (p_retryable OR coalesce(p_attempts, 0) = 0)
$$;

-- A moment as the audit trail writes it. Of a text that is none, or beyond the years that are written with four digits,
-- NULL: one odd row must not fail the call for all tasks. So the pattern lets no day pass that the calendar has not.
-- Without a backslash, which some sessions read otherwise.
CREATE FUNCTION tasker_moment(p_text text) RETURNS timestamp
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_text ~ concat(
        '^(?!0000|.{5}(02-3|0[469]-31|11-31))',
        '(?=.{5}(?!02-29)|[0-9][0-9](0[48]|[2468][048]|[13579][26])-|([02468][048]|[13579][26])00-)',
        '[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])',
        'T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?Z$')
    THEN p_text::timestamp END
$$;

-- The moment from which a step may run as far as waiting goes; NULL when it need not wait. A row that carries
-- `backoff_until` is governed by that alone; without it the later of the reference's two gates counts.
CREATE FUNCTION tasker_not_before(
    p_state text, p_metadata jsonb, p_since timestamp,
    p_attempts integer, p_last_attempted_at timestamp, p_backoff_request_seconds integer
) RETURNS timestamp
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_state IN ('pending', 'error') THEN coalesce(
        tasker_moment(p_metadata ->> 'backoff_until'),
        greatest(
            CASE WHEN p_state = 'error'
                THEN p_since + least(2 ^ least(coalesce(p_attempts, 0), 5), 30) * interval '1 second' END,
            p_last_attempted_at + CASE WHEN p_backoff_request_seconds < 0 THEN 0 ELSE p_backoff_request_seconds END
                * interval '1 second')) END
$$;
