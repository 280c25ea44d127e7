CREATE EXTENSION IF NOT EXISTS timescaledb;
CREATE EXTENSION IF NOT EXISTS timescaledb_toolkit;
CREATE SCHEMA fleet;
CREATE TABLE fleet.devices (device text PRIMARY KEY, kind text NOT NULL, site text NOT NULL);
CREATE TABLE fleet.metrics (
    time timestamptz NOT NULL,
    device text NOT NULL,
    temperature double precision,
    humidity double precision,
    battery double precision,
    packets bigint
) WITH (tsdb.hypertable, tsdb.partition_column = 'time', tsdb.chunk_interval = '1 hour', tsdb.segmentby = 'device', tsdb.orderby = 'time');
CREATE TABLE fleet.events (time timestamptz NOT NULL, until timestamptz NOT NULL, device text NOT NULL, what text NOT NULL);
CREATE MATERIALIZED VIEW fleet.metrics_1m WITH (timescaledb.continuous, timescaledb.materialized_only = false) AS
    SELECT time_bucket(INTERVAL '1 minute', time) AS bucket, device, avg(temperature) AS temperature, min(temperature) AS low,
        max(temperature) AS high, last(battery, time) AS battery, count(*) AS samples
    FROM fleet.metrics GROUP BY 1, 2 WITH NO DATA;
SELECT add_continuous_aggregate_policy('fleet.metrics_1m', start_offset => INTERVAL '12 hours', end_offset => INTERVAL '1 minute',
    schedule_interval => INTERVAL '30 seconds');
SELECT add_retention_policy('fleet.metrics', drop_after => INTERVAL '1 day');
SELECT add_retention_policy('fleet.metrics_1m', drop_after => INTERVAL '30 days');
