DROP TABLE tasker_annotation_types;
DROP TABLE tasker_named_tasks_named_steps;
DROP TABLE tasker_named_steps;
DROP TABLE tasker_dependent_system_object_maps;
DROP TABLE tasker_dependent_systems;
DROP TABLE tasker_named_tasks;
DROP TABLE tasker_task_namespaces;
