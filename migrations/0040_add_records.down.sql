DROP FUNCTION tasker_version(text);
