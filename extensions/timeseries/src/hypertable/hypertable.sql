-- Hypertables. What a table's time is, and its windows, are facts of the engine's catalog; the rest is here.
CREATE SCHEMA _timescaledb_catalog;
CREATE SCHEMA _timescaledb_internal;
CREATE SCHEMA timescaledb_information;
GRANT USAGE ON SCHEMA _timescaledb_catalog, _timescaledb_internal, timescaledb_information TO PUBLIC;

CREATE TABLE _timescaledb_catalog.hypertable (id serial, relation oid PRIMARY KEY, integer_now regproc, columnstore boolean NOT NULL DEFAULT false);
CREATE TABLE _timescaledb_catalog.compression_settings (relation oid PRIMARY KEY, segmentby smallint[] NOT NULL, orderby smallint[] NOT NULL, orderby_desc boolean[] NOT NULL, orderby_nullsfirst boolean[] NOT NULL);
CREATE TABLE _timescaledb_catalog.compressed_chunk (chunk oid PRIMARY KEY, before_bytes bigint NOT NULL, after_bytes bigint NOT NULL, compressed timestamptz NOT NULL DEFAULT now());
CREATE TABLE _timescaledb_catalog.dimension (id serial, relation oid, column_name name, partitions integer, PRIMARY KEY (relation, column_name));
CREATE TABLE _timescaledb_catalog.continuous_agg (id serial PRIMARY KEY, view oid NOT NULL, direct oid NOT NULL, materialization oid NOT NULL, source oid NOT NULL, bucket name NOT NULL,
    floor text NOT NULL, next text NOT NULL, width text NOT NULL, real_time boolean NOT NULL, watermark bigint NOT NULL DEFAULT -9223372036854775808);
CREATE TABLE _timescaledb_catalog.invalidation (aggregate integer NOT NULL, lo bigint NOT NULL, hi bigint NOT NULL);
GRANT SELECT ON _timescaledb_catalog.hypertable, _timescaledb_catalog.dimension, _timescaledb_catalog.continuous_agg, _timescaledb_catalog.compression_settings, _timescaledb_catalog.compressed_chunk TO PUBLIC;
GRANT CREATE ON SCHEMA _timescaledb_internal TO PUBLIC;

CREATE FUNCTION _timescaledb_functions.chunks_of(relation oid) RETURNS SETOF oid AS '$libdir/timescaledb', 'ts_chunks_of' LANGUAGE c STABLE STRICT;
CREATE FUNCTION _timescaledb_functions.chunk_start(chunk oid) RETURNS bigint AS '$libdir/timescaledb', 'ts_chunk_start' LANGUAGE c STABLE STRICT;
CREATE FUNCTION _timescaledb_functions.chunk_end(chunk oid) RETURNS bigint AS '$libdir/timescaledb', 'ts_chunk_end' LANGUAGE c STABLE STRICT;
CREATE FUNCTION _timescaledb_functions.chunk_created(chunk oid) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_chunk_created' LANGUAGE c STABLE STRICT;
CREATE FUNCTION _timescaledb_functions.time_column(relation oid) RETURNS smallint AS '$libdir/timescaledb', 'ts_hypertable_column' LANGUAGE c STABLE STRICT;
CREATE FUNCTION _timescaledb_functions.chunk_interval(relation oid) RETURNS bigint AS '$libdir/timescaledb', 'ts_hypertable_interval' LANGUAGE c STABLE STRICT;
CREATE FUNCTION _timescaledb_functions.size_of_chunks(relation regclass, OUT chunk oid, OUT bytes bigint) RETURNS SETOF record AS '$libdir/timescaledb', 'ts_chunks_size' LANGUAGE c VOLATILE STRICT;

CREATE TYPE _timescaledb_internal.dimension_info AS (kind text, column_name text, partition_interval text, interval_type oid, partitions integer, partition_func oid);
CREATE FUNCTION by_range(column_name name, partition_interval anyelement DEFAULT NULL::bigint, partition_func regproc DEFAULT NULL) RETURNS _timescaledb_internal.dimension_info LANGUAGE sql IMMUTABLE
    AS $$ SELECT ROW('range', $1::text, $2::text, pg_typeof($2)::oid, NULL::integer, $3::oid)::_timescaledb_internal.dimension_info $$;
CREATE FUNCTION by_hash(column_name name, number_partitions integer, partition_func regproc DEFAULT NULL) RETURNS _timescaledb_internal.dimension_info LANGUAGE sql IMMUTABLE
    AS $$ SELECT ROW('hash', $1::text, NULL::text, NULL::oid, $2, $3::oid)::_timescaledb_internal.dimension_info $$;

