DROP TABLE tasker_workers;
DROP TABLE tasker_fresh_tasks;
DROP TABLE tasker_wakes;
DROP TABLE tasker_step_bindings;
DROP TABLE tasker_task_definitions;
DROP TABLE tasker_definition_steps;
DROP TABLE tasker_definitions;
