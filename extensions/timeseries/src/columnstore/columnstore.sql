
-- The columnstore. Rows are in columns anyway: a chunk is compressed when its rows have been sorted and written anew as one.
CREATE FUNCTION _timescaledb_functions.hypertable_of(relation oid) RETURNS oid LANGUAGE sql STABLE STRICT
    AS $$ SELECT coalesce((SELECT a.materialization FROM _timescaledb_catalog.continuous_agg a WHERE a.view = $1), $1) $$;
CREATE FUNCTION compress_chunk(uncompressed_chunk regclass, if_not_compressed boolean DEFAULT true, recompress boolean DEFAULT false) RETURNS regclass AS '$libdir/timescaledb', 'ts_compress_chunk' LANGUAGE c VOLATILE STRICT;
CREATE FUNCTION decompress_chunk(uncompressed_chunk regclass, if_compressed boolean DEFAULT true) RETURNS regclass AS '$libdir/timescaledb', 'ts_decompress_chunk' LANGUAGE c VOLATILE STRICT;
CREATE PROCEDURE convert_to_columnstore(chunk regclass, if_not_columnstore boolean DEFAULT true, recompress boolean DEFAULT false) AS '$libdir/timescaledb', 'ts_compress_chunk' LANGUAGE c;
CREATE PROCEDURE convert_to_rowstore(chunk regclass, if_columnstore boolean DEFAULT true) AS '$libdir/timescaledb', 'ts_decompress_chunk' LANGUAGE c;
CREATE PROCEDURE recompress_chunk(chunk regclass, if_not_compressed boolean DEFAULT true) AS '$libdir/timescaledb', 'ts_compress_chunk' LANGUAGE c;

CREATE FUNCTION add_compression_policy(hypertable regclass, compress_after "any" DEFAULT NULL, if_not_exists boolean DEFAULT false, schedule_interval interval DEFAULT NULL, initial_start timestamptz DEFAULT NULL, timezone text DEFAULT NULL, compress_created_before interval DEFAULT NULL) RETURNS integer AS '$libdir/timescaledb', 'ts_policy_compression_add' LANGUAGE c VOLATILE;
CREATE FUNCTION remove_compression_policy(hypertable regclass, if_exists boolean DEFAULT false) RETURNS boolean AS '$libdir/timescaledb', 'ts_policy_compression_remove' LANGUAGE c VOLATILE STRICT;
CREATE PROCEDURE add_columnstore_policy(hypertable regclass, after "any" DEFAULT NULL, if_not_exists boolean DEFAULT false, schedule_interval interval DEFAULT NULL, initial_start timestamptz DEFAULT NULL, timezone text DEFAULT NULL, created_before interval DEFAULT NULL) AS '$libdir/timescaledb', 'ts_policy_compression_add' LANGUAGE c;
CREATE PROCEDURE remove_columnstore_policy(hypertable regclass, if_exists boolean DEFAULT false) AS '$libdir/timescaledb', 'ts_policy_compression_remove' LANGUAGE c;

-- What the rows of a chunk took in memory and on disk before, and what they took when it was done. Keys are in the table's own segments.
CREATE FUNCTION chunk_compression_stats(hypertable regclass) RETURNS TABLE(chunk_schema name, chunk_name name, compression_status text, before_compression_table_bytes bigint, before_compression_index_bytes bigint, before_compression_toast_bytes bigint, before_compression_total_bytes bigint,
    after_compression_table_bytes bigint, after_compression_index_bytes bigint, after_compression_toast_bytes bigint, after_compression_total_bytes bigint, node_name name) LANGUAGE sql STABLE STRICT
    AS $$ SELECT n.nspname, k.relname, CASE WHEN c.chunk IS NULL THEN 'Uncompressed' ELSE 'Compressed' END, c.before_bytes, c.before_bytes * 0, c.before_bytes * 0, c.before_bytes, c.after_bytes, c.after_bytes * 0, c.after_bytes * 0, c.after_bytes, NULL::name
        FROM _timescaledb_functions.chunks_of(_timescaledb_functions.hypertable_of($1)) o JOIN pg_class k ON k.oid = o JOIN pg_namespace n ON n.oid = k.relnamespace LEFT JOIN _timescaledb_catalog.compressed_chunk c ON c.chunk = o $$;
CREATE FUNCTION hypertable_compression_stats(hypertable regclass) RETURNS TABLE(total_chunks bigint, number_compressed_chunks bigint, before_compression_table_bytes bigint, before_compression_index_bytes bigint, before_compression_toast_bytes bigint, before_compression_total_bytes bigint,
    after_compression_table_bytes bigint, after_compression_index_bytes bigint, after_compression_toast_bytes bigint, after_compression_total_bytes bigint, node_name name) LANGUAGE sql STABLE STRICT
    AS $$ SELECT count(*), count(*) FILTER (WHERE compression_status = 'Compressed'), sum(before_compression_table_bytes)::bigint, sum(before_compression_index_bytes)::bigint, sum(before_compression_toast_bytes)::bigint, sum(before_compression_total_bytes)::bigint,
            sum(after_compression_table_bytes)::bigint, sum(after_compression_index_bytes)::bigint, sum(after_compression_toast_bytes)::bigint, sum(after_compression_total_bytes)::bigint, NULL::name
        FROM chunk_compression_stats($1) HAVING count(*) > 0 $$;
