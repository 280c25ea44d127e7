-- What CREATE EXTENSION timescaledb makes. Signatures and names of symbols are TimescaleDB's.

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
