DROP FUNCTION get_slowest_tasks_v01_at(timestamptz, timestamptz, integer, text, text, text);
DROP FUNCTION get_slowest_steps_v01_at(timestamptz, timestamptz, integer, text, text, text);
DROP FUNCTION tasker_share(bigint, bigint, integer, integer, numeric);
DROP FUNCTION tasker_catalogue_in_use();
DROP FUNCTION get_analytics_metrics_v02(timestamptz);
DROP FUNCTION get_analytics_metrics_v02_at(timestamptz, timestamptz);
DROP FUNCTION get_analytics_metrics_v01_at(timestamptz, timestamptz);
