-- What CREATE EXTENSION timescaledb makes. Signatures and names of symbols are TimescaleDB's.

CREATE SCHEMA _timescaledb_functions;
GRANT USAGE ON SCHEMA _timescaledb_functions TO PUBLIC;

-- time_bucket
CREATE FUNCTION time_bucket(bucket_width interval, ts timestamp) RETURNS timestamp AS '$libdir/timescaledb', 'ts_timestamp_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts timestamp, origin timestamp) RETURNS timestamp AS '$libdir/timescaledb', 'ts_timestamp_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts timestamp, "offset" interval) RETURNS timestamp AS '$libdir/timescaledb', 'ts_timestamp_offset_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts timestamptz) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_timestamptz_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts timestamptz, origin timestamptz) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_timestamptz_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts timestamptz, "offset" interval) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_timestamptz_offset_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts timestamptz, timezone text, origin timestamptz DEFAULT NULL, "offset" interval DEFAULT NULL) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_timestamptz_timezone_bucket' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts date) RETURNS date AS '$libdir/timescaledb', 'ts_date_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts date, origin date) RETURNS date AS '$libdir/timescaledb', 'ts_date_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts date, "offset" interval) RETURNS date AS '$libdir/timescaledb', 'ts_date_offset_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts uuid) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_uuid_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts uuid, origin timestamptz) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_uuid_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts uuid, "offset" interval) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_uuid_offset_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width interval, ts uuid, timezone text, origin timestamptz DEFAULT NULL, "offset" interval DEFAULT NULL) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_uuid_timezone_bucket' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width smallint, ts smallint) RETURNS smallint AS '$libdir/timescaledb', 'ts_int16_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width integer, ts integer) RETURNS integer AS '$libdir/timescaledb', 'ts_int32_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width bigint, ts bigint) RETURNS bigint AS '$libdir/timescaledb', 'ts_int64_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width smallint, ts smallint, "offset" smallint) RETURNS smallint AS '$libdir/timescaledb', 'ts_int16_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width integer, ts integer, "offset" integer) RETURNS integer AS '$libdir/timescaledb', 'ts_int32_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_bucket(bucket_width bigint, ts bigint, "offset" bigint) RETURNS bigint AS '$libdir/timescaledb', 'ts_int64_bucket' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

-- UUIDs of version 7
CREATE FUNCTION generate_uuidv7() RETURNS uuid AS '$libdir/timescaledb', 'ts_uuid_generate_v7' LANGUAGE c VOLATILE STRICT PARALLEL SAFE;
CREATE FUNCTION to_uuidv7(ts timestamptz) RETURNS uuid AS '$libdir/timescaledb', 'ts_uuid_v7_from_timestamptz' LANGUAGE c VOLATILE STRICT PARALLEL SAFE;
CREATE FUNCTION to_uuidv7_boundary(ts timestamptz) RETURNS uuid AS '$libdir/timescaledb', 'ts_uuid_v7_from_timestamptz_boundary' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION uuid_timestamp(uuid uuid) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_timestamptz_from_uuid_v7' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION uuid_timestamp_micros(uuid uuid) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_timestamptz_from_uuid_v7_with_microseconds' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION uuid_version(uuid uuid) RETURNS integer AS '$libdir/timescaledb', 'ts_uuid_version' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

