-- The floor: the least that PostgreSQL has to do for chains of steps, by hand.
--
-- It writes the rows that the engine writes (the start and the finish of a task included), in the same tables with the
-- same foreign keys, one commit a wave, in full batches. It has no engine, no client, no lock on tasks, no fence, no
-- wakes, no audit of who did it; results are `1`. So it shows what the tables cost, and what is above it is ours.
--
-- Written once, for the benches alone, and frozen: a ratio over it means the same from one release to the next. It
-- shares nothing with the product but the tables, and is itself reported over durable commits of one row, so that
-- nobody raises a ratio by slowing the floor.

CREATE TABLE bench_commits (id bigserial PRIMARY KEY, at timestamp NOT NULL);

-- Creates that many tasks, each a chain of that many steps, in commits of p_batch tasks.
CREATE PROCEDURE bench_floor_create(p_tasks integer, p_length integer, p_batch integer)
LANGUAGE plpgsql AS $$
DECLARE
    now_ timestamp := clock_timestamp() AT TIME ZONE 'UTC';
    named_task integer;
    named_steps integer[];
    made integer := 0;
    batch integer;
BEGIN
    INSERT INTO tasker_dependent_systems (name, created_at, updated_at) VALUES ('floor', now_, now_)
    ON CONFLICT DO NOTHING;
    INSERT INTO tasker_named_tasks (name, created_at, updated_at) VALUES ('floor', now_, now_)
    ON CONFLICT DO NOTHING;
    INSERT INTO tasker_named_steps (dependent_system_id, name, created_at, updated_at)
    SELECT s.dependent_system_id, 'floor_' || g, now_, now_
    FROM tasker_dependent_systems AS s CROSS JOIN generate_series(1, p_length) AS g WHERE s.name = 'floor'
    ON CONFLICT DO NOTHING;
    COMMIT;
    SELECT named_task_id INTO named_task FROM tasker_named_tasks WHERE name = 'floor';
    named_steps := ARRAY(
        SELECT n.named_step_id FROM generate_series(1, p_length) AS g
        JOIN tasker_named_steps AS n ON n.name = 'floor_' || g ORDER BY g);
    WHILE made < p_tasks LOOP
        batch := least(p_batch, p_tasks - made);
        WITH tasks AS (
            INSERT INTO tasker_tasks
                (named_task_id, requested_at, context, identity_hash, created_at, updated_at)
            SELECT named_task, now_, '{}', gen_random_uuid()::text, now_, now_ FROM generate_series(1, batch)
            RETURNING task_id
        ), drawn AS (
            SELECT t.task_id, g AS place, nextval('tasker_workflow_steps_workflow_step_id_seq') AS id
            FROM (SELECT task_id FROM tasks ORDER BY task_id) AS t CROSS JOIN generate_series(1, p_length) AS g
        ), steps AS (
            INSERT INTO tasker_workflow_steps
                (workflow_step_id, task_id, named_step_id, attempts, inputs, results, created_at, updated_at)
            SELECT d.id, d.task_id, named_steps[d.place], 0, '{}', '{}', now_, now_ FROM drawn AS d
        )
        INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
        SELECT a.id, b.id, 'provides', now_, now_
        FROM drawn AS a JOIN drawn AS b ON b.task_id = a.task_id AND b.place = a.place + 1;
        COMMIT;
        made := made + batch;
    END LOOP;
END $$;

-- Runs all chains that bench_floor_create has made and nobody has begun, p_batch tasks at a time, one commit a wave.
CREATE PROCEDURE bench_floor_run(p_batch integer)
LANGUAGE plpgsql AS $$
DECLARE
    now_ timestamp;
    waiting bigint[] := ARRAY(
        SELECT t.task_id FROM tasker_tasks AS t JOIN tasker_named_tasks AS n USING (named_task_id)
        WHERE n.name = 'floor' AND NOT t.complete ORDER BY t.task_id);
    tasks bigint[];
    steps bigint[];             -- what runs in this wave
    tokens bigint[];
    ended bigint[];
    first integer := 1;
