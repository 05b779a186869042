-- What records need beyond the engine's own statements: versions that compare as numbers, and the indexes of scopes.
--
-- None of these names a column of a step that a claim or an outcome writes.

-- A version as numbers; one that is none is below all that are.
CREATE FUNCTION tasker_version(p_version text) RETURNS numeric[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN p_version ~ '^[0-9]+([.][0-9]+)*$' THEN string_to_array(p_version, '.')::numeric[] ELSE '{}' END
$$;
