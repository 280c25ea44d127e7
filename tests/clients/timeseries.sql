-- Hypertables of all kinds, continuous aggregates over each other, policies and jobs: what a dump has to carry over.
SET timezone = 'UTC';
CREATE EXTENSION timescaledb;
CREATE EXTENSION timescaledb_toolkit;
CREATE ROLE series_keeper;
CREATE SCHEMA app;
CREATE TABLE app.m (dropped int, time timestamptz NOT NULL, device text, v float8);
ALTER TABLE app.m DROP COLUMN dropped;
SELECT created FROM create_hypertable('app.m', by_range('time', INTERVAL '1 day'));
SELECT created FROM add_dimension('app.m', by_hash('device', 4));
ALTER TABLE app.m RENAME COLUMN time TO at;
CREATE TABLE "Odd Name" ("the Time" timestamp NOT NULL, device text, v float8)
    WITH (tsdb.hypertable, tsdb.partition_column = 'the Time', tsdb.chunk_interval = '1 day', tsdb.segmentby = 'device', tsdb.orderby = 'v, "the Time" DESC');
CREATE TABLE ints (t bigint NOT NULL, v int);
SELECT created FROM create_hypertable('ints', 't', chunk_time_interval => 1000);
CREATE FUNCTION now_int() RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 5000::bigint';
SELECT set_integer_now_func('ints', 'now_int');
CREATE TABLE days (d date NOT NULL PRIMARY KEY, v int);
SELECT created FROM create_hypertable('days', by_range('d', INTERVAL '1 month'));
CREATE TABLE plain (id int PRIMARY KEY, at timestamptz);

INSERT INTO app.m SELECT t, 'd' || d, d FROM generate_series(timestamptz '2024-01-01', '2024-01-10', '1 hour') t, generate_series(1, 3) d;
INSERT INTO "Odd Name" SELECT at AT TIME ZONE 'UTC', device, v FROM app.m WHERE at < '2024-01-03';
INSERT INTO ints SELECT i, i FROM generate_series(1, 4000, 100) i;
INSERT INTO days SELECT date '2024-01-01' + i, i FROM generate_series(0, 99) i;
INSERT INTO plain VALUES (1, '2024-01-01');

CREATE MATERIALIZED VIEW app.hourly WITH (timescaledb.continuous) AS
    SELECT time_bucket('1 hour', at) AS bucket, device, avg(v) AS mean, count(*) AS n FROM app.m GROUP BY 1, 2;
CREATE MATERIALIZED VIEW app."Daily" WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
    SELECT time_bucket('1 day', bucket) AS day, device, sum(n) AS n FROM app.hourly GROUP BY 1, 2;
CREATE MATERIALIZED VIEW monthly WITH (timescaledb.continuous) AS
    SELECT time_bucket('1 month', at, 'Europe/Berlin') AS month, stats_agg(v) AS summary FROM app.m GROUP BY 1 WITH NO DATA;
CREATE INDEX hourly_device ON app.hourly (device);
-- What retention has taken is in the aggregates alone, and stays there; what came late is out of date, and stays so too.
SELECT count(*) FROM drop_chunks('app.m', older_than => timestamptz '2024-01-04');
INSERT INTO app.m VALUES ('2024-01-07 00:30', 'late', 5);

SELECT add_continuous_aggregate_policy('app.hourly', start_offset => INTERVAL '3 days', end_offset => INTERVAL '1 hour', schedule_interval => INTERVAL '1 hour', initial_start => '2100-01-01') > 0;
SELECT add_retention_policy('app.m', drop_after => INTERVAL '500 years', initial_start => '2100-01-01') > 0;
SELECT add_retention_policy('app.hourly', drop_after => INTERVAL '500 years', initial_start => '2100-01-01') > 0;
SELECT count(remove_compression_policy('"Odd Name"'));
SELECT add_compression_policy('"Odd Name"', compress_after => INTERVAL '500 years', initial_start => '2100-01-01') > 0;
CREATE PROCEDURE app.tidy(job_id int, config jsonb) LANGUAGE sql AS 'SELECT 1';
SELECT add_job('app.tidy', '1 day', config => '{"a": "it''s; \"so\""}', initial_start => '2100-01-01', job_name => 'Tidy [up]') > 0;
GRANT SELECT ON app.m, app.hourly TO series_keeper;
ALTER TABLE ints OWNER TO series_keeper;
