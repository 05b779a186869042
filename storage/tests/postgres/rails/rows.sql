-- Rows as the Rails engine writes them: `from_state` is never given, metadata is empty, a fresh task or step has no row
-- of state, `in_process` is never true, and texts that nobody gave may be NULL. The first namespace is not `default`.
--
-- The workflow payments/refund 1.0.0 is a chain of three steps in the system `gateway`: reserve, charge, notify.

INSERT INTO tasker_task_namespaces (name, created_at, updated_at) VALUES ('payments', '2025-12-01', '2025-12-01');
-- The configuration is not given: it becomes a JSON string of two braces.
INSERT INTO tasker_named_tasks (name, created_at, updated_at, task_namespace_id, version)
VALUES ('refund', '2025-12-01', '2025-12-01', 1, '1.0.0');
INSERT INTO tasker_dependent_systems (name, created_at, updated_at) VALUES ('gateway', '2025-12-01', '2025-12-01');
INSERT INTO tasker_named_steps (dependent_system_id, name, created_at, updated_at)
SELECT 1, name, '2025-12-01', '2025-12-01' FROM unnest(ARRAY['reserve', 'charge', 'notify']) AS name;
INSERT INTO tasker_named_tasks_named_steps (named_task_id, named_step_id, created_at, updated_at)
SELECT 1, step, '2025-12-01', '2025-12-01' FROM generate_series(1, 3) AS step;

-- Task 1 is complete, 2 fresh, 3 failed in its second step, 4 was left running by a process that died, 5 has a history
-- without a current row, 6 is cancelled (its steps were left alone), 7 holds a state that does not exist.
INSERT INTO tasker_tasks (
    named_task_id, complete, requested_at, initiator, source_system, reason, bypass_steps, tags, context, identity_hash,
    created_at, updated_at)
SELECT 1, n = 1, '2025-12-24 09:00', 'web', NULL, NULL, NULL, NULL, jsonb_build_object('order', n), 'rails ' || n,
    '2025-12-24 09:00', '2025-12-24 09:00'
FROM generate_series(1, 7) AS n;

-- Step 10n + k is the k-th of task n.
INSERT INTO tasker_workflow_steps (
    workflow_step_id, task_id, named_step_id, retry_limit, attempts, inputs, results, created_at, updated_at)
SELECT 10 * n + k, n, k, 3, 0, jsonb_build_object('order', n), '{}', '2025-12-24 09:00', '2025-12-24 09:00'
FROM generate_series(1, 7) AS n, generate_series(1, 3) AS k;
SELECT setval('tasker_workflow_steps_workflow_step_id_seq', 100);
INSERT INTO tasker_workflow_step_edges (from_step_id, to_step_id, name, created_at, updated_at)
SELECT 10 * n + k, 10 * n + k + 1, 'provides', '2025-12-24 09:00', '2025-12-24 09:00'
FROM generate_series(1, 7) AS n, generate_series(1, 2) AS k;

INSERT INTO tasker_task_transitions (task_id, to_state, sort_key, most_recent, created_at, updated_at) VALUES
    (1, 'in_progress', 10, false, '2025-12-24 09:01', '2025-12-24 09:02'),
    (1, 'complete', 20, true, '2025-12-24 09:02', '2025-12-24 09:02'),
    (3, 'in_progress', 10, false, '2025-12-24 09:01', '2025-12-24 09:02'),
    (3, 'pending', 20, true, '2025-12-24 09:02', '2025-12-24 09:02'),
    (4, 'in_progress', 10, true, '2025-12-24 09:01', '2025-12-24 09:01'),
    (5, 'in_progress', 10, false, '2025-12-24 09:01', '2025-12-24 09:01'),
    (6, 'cancelled', 10, true, '2025-12-24 09:01', '2025-12-24 09:01'),
    (7, 'in_progress', 10, true, '2025-12-24 09:01', '2025-12-24 09:01');

-- Sort keys leave gaps where a row was removed.
INSERT INTO tasker_workflow_step_transitions (workflow_step_id, to_state, sort_key, most_recent, created_at, updated_at)
SELECT step, to_state, sort_key, most_recent, '2025-12-24 09:01', '2025-12-24 09:01'
FROM (VALUES
    (11, 'in_progress', 10, false), (11, 'complete', 20, true),
    (12, 'in_progress', 10, false), (12, 'complete', 20, true),
    (13, 'in_progress', 10, false), (13, 'complete', 20, true),
    (31, 'in_progress', 10, false), (31, 'complete', 20, true),
    (32, 'in_progress', 10, false), (32, 'error', 45, true),
    (41, 'in_progress', 10, false), (41, 'complete', 20, true),
    (42, 'in_progress', 10, true),
    (51, 'in_progress', 10, false),
    (71, 'in_progress', 10, false), (71, 'failed', 20, true)
) AS rows (step, to_state, sort_key, most_recent);

UPDATE tasker_workflow_steps
SET processed = true, processed_at = '2025-12-24 09:01', attempts = 1, last_attempted_at = '2025-12-24 09:01',
    results = jsonb_build_object('done', workflow_step_id)
WHERE workflow_step_id IN (11, 12, 13, 31, 41);
UPDATE tasker_workflow_steps
SET attempts = 1, last_attempted_at = '2025-12-24 09:01',
    results = '{"error": "declined", "error_class": "PaymentError", "backtrace": "…"}'
WHERE workflow_step_id = 32;
-- Made by hand, without the builder.
UPDATE tasker_workflow_steps SET attempts = NULL, retry_limit = NULL, inputs = NULL, results = NULL
WHERE workflow_step_id = 22;
