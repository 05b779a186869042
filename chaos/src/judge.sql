-- Judges what a run of chaos has left: by the tables, by what the handlers wrote down themselves (chaos.ledger), and by
-- what was done to the workers (chaos.acts). It calls nothing of the engine.
--
-- Answers lines of text, and of each whether it says that something is wrong. By hand, on a database that was kept:
-- psql -At -f judge.sql DATABASE.
--
-- lost                 A task that is not settled, though it was calm for a while and workers were there.
-- doubled              An outcome that was recorded twice, or under a claim that was not the current one at that moment;
--                      a step that completed twice, or has the results of another run than the one that is recorded, or
--                      passed such results on to its children; two claims of a step at once; a run in the ledger without
--                      a claim, or a second one under the same claim; more runs in the ledger than the attempts of the
--                      step say. A run whose outcome was fenced off, or whose worker died, is an attempt that was counted.
-- attempts_over_limit  A step that has more attempts than its limit, or ran more often. Where it asked to sleep, it did
--                      not use up an attempt.
-- wrong                Anything else that must not be: an outcome that the database refused, an audit trail with gaps, a
--                      settled task that has steps left, a failed one in which nothing is blocked, a step that ran before
--                      its parents had, two steps at once where one at a time was asked for, a worker that crashed.
WITH
-- Every claim, with the row that ended it.
claims AS MATERIALIZED (
    SELECT
        c.id AS token, c.workflow_step_id AS step, s.task_id AS task, c.sort_key,
        (c.metadata ->> 'attempt_number')::integer AS attempt, e.id AS ended_by, e.to_state, e.metadata AS said
    FROM tasker_workflow_step_transitions AS c
    JOIN tasker_workflow_steps AS s USING (workflow_step_id)
    LEFT JOIN LATERAL (
        SELECT e.* FROM tasker_workflow_step_transitions AS e
        WHERE e.workflow_step_id = c.workflow_step_id AND e.sort_key > c.sort_key ORDER BY e.sort_key LIMIT 1
    ) AS e ON true
    WHERE c.to_state = 'in_progress'
),
-- What handlers wrote down, a row for each claim that they ran under.
runs AS MATERIALIZED (
    SELECT
        l.task, l.step, l.token, l.attempt, count(*) FILTER (WHERE l.what = 'started') AS started,
        min(l.at) FILTER (WHERE l.what = 'started') AS began, min(l.at) FILTER (WHERE l.what = 'completed') AS completed
    FROM chaos.ledger AS l GROUP BY l.task, l.step, l.token, l.attempt
),
-- Those that used up an attempt: all, but for a sleep that was recorded.
counted AS MATERIALIZED (
    SELECT r.step, count(*) AS runs
    FROM runs AS r
    WHERE NOT EXISTS (
        SELECT FROM claims AS c
        WHERE c.token = r.token AND c.said ->> 'phase' = 'snoozed' AND c.said ->> 'claim' = c.token::text)
    GROUP BY r.step
),
tasks AS MATERIALIZED (
    SELECT t.task_id AS task, coalesce(x.to_state, 'pending') AS state, n.name
    FROM tasker_tasks AS t
    JOIN tasker_named_tasks AS n USING (named_task_id)
    LEFT JOIN tasker_task_transitions AS x ON x.task_id = t.task_id AND x.most_recent
),
steps AS MATERIALIZED (
    SELECT
        s.workflow_step_id AS step, s.task_id AS task, coalesce(x.to_state, 'pending') AS state, s.results,
        coalesce(s.attempts, 0) AS attempts, coalesce(s.retry_limit, 3) AS retry_limit, s.in_process,
        (x.metadata ->> 'claim')::bigint AS claim, x.metadata
    FROM tasker_workflow_steps AS s
    LEFT JOIN tasker_workflow_step_transitions AS x ON x.workflow_step_id = s.workflow_step_id AND x.most_recent
),
rows AS MATERIALIZED (
    SELECT
        t.*, lag(t.id) OVER w AS before_id, lag(t.to_state) OVER w AS before_state,
        row_number() OVER w AS place
    FROM tasker_workflow_step_transitions AS t
    WINDOW w AS (PARTITION BY t.workflow_step_id ORDER BY t.sort_key)
),
violations (kind, why, task, step, token) AS (
    SELECT 'lost', 'is ' || t.state, t.task, NULL::bigint, NULL::bigint FROM tasks AS t
    WHERE t.state IN ('pending', 'in_progress')

    UNION ALL
    SELECT 'doubled', 'its outcome was recorded ' || count(*) || ' times', NULL, r.workflow_step_id,
        (r.metadata ->> 'claim')::bigint
    FROM rows AS r WHERE r.metadata ? 'claim' GROUP BY r.workflow_step_id, r.metadata ->> 'claim' HAVING count(*) > 1
    UNION ALL
    SELECT 'doubled', 'completed ' || count(*) || ' times', NULL, r.workflow_step_id, NULL
    FROM rows AS r WHERE r.to_state = 'complete' GROUP BY r.workflow_step_id HAVING count(*) > 1
    UNION ALL
    SELECT 'doubled', 'was recorded under a claim that was not the current one', NULL, r.workflow_step_id,
        (r.metadata ->> 'claim')::bigint
    FROM rows AS r
    WHERE r.metadata ? 'claim'
        AND (r.before_id::text IS DISTINCT FROM r.metadata ->> 'claim' OR r.before_state <> 'in_progress')
    UNION ALL
    SELECT 'doubled', 'was claimed while it was ' || coalesce(r.before_state, 'pending'), NULL, r.workflow_step_id, r.id
    FROM rows AS r WHERE r.to_state = 'in_progress' AND coalesce(r.before_state, 'pending') <> 'pending'
    UNION ALL
    SELECT 'doubled', 'ran ' || r.started || ' times under one claim', r.task, r.step, r.token
    FROM runs AS r WHERE r.started <> 1
    UNION ALL
    SELECT 'doubled', 'ran without a claim', r.task, r.step, r.token
    FROM runs AS r WHERE NOT EXISTS (
        SELECT FROM claims AS c
        WHERE c.token = r.token AND c.step = r.step AND c.task = r.task AND c.attempt = r.attempt)
    UNION ALL
    SELECT 'doubled', 'ran ' || r.runs || ' times, and has ' || s.attempts || ' attempts', s.task, s.step, NULL
    FROM counted AS r JOIN steps AS s USING (step) WHERE r.runs > s.attempts
    UNION ALL
    SELECT 'doubled', 'has the results of ' || coalesce(s.results ->> 'by', 'nobody'), s.task, s.step, s.claim
    FROM steps AS s LEFT JOIN runs AS r ON r.token = s.claim AND r.step = s.step
    WHERE s.state = 'complete' AND (s.results ->> 'by' IS DISTINCT FROM s.claim::text OR r.completed IS NULL)
    UNION ALL
    SELECT 'doubled', 'read other results of its parents than are recorded', s.task, s.step, s.claim
    FROM steps AS s
    WHERE s.state = 'complete'
        AND (SELECT array_agg(p::bigint ORDER BY p::bigint) FROM jsonb_array_elements_text(s.results -> 'parents') AS p)
            IS DISTINCT FROM (
                SELECT array_agg((p.results ->> 'by')::bigint ORDER BY (p.results ->> 'by')::bigint)
                FROM tasker_workflow_step_edges AS e JOIN steps AS p ON p.step = e.from_step_id
                WHERE e.to_step_id = s.step)

    UNION ALL
    SELECT 'attempts_over_limit', s.attempts || ' of ' || s.retry_limit || ', and ' || coalesce(r.runs, 0) || ' runs',
        s.task, s.step, NULL
    FROM steps AS s LEFT JOIN counted AS r USING (step)
    WHERE s.attempts > s.retry_limit OR r.runs > s.retry_limit

    UNION ALL
    SELECT 'wrong', 'the database refused its outcome: ' || (r.metadata ->> 'error_message'), NULL,
        r.workflow_step_id, (r.metadata ->> 'claim')::bigint
    FROM rows AS r WHERE r.metadata ->> 'error_class' = 'NOT_RECORDABLE'
    UNION ALL
    SELECT 'wrong', 'its audit trail has gaps', NULL, r.workflow_step_id, NULL
    FROM rows AS r
    WHERE r.sort_key <> r.place * 10 OR r.from_state <> coalesce(r.before_state, 'pending')
    UNION ALL
    SELECT 'wrong', 'is ' || s.state || ' in a task that is ' || t.state, s.task, s.step, NULL
    FROM steps AS s JOIN tasks AS t USING (task)
    WHERE (t.state = 'complete' AND s.state NOT IN ('complete', 'cancelled'))
        OR (t.state = 'cancelled' AND s.state NOT IN ('complete', 'cancelled'))
        OR (t.state = 'error' AND (s.in_process OR s.state = 'in_progress'))
    UNION ALL
    SELECT 'wrong', 'failed, and nothing in it is blocked', t.task, NULL, NULL
    FROM tasks AS t
    WHERE t.state = 'error' AND NOT EXISTS (
        SELECT FROM steps AS s WHERE s.task = t.task AND s.state = 'error' AND s.attempts >= s.retry_limit)
    UNION ALL
    SELECT 'wrong', 'is settled and has a wake', t.task, NULL, NULL
    FROM tasks AS t JOIN tasker_wakes AS w ON w.task_id = t.task WHERE t.state NOT IN ('pending', 'in_progress')
    UNION ALL
    SELECT 'wrong', 'ran before its parent ' || e.from_step_id || ' had', s.task, s.step, s.claim
    FROM steps AS s
    JOIN runs AS r ON r.token = s.claim
    JOIN tasker_workflow_step_edges AS e ON e.to_step_id = s.step
    JOIN steps AS p ON p.step = e.from_step_id
    JOIN runs AS before ON before.token = p.claim
    WHERE s.state = 'complete' AND before.completed > r.began
    UNION ALL
    -- Claims of one task are drawn and ended under its lock, so that the numbers of the rows tell their order.
    SELECT 'wrong', 'was claimed while step ' || other.step || ' ran, though it is one at a time', c.task, c.step, c.token
    FROM claims AS c
    JOIN tasks AS t ON t.task = c.task AND t.name = 'one_at_a_time'
    JOIN claims AS other ON other.task = c.task AND other.token < c.token AND other.ended_by > c.token
    UNION ALL
    SELECT 'wrong', 'worker ' || a.whom || ' crashed', NULL, NULL, NULL FROM chaos.acts AS a WHERE a.what = 'crashed'
),
lines (place, line, is_wrong) AS (
    SELECT 1, 'tasks: ' || count(*), false FROM tasks
    UNION ALL SELECT 2, 'steps: ' || count(*), false FROM steps
    UNION ALL SELECT 3, 'runs: ' || count(*), false FROM runs
    UNION ALL SELECT 4, 'workers: ' || count(DISTINCT worker), false FROM chaos.ledger
    UNION ALL
    SELECT 10 + acts.place, acts.name || ': ' || (SELECT count(*) FROM chaos.acts AS a WHERE a.what = acts.what), false
    FROM (VALUES
        (1, 'kills', 'killed'), (2, 'freezes', 'frozen'), (3, 'stops', 'stopped'),
        (4, 'dropped_connections', 'cut'), (5, 'lost_replies', 'lost'), (6, 'restarts', 'crashed the server'),
        (7, 'cancels', 'cancelled')
    ) AS acts (place, name, what)
    UNION ALL
    SELECT 20, 'rescued: ' || count(*), false FROM rows AS r WHERE r.metadata ->> 'error_class' = 'WorkerLost'
    UNION ALL
    SELECT 21, 'handed_back: ' || count(*), false FROM rows AS r
    WHERE r.from_state = 'in_progress' AND r.to_state = 'pending' AND NOT r.metadata ? 'claim'
    UNION ALL
    SELECT 22, 'stale_outcomes: ' || count(*), false FROM rows AS r WHERE r.metadata ? 'late_outcome'
    UNION ALL
    SELECT 23, 'failed_tasks: ' || count(*), false FROM tasks AS t WHERE t.state = 'error'
    UNION ALL
    SELECT 24, 'cancelled_tasks: ' || count(*), false FROM tasks AS t WHERE t.state = 'cancelled'
    UNION ALL
    SELECT 30 + k.place, k.kind || ': ' || count(v.kind), count(v.kind) > 0
    FROM (VALUES (1, 'lost'), (2, 'doubled'), (3, 'attempts_over_limit'), (4, 'wrong')) AS k (place, kind)
    LEFT JOIN violations AS v ON v.kind = k.kind GROUP BY k.place, k.kind
    UNION ALL
    (SELECT 40, concat_ws(' ', '  ' || v.kind || ':', 'task ' || coalesce(v.task, s.task_id), 'step ' || v.step,
        'claim ' || v.token, v.why), true
    FROM violations AS v LEFT JOIN tasker_workflow_steps AS s ON s.workflow_step_id = v.step LIMIT 20)
)
SELECT line, is_wrong FROM lines ORDER BY place, line;