CREATE FUNCTION chunk_columnstore_stats(hypertable regclass) RETURNS TABLE(chunk_schema name, chunk_name name, compression_status text, before_compression_table_bytes bigint, before_compression_index_bytes bigint, before_compression_toast_bytes bigint, before_compression_total_bytes bigint,
    after_compression_table_bytes bigint, after_compression_index_bytes bigint, after_compression_toast_bytes bigint, after_compression_total_bytes bigint, node_name name) LANGUAGE sql STABLE STRICT AS $$ SELECT * FROM chunk_compression_stats($1) $$;
CREATE FUNCTION hypertable_columnstore_stats(hypertable regclass) RETURNS TABLE(total_chunks bigint, number_compressed_chunks bigint, before_compression_table_bytes bigint, before_compression_index_bytes bigint, before_compression_toast_bytes bigint, before_compression_total_bytes bigint,
    after_compression_table_bytes bigint, after_compression_index_bytes bigint, after_compression_toast_bytes bigint, after_compression_total_bytes bigint, node_name name) LANGUAGE sql STABLE STRICT AS $$ SELECT * FROM hypertable_compression_stats($1) $$;

CREATE VIEW timescaledb_information.compression_settings AS
    SELECT n.nspname AS hypertable_schema, c.relname AS hypertable_name, a.attname, x.segment::smallint AS segmentby_column_index, x.position::smallint AS orderby_column_index,
        CASE WHEN x.position IS NOT NULL THEN NOT s.orderby_desc[x.position] END AS orderby_asc, CASE WHEN x.position IS NOT NULL THEN s.orderby_nullsfirst[x.position] END AS orderby_nullsfirst
    FROM _timescaledb_catalog.compression_settings s JOIN pg_class c ON c.oid = s.relation JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
        CROSS JOIN LATERAL (SELECT array_position(s.segmentby, a.attnum) AS segment, array_position(s.orderby, a.attnum) AS position) x
    WHERE x.segment IS NOT NULL OR x.position IS NOT NULL;
CREATE VIEW timescaledb_information.hypertable_compression_settings AS
    SELECT s.relation::regclass AS hypertable,
        (SELECT string_agg(quote_ident(a.attname), ',' ORDER BY array_position(s.segmentby, a.attnum)) FROM pg_attribute a WHERE a.attrelid = s.relation AND a.attnum = ANY (s.segmentby) AND NOT a.attisdropped) AS segmentby,
        (SELECT string_agg(quote_ident(a.attname) || CASE WHEN s.orderby_desc[p.at] THEN ' DESC' ELSE '' END || CASE WHEN s.orderby_desc[p.at] = s.orderby_nullsfirst[p.at] THEN '' WHEN s.orderby_nullsfirst[p.at] THEN ' NULLS FIRST' ELSE ' NULLS LAST' END, ',' ORDER BY p.at)
            FROM pg_attribute a CROSS JOIN LATERAL (SELECT array_position(s.orderby, a.attnum) AS at) p WHERE a.attrelid = s.relation AND p.at IS NOT NULL AND NOT a.attisdropped) AS orderby,
        NULL::text AS compress_interval_length, NULL::text AS index
    FROM _timescaledb_catalog.compression_settings s JOIN pg_class c ON c.oid = s.relation;
CREATE VIEW timescaledb_information.chunk_compression_settings AS
    SELECT h.hypertable, o::regclass AS chunk, h.segmentby, h.orderby, h.index
    FROM timescaledb_information.hypertable_compression_settings h CROSS JOIN LATERAL _timescaledb_functions.chunks_of(h.hypertable::oid) o JOIN _timescaledb_catalog.compressed_chunk c ON c.chunk = o;
CREATE VIEW timescaledb_information.hypertable_columnstore_settings AS SELECT * FROM timescaledb_information.hypertable_compression_settings;
CREATE VIEW timescaledb_information.chunk_columnstore_settings AS SELECT * FROM timescaledb_information.chunk_compression_settings;

-- Beyond TimescaleDB: how each column of each segment is written, and what that takes.
CREATE FUNCTION _timescaledb_functions.column_encodings(relation oid) RETURNS TABLE(segment integer, attnum smallint, encodings text, compression text, rows bigint, bytes bigint, encoded_bytes bigint, least bigint, greatest bigint) AS '$libdir/timescaledb', 'ts_column_encodings' LANGUAGE c VOLATILE STRICT;
CREATE VIEW timescaledb_information.column_encodings AS
    SELECT h.hypertable_schema, h.hypertable_name, e.segment, _timescaledb_functions.bound(e.least, h.time_type) AS first_time, _timescaledb_functions.bound(e.greatest, h.time_type) AS last_time,
        a.attname AS column_name, e.encodings, e.compression, e.rows, e.bytes, e.encoded_bytes
    FROM (SELECT c.oid AS relation, n.nspname AS hypertable_schema, c.relname AS hypertable_name, t.atttypid AS time_type FROM _timescaledb_catalog.hypertable h JOIN pg_class c ON c.oid = h.relation JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute t ON t.attrelid = c.oid AND t.attnum = _timescaledb_functions.time_column(c.oid)) h
        CROSS JOIN LATERAL _timescaledb_functions.column_encodings(h.relation) e JOIN pg_attribute a ON a.attrelid = h.relation AND a.attnum = e.attnum;
GRANT SELECT ON timescaledb_information.compression_settings, timescaledb_information.hypertable_compression_settings, timescaledb_information.chunk_compression_settings, timescaledb_information.hypertable_columnstore_settings,
    timescaledb_information.chunk_columnstore_settings, timescaledb_information.column_encodings TO PUBLIC;
