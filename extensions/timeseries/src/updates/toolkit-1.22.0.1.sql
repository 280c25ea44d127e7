-- From 1.22.0: candlesticks, and averages and integrals of spans that values of their neighbours reach into.
CREATE TYPE candlestick AS (open_time timestamptz, open double precision, high_time timestamptz, high double precision, low_time timestamptz, low double precision, close_time timestamptz, close double precision, volume double precision, weighted double precision);
CREATE FUNCTION _toolkit.candlestick_step(candlestick, timestamptz, double precision, double precision) RETURNS candlestick AS '$libdir/timescaledb_toolkit', 'candlestick_agg' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE candlestick_agg(timestamptz, double precision, double precision) (SFUNC = _toolkit.candlestick_step, STYPE = candlestick, PARALLEL = safe);
CREATE FUNCTION candlestick(ts timestamptz, open double precision, high double precision, low double precision, close double precision, volume double precision) RETURNS candlestick AS '$libdir/timescaledb_toolkit', 'candlestick' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION _toolkit.candlestick_rollup_step(candlestick, candlestick) RETURNS candlestick AS '$libdir/timescaledb_toolkit', 'candlestick_rollup' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE rollup(candlestick) (SFUNC = _toolkit.candlestick_rollup_step, STYPE = candlestick, PARALLEL = safe);
CREATE FUNCTION open(candlestick candlestick) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'candlestick_open' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION high(candlestick candlestick) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'candlestick_high' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION low(candlestick candlestick) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'candlestick_low' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION close(candlestick candlestick) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'candlestick_close' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION open_time(candlestick candlestick) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'candlestick_open_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION high_time(candlestick candlestick) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'candlestick_high_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION low_time(candlestick candlestick) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'candlestick_low_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION close_time(candlestick candlestick) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'candlestick_close_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION volume(candlestick candlestick) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'candlestick_volume' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION vwap(candlestick candlestick) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'candlestick_vwap' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION _toolkit.time_weight_within(summary timeweightsummary, start timestamptz, finish timestamptz, prev timeweightsummary, next timeweightsummary) RETURNS timeweightsummary AS '$libdir/timescaledb_toolkit', 'time_weight_within' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE FUNCTION interpolated_average(summary timeweightsummary, start timestamptz, duration interval, prev timeweightsummary DEFAULT NULL, next timeweightsummary DEFAULT NULL) RETURNS double precision LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT average(_toolkit.time_weight_within($1, $2, $2 + $3, $4, $5)) $$;
CREATE FUNCTION interpolated_integral(summary timeweightsummary, start timestamptz, duration interval, prev timeweightsummary DEFAULT NULL, next timeweightsummary DEFAULT NULL, unit text DEFAULT 'second') RETURNS double precision LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT integral(_toolkit.time_weight_within($1, $2, $2 + $3, $4, $5), $6) $$;
