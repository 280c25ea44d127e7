
-- Jobs: procedures that run at intervals, and policies, which are jobs of our own.
CREATE SEQUENCE _timescaledb_catalog.job_id_seq START 1000;
CREATE TABLE _timescaledb_catalog.job (id integer PRIMARY KEY DEFAULT nextval('_timescaledb_catalog.job_id_seq'), application_name text NOT NULL, schedule_interval interval NOT NULL, max_runtime interval NOT NULL, max_retries integer NOT NULL DEFAULT -1,
    retry_period interval NOT NULL, proc_schema name NOT NULL, proc_name name NOT NULL, owner name NOT NULL DEFAULT current_user, scheduled boolean NOT NULL DEFAULT true, fixed_schedule boolean NOT NULL DEFAULT true, initial_start timestamptz,
    next_start timestamptz, relation oid, config jsonb, check_schema name, check_name name, timezone text);
CREATE TABLE _timescaledb_catalog.job_stat (job_id integer PRIMARY KEY, last_start timestamptz, last_finish timestamptz, last_success timestamptz, succeeded boolean, total_duration interval NOT NULL DEFAULT '0', last_duration interval,
    total_runs bigint NOT NULL DEFAULT 0, total_successes bigint NOT NULL DEFAULT 0, total_failures bigint NOT NULL DEFAULT 0, consecutive_failures integer NOT NULL DEFAULT 0);
CREATE TABLE _timescaledb_catalog.job_error (job_id integer NOT NULL, start timestamptz NOT NULL, finish timestamptz NOT NULL, code text, message text);
GRANT SELECT ON _timescaledb_catalog.job, _timescaledb_catalog.job_stat, _timescaledb_catalog.job_error TO PUBLIC;

CREATE FUNCTION add_job(proc regproc, schedule_interval interval, config jsonb DEFAULT NULL, initial_start timestamptz DEFAULT NULL, scheduled boolean DEFAULT true, check_config regproc DEFAULT NULL, fixed_schedule boolean DEFAULT true, timezone text DEFAULT NULL, job_name text DEFAULT NULL) RETURNS integer AS '$libdir/timescaledb', 'ts_job_add' LANGUAGE c VOLATILE;
CREATE FUNCTION delete_job(job_id integer) RETURNS void AS '$libdir/timescaledb', 'ts_job_delete' LANGUAGE c VOLATILE;
CREATE FUNCTION alter_job(job_id integer, schedule_interval interval DEFAULT NULL, max_runtime interval DEFAULT NULL, max_retries integer DEFAULT NULL, retry_period interval DEFAULT NULL, scheduled boolean DEFAULT NULL, config jsonb DEFAULT NULL, next_start timestamptz DEFAULT NULL, if_exists boolean DEFAULT false, check_config regproc DEFAULT NULL, fixed_schedule boolean DEFAULT NULL, initial_start timestamptz DEFAULT NULL, timezone text DEFAULT NULL, job_name text DEFAULT NULL)
    RETURNS TABLE(job_id integer, schedule_interval interval, max_runtime interval, max_retries integer, retry_period interval, scheduled boolean, config jsonb, next_start timestamptz, check_config text, fixed_schedule boolean, initial_start timestamptz, timezone text, application_name text) AS '$libdir/timescaledb', 'ts_job_alter' LANGUAGE c VOLATILE;
CREATE PROCEDURE run_job(job_id integer) AS '$libdir/timescaledb', 'ts_job_run' LANGUAGE c;
CREATE FUNCTION _timescaledb_functions.due_jobs() RETURNS TABLE(id integer, owner name) LANGUAGE sql VOLATILE
    AS $$ SELECT id, owner FROM _timescaledb_catalog.job WHERE scheduled AND (next_start IS NULL OR next_start <= clock_timestamp()) AND (relation IS NULL OR EXISTS (SELECT FROM pg_class c WHERE c.oid = relation)) ORDER BY next_start NULLS FIRST $$;
CREATE FUNCTION _timescaledb_functions.job_done(job_id integer, started timestamptz, code text, message text) RETURNS void AS '$libdir/timescaledb', 'ts_job_done' LANGUAGE c VOLATILE;
REVOKE EXECUTE ON FUNCTION _timescaledb_functions.job_done(integer, timestamptz, text, text) FROM PUBLIC;

