DROP VIEW tasker_step_graph;
DROP FUNCTION tasker_dependency_levels(bigint);
DROP FUNCTION tasker_raise_cycle(bigint, bigint[], integer[], integer[], integer[]);
DROP FUNCTION tasker_step_depths(bigint);
DROP FUNCTION tasker_edges_among(bigint[]);