-- time_bucket_gapfill and what fills the columns of the rows that it makes up
CREATE FUNCTION time_bucket_gapfill(bucket_width smallint, ts smallint, start smallint DEFAULT NULL, finish smallint DEFAULT NULL) RETURNS smallint AS '$libdir/timescaledb', 'ts_gapfill_int16_bucket' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_bucket_gapfill(bucket_width integer, ts integer, start integer DEFAULT NULL, finish integer DEFAULT NULL) RETURNS integer AS '$libdir/timescaledb', 'ts_gapfill_int32_bucket' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_bucket_gapfill(bucket_width bigint, ts bigint, start bigint DEFAULT NULL, finish bigint DEFAULT NULL) RETURNS bigint AS '$libdir/timescaledb', 'ts_gapfill_int64_bucket' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_bucket_gapfill(bucket_width interval, ts date, start date DEFAULT NULL, finish date DEFAULT NULL) RETURNS date AS '$libdir/timescaledb', 'ts_gapfill_date_bucket' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_bucket_gapfill(bucket_width interval, ts timestamp, start timestamp DEFAULT NULL, finish timestamp DEFAULT NULL) RETURNS timestamp AS '$libdir/timescaledb', 'ts_gapfill_timestamp_bucket' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_bucket_gapfill(bucket_width interval, ts timestamptz, start timestamptz DEFAULT NULL, finish timestamptz DEFAULT NULL) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_gapfill_timestamptz_bucket' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION time_bucket_gapfill(bucket_width interval, ts timestamptz, timezone text, start timestamptz DEFAULT NULL, finish timestamptz DEFAULT NULL) RETURNS timestamptz AS '$libdir/timescaledb', 'ts_gapfill_timestamptz_timezone_bucket' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION locf(value anyelement, prev anyelement DEFAULT NULL, treat_null_as_missing boolean DEFAULT false) RETURNS anyelement AS '$libdir/timescaledb', 'ts_gapfill_locf' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION interpolate(value smallint, prev record DEFAULT NULL, next record DEFAULT NULL) RETURNS smallint AS '$libdir/timescaledb', 'ts_gapfill_interpolate' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION interpolate(value integer, prev record DEFAULT NULL, next record DEFAULT NULL) RETURNS integer AS '$libdir/timescaledb', 'ts_gapfill_interpolate' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION interpolate(value bigint, prev record DEFAULT NULL, next record DEFAULT NULL) RETURNS bigint AS '$libdir/timescaledb', 'ts_gapfill_interpolate' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION interpolate(value real, prev record DEFAULT NULL, next record DEFAULT NULL) RETURNS real AS '$libdir/timescaledb', 'ts_gapfill_interpolate' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION interpolate(value double precision, prev record DEFAULT NULL, next record DEFAULT NULL) RETURNS double precision AS '$libdir/timescaledb', 'ts_gapfill_interpolate' LANGUAGE c IMMUTABLE PARALLEL SAFE;

-- first, last, histogram: the symbols of the transition functions are the aggregates
CREATE FUNCTION _timescaledb_functions.first_sfunc(internal, anyelement, "any") RETURNS internal AS '$libdir/timescaledb', 'ts_first_sfunc' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _timescaledb_functions.last_sfunc(internal, anyelement, "any") RETURNS internal AS '$libdir/timescaledb', 'ts_last_sfunc' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _timescaledb_functions.bookend_finalfunc(internal, anyelement, "any") RETURNS anyelement AS '$libdir/timescaledb', 'ts_first_sfunc' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE first(anyelement, "any") (SFUNC = _timescaledb_functions.first_sfunc, STYPE = internal, FINALFUNC = _timescaledb_functions.bookend_finalfunc, FINALFUNC_EXTRA, PARALLEL = safe);
CREATE AGGREGATE last(anyelement, "any") (SFUNC = _timescaledb_functions.last_sfunc, STYPE = internal, FINALFUNC = _timescaledb_functions.bookend_finalfunc, FINALFUNC_EXTRA, PARALLEL = safe);
CREATE FUNCTION _timescaledb_functions.hist_sfunc(state internal, val double precision, min double precision, max double precision, nbuckets integer) RETURNS internal AS '$libdir/timescaledb', 'ts_hist_sfunc' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _timescaledb_functions.hist_finalfunc(state internal, val double precision, min double precision, max double precision, nbuckets integer) RETURNS integer[] AS '$libdir/timescaledb', 'ts_hist_sfunc' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE histogram(double precision, double precision, double precision, integer) (SFUNC = _timescaledb_functions.hist_sfunc, STYPE = internal, FINALFUNC = _timescaledb_functions.hist_finalfunc, FINALFUNC_EXTRA, PARALLEL = safe);

CREATE FUNCTION approximate_row_count(relation regclass) RETURNS bigint AS '$libdir/timescaledb', 'ts_approximate_row_count' LANGUAGE c STABLE STRICT;

-- The last row of each series: stands for a query with DISTINCT ON.
CREATE FUNCTION latest(relation text, "time" text) RETURNS SETOF record AS '$libdir/timescaledb', 'latest' LANGUAGE c STABLE STRICT;
CREATE FUNCTION latest(relation text, "time" text, series text) RETURNS SETOF record AS '$libdir/timescaledb', 'latest' LANGUAGE c STABLE STRICT;
CREATE FUNCTION latest(relation text, "time" text, series text, series2 text) RETURNS SETOF record AS '$libdir/timescaledb', 'latest' LANGUAGE c STABLE STRICT;
CREATE FUNCTION latest(relation text, "time" text, series text, series2 text, series3 text) RETURNS SETOF record AS '$libdir/timescaledb', 'latest' LANGUAGE c STABLE STRICT;