CREATE FUNCTION add_retention_policy(relation regclass, drop_after "any" DEFAULT NULL, if_not_exists boolean DEFAULT false, schedule_interval interval DEFAULT NULL, initial_start timestamptz DEFAULT NULL, timezone text DEFAULT NULL, drop_created_before interval DEFAULT NULL) RETURNS integer AS '$libdir/timescaledb', 'ts_policy_retention_add' LANGUAGE c VOLATILE;
CREATE FUNCTION remove_retention_policy(relation regclass, if_exists boolean DEFAULT false) RETURNS void AS '$libdir/timescaledb', 'ts_policy_retention_remove' LANGUAGE c VOLATILE;
CREATE FUNCTION add_continuous_aggregate_policy(continuous_aggregate regclass, start_offset "any", end_offset "any", schedule_interval interval, if_not_exists boolean DEFAULT false, initial_start timestamptz DEFAULT NULL, timezone text DEFAULT NULL) RETURNS integer AS '$libdir/timescaledb', 'ts_policy_refresh_add' LANGUAGE c VOLATILE;
CREATE FUNCTION remove_continuous_aggregate_policy(continuous_aggregate regclass, if_not_exists boolean DEFAULT false, if_exists boolean DEFAULT NULL) RETURNS void AS '$libdir/timescaledb', 'ts_policy_refresh_remove' LANGUAGE c VOLATILE;

CREATE VIEW timescaledb_information.jobs AS
    SELECT j.id AS job_id, j.application_name, j.schedule_interval, j.max_runtime, j.max_retries, j.retry_period, j.proc_schema, j.proc_name, j.owner, j.scheduled, j.fixed_schedule, j.config,
        j.next_start, j.initial_start, n.nspname AS hypertable_schema, c.relname AS hypertable_name, j.check_schema, j.check_name
    FROM _timescaledb_catalog.job j LEFT JOIN _timescaledb_catalog.continuous_agg a ON a.materialization = j.relation LEFT JOIN pg_class c ON c.oid = coalesce(a.view, j.relation) LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE j.relation IS NULL OR c.oid IS NOT NULL;
CREATE VIEW timescaledb_information.job_stats AS
    SELECT j.hypertable_schema, j.hypertable_name, j.job_id, s.last_start AS last_run_started_at, s.last_success AS last_successful_finish, CASE WHEN s.succeeded THEN 'Success' WHEN NOT s.succeeded THEN 'Failed' END AS last_run_status,
        CASE WHEN j.scheduled THEN 'Scheduled' ELSE 'Paused' END AS job_status, s.last_duration AS last_run_duration, j.next_start, coalesce(s.total_runs, 0) AS total_runs, coalesce(s.total_successes, 0) AS total_successes, coalesce(s.total_failures, 0) AS total_failures
    FROM timescaledb_information.jobs j LEFT JOIN _timescaledb_catalog.job_stat s ON s.job_id = j.job_id;
CREATE VIEW timescaledb_information.job_errors AS
    SELECT e.job_id, j.proc_schema, j.proc_name, NULL::integer AS pid, e.start AS start_time, e.finish AS finish_time, e.code AS sqlerrcode, e.message AS err_message
    FROM _timescaledb_catalog.job_error e LEFT JOIN _timescaledb_catalog.job j ON j.id = e.job_id;
-- As TimescaleDB without `timescaledb.enable_job_execution_logging`: what failed.
CREATE VIEW timescaledb_information.job_history AS
    SELECT row_number() OVER (ORDER BY e.start, e.job_id) AS id, e.job_id, false AS succeeded, j.proc_schema, j.proc_name, NULL::integer AS pid, e.start AS start_time, e.finish AS finish_time, j.config, e.code AS sqlerrcode, e.message AS err_message
    FROM _timescaledb_catalog.job_error e LEFT JOIN _timescaledb_catalog.job j ON j.id = e.job_id;
GRANT SELECT ON timescaledb_information.jobs, timescaledb_information.job_stats, timescaledb_information.job_errors, timescaledb_information.job_history TO PUBLIC;
