-- All that `timeseries.sql` has made, as a database shows it.
SET timezone = 'UTC';
SELECT hypertable_schema, hypertable_name, owner, num_dimensions, num_chunks, compression_enabled, primary_dimension, primary_dimension_type FROM timescaledb_information.hypertables ORDER BY 1, 2;
SELECT * FROM timescaledb_information.dimensions ORDER BY 1, 2, 3;
SELECT hypertable_schema, hypertable_name, primary_dimension, range_start, range_end, range_start_integer, range_end_integer FROM timescaledb_information.chunks ORDER BY 1, 2, 4, 6;
SELECT view_schema, view_name, view_owner, hypertable_schema, hypertable_name, materialized_only, materialization_hypertable_schema, materialization_hypertable_name, view_definition FROM timescaledb_information.continuous_aggregates ORDER BY 1, 2;
SELECT hypertable::text, segmentby, orderby FROM timescaledb_information.hypertable_compression_settings ORDER BY 1;
SELECT job_id, application_name, schedule_interval, max_runtime, max_retries, retry_period, proc_schema, proc_name, owner, scheduled, fixed_schedule, config - 'hypertable_id' - 'mat_hypertable_id' AS config, next_start, initial_start, hypertable_schema, hypertable_name
    FROM timescaledb_information.jobs ORDER BY job_id;
SELECT a.id, a.bucket, a.width, a.real_time, a.watermark, array_agg(i.lo ORDER BY i.lo) AS lo, array_agg(i.hi ORDER BY i.lo) AS hi
    FROM _timescaledb_catalog.continuous_agg a LEFT JOIN _timescaledb_catalog.invalidation i ON i.aggregate = a.id GROUP BY a.id ORDER BY a.id;
SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname <> 'pg_catalog' AND schemaname <> '_timescaledb_catalog' ORDER BY 1, 2;
SELECT count(*), sum(v), min(at), max(at) FROM app.m;
SELECT count(*), sum(v), min("the Time"), max("the Time") FROM "Odd Name";
SELECT count(*), sum(v) FROM ints;
SELECT count(*), sum(v) FROM days;
SELECT bucket, device, mean, n FROM app.hourly ORDER BY 1, 2;
SELECT day, device, n FROM app."Daily" ORDER BY 1, 2;
SELECT month, num_vals(summary) FROM monthly ORDER BY 1;