BEGIN
    PERFORM set_config('plan_cache_mode', 'force_generic_plan', false);
    PERFORM set_config('enable_seqscan', 'off', false);
    PERFORM set_config('enable_hashjoin', 'off', false);
    PERFORM set_config('enable_mergejoin', 'off', false);
    PERFORM set_config('enable_bitmapscan', 'off', false);
    PERFORM set_config('jit', 'off', false);
    WHILE first <= coalesce(cardinality(waiting), 0) LOOP
        tasks := waiting[first:first + p_batch - 1];
        first := first + p_batch;
        now_ := clock_timestamp() AT TIME ZONE 'UTC';
        INSERT INTO tasker_task_transitions
            (to_state, from_state, metadata, sort_key, most_recent, task_id, created_at, updated_at)
        SELECT 'in_progress', 'pending', '{}', 10, true, u.task, now_, now_ FROM unnest(tasks) AS u (task);
        steps := ARRAY(
            SELECT s.id FROM unnest(tasks) AS u (task) CROSS JOIN LATERAL (
                SELECT s.workflow_step_id AS id FROM tasker_workflow_steps AS s WHERE s.task_id = u.task
                ORDER BY s.workflow_step_id LIMIT 1) AS s);
        ended := NULL;
        LOOP
            now_ := clock_timestamp() AT TIME ZONE 'UTC';
            IF ended IS NOT NULL THEN
                WITH swapped AS (
                    UPDATE tasker_workflow_step_transitions AS t SET most_recent = false, updated_at = now_
                    FROM unnest(tokens) AS u (token) WHERE t.id = u.token
                    RETURNING t.workflow_step_id, t.sort_key
                )
                INSERT INTO tasker_workflow_step_transitions
                    (to_state, from_state, metadata, sort_key, most_recent, workflow_step_id, created_at, updated_at)
                SELECT 'complete', 'in_progress', '{}', w.sort_key + 10, true, w.workflow_step_id, now_, now_
                FROM swapped AS w;
                UPDATE tasker_workflow_steps AS s
                SET in_process = false, processed = true, processed_at = now_, results = '1', updated_at = now_
                FROM unnest(ended) AS u (step) WHERE s.workflow_step_id = u.step;
                steps := ARRAY(
                    SELECT e.id FROM unnest(ended) AS u (step) CROSS JOIN LATERAL (
                        SELECT e.to_step_id AS id FROM tasker_workflow_step_edges AS e
                        WHERE e.from_step_id = u.step OFFSET 0) AS e);
            END IF;
            EXIT WHEN steps = '{}';
            UPDATE tasker_workflow_steps AS s
            SET attempts = 1, in_process = true, last_attempted_at = now_, updated_at = now_
            FROM unnest(steps) AS u (step) WHERE s.workflow_step_id = u.step;
            WITH written AS (
                INSERT INTO tasker_workflow_step_transitions
                    (to_state, from_state, metadata, sort_key, most_recent, workflow_step_id, created_at, updated_at)
                SELECT 'in_progress', 'pending', '{}', 10, true, u.step, now_, now_ FROM unnest(steps) AS u (step)
                RETURNING id
            )
            SELECT array_agg(w.id) INTO tokens FROM written AS w;
            COMMIT;
            ended := steps;
        END LOOP;
        WITH swapped AS (
            UPDATE tasker_task_transitions AS t SET most_recent = false, updated_at = now_
            FROM unnest(tasks) AS u (task) WHERE t.task_id = u.task AND t.most_recent
            RETURNING t.task_id, t.sort_key
        )
        INSERT INTO tasker_task_transitions
            (to_state, from_state, metadata, sort_key, most_recent, task_id, created_at, updated_at)
        SELECT 'complete', 'in_progress', '{}', w.sort_key + 10, true, w.task_id, now_, now_ FROM swapped AS w;
        UPDATE tasker_tasks AS t SET complete = true, updated_at = now_
        FROM unnest(tasks) AS u (task) WHERE t.task_id = u.task;
        COMMIT;
    END LOOP;
END $$;