CREATE FUNCTION create_hypertable(relation regclass, time_column_name name, partitioning_column name DEFAULT NULL, number_partitions integer DEFAULT NULL, associated_schema_name name DEFAULT NULL, associated_table_prefix name DEFAULT NULL, chunk_time_interval anyelement DEFAULT NULL::bigint, create_default_indexes boolean DEFAULT true, if_not_exists boolean DEFAULT false, partitioning_func regproc DEFAULT NULL, migrate_data boolean DEFAULT false, chunk_target_size text DEFAULT NULL, chunk_sizing_func regproc DEFAULT NULL, time_partitioning_func regproc DEFAULT NULL)
    RETURNS TABLE(hypertable_id integer, schema_name name, table_name name, created boolean) AS '$libdir/timescaledb', 'ts_hypertable_create' LANGUAGE c VOLATILE;
CREATE FUNCTION create_hypertable(relation regclass, dimension _timescaledb_internal.dimension_info, create_default_indexes boolean DEFAULT true, if_not_exists boolean DEFAULT false, migrate_data boolean DEFAULT false)
    RETURNS TABLE(hypertable_id integer, created boolean) AS '$libdir/timescaledb', 'ts_hypertable_create_general' LANGUAGE c VOLATILE;
CREATE FUNCTION add_dimension(hypertable regclass, dimension _timescaledb_internal.dimension_info, if_not_exists boolean DEFAULT false)
    RETURNS TABLE(dimension_id integer, created boolean) AS '$libdir/timescaledb', 'ts_dimension_add' LANGUAGE c VOLATILE;
CREATE FUNCTION add_dimension(hypertable regclass, column_name name, number_partitions integer DEFAULT NULL, chunk_time_interval anyelement DEFAULT NULL::bigint, partitioning_func regproc DEFAULT NULL, if_not_exists boolean DEFAULT false)
    RETURNS TABLE(dimension_id integer, schema_name name, table_name name, column_name name, created boolean) AS '$libdir/timescaledb', 'ts_dimension_add_classic' LANGUAGE c VOLATILE;
CREATE FUNCTION set_chunk_time_interval(hypertable regclass, chunk_time_interval anyelement, dimension_name name DEFAULT NULL) RETURNS void AS '$libdir/timescaledb', 'ts_dimension_set_interval' LANGUAGE c VOLATILE;
CREATE FUNCTION set_integer_now_func(hypertable regclass, integer_now_func regproc, replace_if_exists boolean DEFAULT false) RETURNS void AS '$libdir/timescaledb', 'ts_hypertable_set_integer_now_func' LANGUAGE c VOLATILE;
CREATE FUNCTION show_chunks(relation regclass, older_than "any" DEFAULT NULL, newer_than "any" DEFAULT NULL, created_before "any" DEFAULT NULL, created_after "any" DEFAULT NULL) RETURNS SETOF regclass AS '$libdir/timescaledb', 'ts_chunk_show' LANGUAGE c STABLE;
CREATE FUNCTION drop_chunks(relation regclass, older_than "any" DEFAULT NULL, newer_than "any" DEFAULT NULL, "verbose" boolean DEFAULT false, created_before "any" DEFAULT NULL, created_after "any" DEFAULT NULL) RETURNS SETOF text AS '$libdir/timescaledb', 'ts_chunk_drop' LANGUAGE c VOLATILE;

-- A bound of a window as a point of time: µs, or days of a date, since 1970; the ends of time are infinite.
CREATE FUNCTION _timescaledb_functions.to_timestamp(value bigint) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_to_timestamp' LANGUAGE c IMMUTABLE STRICT;
CREATE FUNCTION _timescaledb_functions.to_unix_microseconds(ts timestamptz) RETURNS bigint AS '$libdir/timescaledb', 'ts_to_unix_microseconds' LANGUAGE c IMMUTABLE STRICT;
CREATE FUNCTION _timescaledb_functions.bound(value bigint, type oid) RETURNS timestamptz LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT CASE WHEN $2 = 'date'::regtype AND $1 BETWEEN -99999999 AND 99999999 THEN _timescaledb_functions.to_timestamp($1 * 86400000000) WHEN $2 = ANY (ARRAY['timestamptz', 'timestamp', 'date']::regtype[]) THEN _timescaledb_functions.to_timestamp($1) END $$;

CREATE VIEW timescaledb_information.hypertables AS
    SELECT n.nspname AS hypertable_schema, c.relname AS hypertable_name, pg_get_userbyid(c.relowner) AS owner,
        1 + (SELECT count(*) FROM _timescaledb_catalog.dimension d WHERE d.relation = c.oid)::smallint AS num_dimensions,
        (SELECT count(*) FROM _timescaledb_functions.chunks_of(c.oid)) AS num_chunks,
        h.columnstore AS compression_enabled, NULL::name[] AS tablespaces, a.attname AS primary_dimension, a.atttypid::regtype AS primary_dimension_type
    FROM _timescaledb_catalog.hypertable h JOIN pg_class c ON c.oid = h.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = _timescaledb_functions.time_column(c.oid)
    WHERE NOT EXISTS (SELECT FROM _timescaledb_catalog.continuous_agg k WHERE k.materialization = c.oid);

