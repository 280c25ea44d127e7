-- From 2.28.3: hypertables, continuous aggregates and jobs in dumps, successes in the history of jobs, sizes of continuous aggregates.

GRANT SELECT ON _timescaledb_catalog.invalidation TO PUBLIC;
-- What a table, a view or a routine is to this extension, as the security labels that dumps carry over (src/labels.rs reads them back).
CREATE VIEW _timescaledb_catalog.security_label AS
    SELECT c.oid AS objoid, 'pg_class'::regclass::oid AS classoid, 0 AS objsubid, 'table' AS objtype, c.relnamespace AS objnamespace, format('%I.%I', n.nspname, c.relname) AS objname, 'timescaledb' AS provider,
        jsonb_build_object('hypertable', jsonb_build_object('column', a.attname::text, 'interval', _timescaledb_functions.chunk_interval(c.oid),
                'integer_now', (SELECT format('%I.%I', s.nspname, p.proname) FROM pg_proc p JOIN pg_namespace s ON s.oid = p.pronamespace WHERE p.oid = h.integer_now),
                'dimensions', (SELECT jsonb_agg(jsonb_build_object('column', d.column_name::text, 'partitions', d.partitions) ORDER BY d.id) FROM _timescaledb_catalog.dimension d WHERE d.relation = c.oid)),
            'columnstore', (SELECT jsonb_build_object('segmentby', s.segmentby, 'orderby', s.orderby) FROM timescaledb_information.hypertable_compression_settings s WHERE h.columnstore AND s.hypertable::oid = c.oid),
            'policies', (SELECT jsonb_agg(to_jsonb(j) - 'relation' || jsonb_build_object('config', j.config - 'hypertable_id' - 'mat_hypertable_id') ORDER BY j.id) FROM _timescaledb_catalog.job j WHERE j.relation = c.oid))::text AS label
    FROM _timescaledb_catalog.hypertable h JOIN pg_class c ON c.oid = h.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = _timescaledb_functions.time_column(c.oid)
    UNION ALL
    SELECT v.oid, 'pg_class'::regclass::oid, 0, 'view', v.relnamespace, format('%I.%I', n.nspname, v.relname), 'timescaledb',
        jsonb_build_object('continuous', jsonb_build_object('id', k.id, 'rows', format('%I.%I', rn.nspname, r.relname), 'direct', format('%I.%I', dn.nspname, d.relname), 'bucket', k.bucket::text, 'real_time', k.real_time, 'watermark', k.watermark,
            'stale', (SELECT jsonb_agg(jsonb_build_array(i.lo, i.hi) ORDER BY i.lo) FROM _timescaledb_catalog.invalidation i WHERE i.aggregate = k.id)))::text
    FROM _timescaledb_catalog.continuous_agg k JOIN pg_class v ON v.oid = k.view JOIN pg_namespace n ON n.oid = v.relnamespace
        JOIN pg_class r ON r.oid = k.materialization JOIN pg_namespace rn ON rn.oid = r.relnamespace JOIN pg_class d ON d.oid = k.direct JOIN pg_namespace dn ON dn.oid = d.relnamespace
    UNION ALL
    SELECT p.oid, 'pg_proc'::regclass::oid, 0, CASE p.prokind WHEN 'p' THEN 'procedure' ELSE 'function' END, p.pronamespace, format('%I.%I', n.nspname, p.proname), 'timescaledb',
        jsonb_build_object('jobs', (SELECT jsonb_agg(to_jsonb(j) - 'relation' ORDER BY j.id) FROM _timescaledb_catalog.job j WHERE j.relation IS NULL AND j.proc_schema = n.nspname AND j.proc_name = p.proname))::text
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE p.pronargs = 2 AND (n.nspname, p.proname) IN (SELECT j.proc_schema, j.proc_name FROM _timescaledb_catalog.job j WHERE j.relation IS NULL);

CREATE FUNCTION timescaledb_pre_restore() RETURNS boolean AS '$libdir/timescaledb', 'ts_pre_restore' LANGUAGE c VOLATILE;
CREATE FUNCTION timescaledb_post_restore() RETURNS boolean AS '$libdir/timescaledb', 'ts_post_restore' LANGUAGE c VOLATILE;

-- No job runs while the database is being restored, or a session restores into it, which holds a lock for as long as it lives.
CREATE FUNCTION _timescaledb_functions.is_restoring() RETURNS boolean LANGUAGE sql VOLATILE
    AS $$ SELECT coalesce(current_setting('timescaledb.restoring', true), '') = 'on'
        OR EXISTS (SELECT FROM pg_locks l WHERE l.locktype = 'advisory' AND l.objsubid = 2 AND l.classid = '_timescaledb_catalog.job'::regclass::oid AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())) $$;
CREATE OR REPLACE FUNCTION _timescaledb_functions.due_jobs() RETURNS TABLE(id integer, owner name) LANGUAGE sql VOLATILE
    AS $$ SELECT id, owner FROM _timescaledb_catalog.job WHERE scheduled AND (next_start IS NULL OR next_start <= clock_timestamp()) AND (relation IS NULL OR EXISTS (SELECT FROM pg_class c WHERE c.oid = relation))
            AND NOT _timescaledb_functions.is_restoring() ORDER BY next_start NULLS FIRST $$;

-- Runs that succeeded, if `timescaledb.enable_job_execution_logging` is on.
CREATE TABLE _timescaledb_catalog.job_success (job_id integer NOT NULL, start timestamptz NOT NULL, finish timestamptz NOT NULL);
GRANT SELECT ON _timescaledb_catalog.job_success TO PUBLIC;
CREATE OR REPLACE VIEW timescaledb_information.job_history AS
    SELECT row_number() OVER (ORDER BY e.start, e.job_id) AS id, e.job_id, e.succeeded, j.proc_schema, j.proc_name, NULL::integer AS pid, e.start AS start_time, e.finish AS finish_time, j.config, e.code AS sqlerrcode, e.message AS err_message
    FROM (SELECT f.job_id, false AS succeeded, f.start, f.finish, f.code, f.message FROM _timescaledb_catalog.job_error f UNION ALL SELECT s.job_id, true, s.start, s.finish, NULL, NULL FROM _timescaledb_catalog.job_success s) e
        LEFT JOIN _timescaledb_catalog.job j ON j.id = e.job_id;

-- Of a continuous aggregate, the sizes of its rows.
CREATE OR REPLACE FUNCTION hypertable_size(hypertable regclass) RETURNS bigint LANGUAGE sql VOLATILE STRICT
    AS $$ SELECT pg_total_relation_size(t.relation) FROM (SELECT _timescaledb_functions.hypertable_of($1) AS relation) t WHERE _timescaledb_functions.time_column(t.relation) IS NOT NULL $$;
CREATE OR REPLACE FUNCTION hypertable_detailed_size(hypertable regclass) RETURNS TABLE(table_bytes bigint, index_bytes bigint, toast_bytes bigint, total_bytes bigint, node_name text) LANGUAGE sql VOLATILE STRICT
    AS $$ SELECT pg_relation_size(t.relation), pg_indexes_size(t.relation), 0::bigint, pg_total_relation_size(t.relation), NULL::text FROM (SELECT _timescaledb_functions.hypertable_of($1) AS relation) t WHERE _timescaledb_functions.time_column(t.relation) IS NOT NULL $$;