CREATE VIEW timescaledb_information.dimensions AS
    SELECT n.nspname AS hypertable_schema, c.relname AS hypertable_name, 1::bigint AS dimension_number, a.attname AS column_name, a.atttypid::regtype AS column_type, 'Time' AS dimension_type,
        CASE WHEN a.atttypid = ANY (ARRAY['timestamptz', 'timestamp']::regtype[]) THEN justify_hours(i.length * interval '1 microsecond') WHEN a.atttypid = 'date'::regtype THEN i.length * interval '1 day' END AS time_interval,
        CASE WHEN a.atttypid = ANY (ARRAY['int2', 'int4', 'int8']::regtype[]) THEN i.length END AS integer_interval,
        p.proname AS integer_now_func, NULL::smallint AS num_partitions
    FROM _timescaledb_catalog.hypertable h JOIN pg_class c ON c.oid = h.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = _timescaledb_functions.time_column(c.oid)
        CROSS JOIN LATERAL (SELECT _timescaledb_functions.chunk_interval(c.oid) AS length) i LEFT JOIN pg_proc p ON p.oid = h.integer_now
    UNION ALL
    SELECT n.nspname, c.relname, 1 + row_number() OVER (PARTITION BY c.oid ORDER BY d.id), d.column_name, a.atttypid::regtype, 'Space', NULL, NULL, NULL, d.partitions::smallint
    FROM _timescaledb_catalog.dimension d JOIN pg_class c ON c.oid = d.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = d.column_name;

CREATE VIEW timescaledb_information.chunks AS
    SELECT n.nspname AS hypertable_schema, c.relname AS hypertable_name, v.schema AS chunk_schema, v.name AS chunk_name, a.attname AS primary_dimension, a.atttypid::regtype AS primary_dimension_type,
        _timescaledb_functions.bound(v.start, a.atttypid) AS range_start, _timescaledb_functions.bound(v.finish, a.atttypid) AS range_end,
        CASE WHEN a.atttypid = ANY (ARRAY['int2', 'int4', 'int8']::regtype[]) THEN v.start END AS range_start_integer,
        CASE WHEN a.atttypid = ANY (ARRAY['int2', 'int4', 'int8']::regtype[]) THEN v.finish END AS range_end_integer,
        EXISTS (SELECT FROM _timescaledb_catalog.compressed_chunk z WHERE z.chunk = v.chunk) AS is_compressed, NULL::name AS chunk_tablespace, _timescaledb_functions.chunk_created(v.chunk) AS chunk_creation_time
    FROM _timescaledb_catalog.hypertable h JOIN pg_class c ON c.oid = h.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = _timescaledb_functions.time_column(c.oid)
        CROSS JOIN LATERAL (SELECT k.oid AS chunk, s.nspname AS schema, k.relname AS name, _timescaledb_functions.chunk_start(k.oid) AS start, _timescaledb_functions.chunk_end(k.oid) AS finish
            FROM _timescaledb_functions.chunks_of(c.oid) o JOIN pg_class k ON k.oid = o JOIN pg_namespace s ON s.oid = k.relnamespace) v;
GRANT SELECT ON timescaledb_information.hypertables, timescaledb_information.dimensions, timescaledb_information.chunks TO PUBLIC;

-- Sizes: of the whole by its files, of a chunk by its share of the files that hold rows of it.
CREATE FUNCTION hypertable_size(hypertable regclass) RETURNS bigint LANGUAGE sql VOLATILE STRICT
    AS $$ SELECT CASE WHEN _timescaledb_functions.time_column($1) IS NOT NULL THEN pg_total_relation_size($1) END $$;
CREATE FUNCTION hypertable_index_size(index_name regclass) RETURNS bigint LANGUAGE sql VOLATILE STRICT AS $$ SELECT pg_relation_size($1) $$;
CREATE FUNCTION hypertable_detailed_size(hypertable regclass) RETURNS TABLE(table_bytes bigint, index_bytes bigint, toast_bytes bigint, total_bytes bigint, node_name text) LANGUAGE sql VOLATILE STRICT
    AS $$ SELECT pg_relation_size($1), pg_indexes_size($1), 0::bigint, pg_total_relation_size($1), NULL::text WHERE _timescaledb_functions.time_column($1) IS NOT NULL $$;
CREATE FUNCTION chunks_detailed_size(hypertable regclass) RETURNS TABLE(chunk_schema name, chunk_name name, table_bytes bigint, index_bytes bigint, toast_bytes bigint, total_bytes bigint, node_name text) LANGUAGE sql VOLATILE STRICT
    AS $$ SELECT n.nspname, c.relname, s.bytes, 0::bigint, 0::bigint, s.bytes, NULL::text FROM _timescaledb_functions.size_of_chunks($1) s JOIN pg_class c ON c.oid = s.chunk JOIN pg_namespace n ON n.oid = c.relnamespace $$;
