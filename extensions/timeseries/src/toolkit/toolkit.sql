-- What CREATE EXTENSION timescaledb_toolkit makes: names and meanings are those of TimescaleDB Toolkit. Summaries are composite types.

CREATE SCHEMA _toolkit;
GRANT USAGE ON SCHEMA _toolkit TO PUBLIC;

-- counters and gauges
CREATE TYPE countersummary AS (first_time timestamptz, first_value double precision, second_time timestamptz, second_value double precision, penultimate_time timestamptz, penultimate_value double precision, last_time timestamptz, last_value double precision, reset_sum double precision, num_resets bigint, num_changes bigint, num_elements bigint, mean_x double precision, x2 double precision, mean_y double precision, y2 double precision, xy double precision);
CREATE FUNCTION _toolkit.counter_step(countersummary, timestamptz, double precision) RETURNS countersummary AS '$libdir/timescaledb_toolkit', 'counter' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE counter_agg(timestamptz, double precision) (SFUNC = _toolkit.counter_step, STYPE = countersummary, PARALLEL = safe);
CREATE FUNCTION _toolkit.counter_rollup_step(countersummary, countersummary) RETURNS countersummary AS '$libdir/timescaledb_toolkit', 'counter_rollup' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE rollup(countersummary) (SFUNC = _toolkit.counter_rollup_step, STYPE = countersummary, PARALLEL = safe);
CREATE FUNCTION delta(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_delta' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rate(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_rate' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_delta(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_time_delta' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION idelta_left(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_idelta_left' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION idelta_right(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_idelta_right' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION irate_left(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_irate_left' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION irate_right(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_irate_right' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION slope(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_slope' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION intercept(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_intercept' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION corr(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_corr' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION first_val(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_first_val' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION last_val(summary countersummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'counter_last_val' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION num_elements(summary countersummary) RETURNS bigint AS '$libdir/timescaledb_toolkit', 'counter_num_elements' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION num_changes(summary countersummary) RETURNS bigint AS '$libdir/timescaledb_toolkit', 'counter_num_changes' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION num_resets(summary countersummary) RETURNS bigint AS '$libdir/timescaledb_toolkit', 'counter_num_resets' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION first_time(summary countersummary) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'counter_first_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION last_time(summary countersummary) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'counter_last_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION counter_zero_time(summary countersummary) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'counter_zero_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE TYPE gaugesummary AS (first_time timestamptz, first_value double precision, second_time timestamptz, second_value double precision, penultimate_time timestamptz, penultimate_value double precision, last_time timestamptz, last_value double precision, reset_sum double precision, num_resets bigint, num_changes bigint, num_elements bigint, mean_x double precision, x2 double precision, mean_y double precision, y2 double precision, xy double precision);
CREATE FUNCTION _toolkit.gauge_step(gaugesummary, timestamptz, double precision) RETURNS gaugesummary AS '$libdir/timescaledb_toolkit', 'gauge' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE gauge_agg(timestamptz, double precision) (SFUNC = _toolkit.gauge_step, STYPE = gaugesummary, PARALLEL = safe);
CREATE FUNCTION _toolkit.gauge_rollup_step(gaugesummary, gaugesummary) RETURNS gaugesummary AS '$libdir/timescaledb_toolkit', 'gauge_rollup' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE rollup(gaugesummary) (SFUNC = _toolkit.gauge_rollup_step, STYPE = gaugesummary, PARALLEL = safe);
CREATE FUNCTION delta(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_delta' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION rate(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_rate' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION time_delta(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_time_delta' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION idelta_left(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_idelta_left' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION idelta_right(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_idelta_right' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION irate_left(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_irate_left' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION irate_right(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_irate_right' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION slope(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_slope' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION intercept(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_intercept' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION corr(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_corr' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION first_val(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_first_val' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION last_val(summary gaugesummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'gauge_last_val' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION num_elements(summary gaugesummary) RETURNS bigint AS '$libdir/timescaledb_toolkit', 'gauge_num_elements' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION num_changes(summary gaugesummary) RETURNS bigint AS '$libdir/timescaledb_toolkit', 'gauge_num_changes' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION first_time(summary gaugesummary) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'gauge_first_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION last_time(summary gaugesummary) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'gauge_last_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION gauge_zero_time(summary gaugesummary) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'gauge_zero_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION _toolkit.points_rate_step(double precision, double precision, timestamptz) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'points_rate' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE rate(double precision, timestamptz) (SFUNC = _toolkit.points_rate_step, STYPE = double precision, PARALLEL = safe);
CREATE FUNCTION _toolkit.points_increase_step(double precision, double precision, timestamptz) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'points_increase' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE increase(double precision, timestamptz) (SFUNC = _toolkit.points_increase_step, STYPE = double precision, PARALLEL = safe);
CREATE FUNCTION _toolkit.points_delta_step(double precision, double precision, timestamptz) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'points_delta' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE delta(double precision, timestamptz) (SFUNC = _toolkit.points_delta_step, STYPE = double precision, PARALLEL = safe);
CREATE FUNCTION _toolkit.points_irate_step(double precision, double precision, timestamptz) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'points_irate' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE irate(double precision, timestamptz) (SFUNC = _toolkit.points_irate_step, STYPE = double precision, PARALLEL = safe);

-- time-weighted averages
CREATE TYPE timeweightsummary AS (method integer, first_time timestamptz, first_value double precision, last_time timestamptz, last_value double precision, weighted_sum double precision);
CREATE FUNCTION _toolkit.time_weight_step(timeweightsummary, text, timestamptz, double precision) RETURNS timeweightsummary AS '$libdir/timescaledb_toolkit', 'time_weight' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE time_weight(text, timestamptz, double precision) (SFUNC = _toolkit.time_weight_step, STYPE = timeweightsummary, PARALLEL = safe);
CREATE FUNCTION _toolkit.time_weight_rollup_step(timeweightsummary, timeweightsummary) RETURNS timeweightsummary AS '$libdir/timescaledb_toolkit', 'time_weight_rollup' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE rollup(timeweightsummary) (SFUNC = _toolkit.time_weight_rollup_step, STYPE = timeweightsummary, PARALLEL = safe);
CREATE FUNCTION average(summary timeweightsummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'time_weight_average' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION integral(summary timeweightsummary, unit text DEFAULT 'second') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'time_weight_integral' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION first_val(summary timeweightsummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'time_weight_first_val' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION last_val(summary timeweightsummary) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'time_weight_last_val' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION first_time(summary timeweightsummary) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'time_weight_first_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION last_time(summary timeweightsummary) RETURNS timestamptz AS '$libdir/timescaledb_toolkit', 'time_weight_last_time' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

-- statistics
CREATE TYPE statssummary1d AS (n bigint, mean double precision, m2 double precision, m3 double precision, m4 double precision);
CREATE TYPE statssummary2d AS (n bigint, mean_x double precision, x2 double precision, x3 double precision, x4 double precision, mean_y double precision, y2 double precision, y3 double precision, y4 double precision, xy double precision);
CREATE FUNCTION _toolkit.stats1d_step(statssummary1d, double precision) RETURNS statssummary1d AS '$libdir/timescaledb_toolkit', 'stats1d' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE stats_agg(double precision) (SFUNC = _toolkit.stats1d_step, STYPE = statssummary1d, PARALLEL = safe);
CREATE FUNCTION _toolkit.stats2d_step(statssummary2d, double precision, double precision) RETURNS statssummary2d AS '$libdir/timescaledb_toolkit', 'stats2d' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE stats_agg(double precision, double precision) (SFUNC = _toolkit.stats2d_step, STYPE = statssummary2d, PARALLEL = safe);
CREATE FUNCTION _toolkit.stats1d_rollup_step(statssummary1d, statssummary1d) RETURNS statssummary1d AS '$libdir/timescaledb_toolkit', 'stats1d_rollup' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE rollup(statssummary1d) (SFUNC = _toolkit.stats1d_rollup_step, STYPE = statssummary1d, PARALLEL = safe);
CREATE FUNCTION num_vals(summary statssummary1d) RETURNS bigint AS '$libdir/timescaledb_toolkit', 'stats1d_num_vals' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION _toolkit.stats2d_rollup_step(statssummary2d, statssummary2d) RETURNS statssummary2d AS '$libdir/timescaledb_toolkit', 'stats2d_rollup' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE rollup(statssummary2d) (SFUNC = _toolkit.stats2d_rollup_step, STYPE = statssummary2d, PARALLEL = safe);
CREATE FUNCTION num_vals(summary statssummary2d) RETURNS bigint AS '$libdir/timescaledb_toolkit', 'stats2d_num_vals' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION average(summary statssummary1d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats1d_average' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION sum(summary statssummary1d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats1d_sum' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION average_x(summary statssummary2d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_average_x' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION average_y(summary statssummary2d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_average_y' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION sum_x(summary statssummary2d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_sum_x' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION sum_y(summary statssummary2d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_sum_y' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION slope(summary statssummary2d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_slope' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION intercept(summary statssummary2d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_intercept' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION x_intercept(summary statssummary2d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_x_intercept' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION corr(summary statssummary2d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_corr' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION determination_coeff(summary statssummary2d) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_determination_coeff' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION covariance(summary statssummary2d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stats2d_covariance' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION stddev(summary statssummary1d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stddev_1d' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION stddev_x(summary statssummary2d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stddev_x' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION stddev_y(summary statssummary2d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'stddev_y' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION variance(summary statssummary1d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'variance_1d' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION variance_x(summary statssummary2d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'variance_x' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION variance_y(summary statssummary2d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'variance_y' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION skewness(summary statssummary1d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'skewness_1d' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION skewness_x(summary statssummary2d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'skewness_x' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION skewness_y(summary statssummary2d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'skewness_y' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION kurtosis(summary statssummary1d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'kurtosis_1d' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION kurtosis_x(summary statssummary2d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'kurtosis_x' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION kurtosis_y(summary statssummary2d, method text DEFAULT 'sample') RETURNS double precision AS '$libdir/timescaledb_toolkit', 'kurtosis_y' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

-- percentiles
CREATE TYPE tdigest AS (buckets integer, count bigint, sum double precision, min double precision, max double precision, centroids bytea);
CREATE FUNCTION _toolkit.tdigest_step(tdigest, integer, double precision) RETURNS tdigest AS '$libdir/timescaledb_toolkit', 'tdigest' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE tdigest(integer, double precision) (SFUNC = _toolkit.tdigest_step, STYPE = tdigest, PARALLEL = safe);
CREATE FUNCTION _toolkit.percentile_agg_step(tdigest, double precision) RETURNS tdigest AS '$libdir/timescaledb_toolkit', 'percentile_agg' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE percentile_agg(double precision) (SFUNC = _toolkit.percentile_agg_step, STYPE = tdigest, PARALLEL = safe);
CREATE FUNCTION _toolkit.tdigest_rollup_step(tdigest, tdigest) RETURNS tdigest AS '$libdir/timescaledb_toolkit', 'tdigest_rollup' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE rollup(tdigest) (SFUNC = _toolkit.tdigest_rollup_step, STYPE = tdigest, PARALLEL = safe);
CREATE FUNCTION approx_percentile(percentile double precision, sketch tdigest) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'tdigest_quantile' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION approx_percentile_array(percentiles double precision[], sketch tdigest) RETURNS double precision[] AS '$libdir/timescaledb_toolkit', 'tdigest_quantiles' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION approx_percentile_rank(value double precision, sketch tdigest) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'tdigest_rank' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION mean(sketch tdigest) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'tdigest_mean' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION num_vals(sketch tdigest) RETURNS bigint AS '$libdir/timescaledb_toolkit', 'tdigest_num_vals' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION min_val(sketch tdigest) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'tdigest_min' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION max_val(sketch tdigest) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'tdigest_max' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

-- how many different values there are
CREATE TYPE hyperloglog AS (precision integer, registers bytea);
CREATE FUNCTION _toolkit.hyperloglog_step(hyperloglog, integer, anyelement) RETURNS hyperloglog AS '$libdir/timescaledb_toolkit', 'hyperloglog' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE hyperloglog(integer, anyelement) (SFUNC = _toolkit.hyperloglog_step, STYPE = hyperloglog, PARALLEL = safe);
CREATE FUNCTION _toolkit.approx_count_distinct_step(hyperloglog, anyelement) RETURNS hyperloglog AS '$libdir/timescaledb_toolkit', 'approx_count_distinct' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE approx_count_distinct(anyelement) (SFUNC = _toolkit.approx_count_distinct_step, STYPE = hyperloglog, PARALLEL = safe);
CREATE FUNCTION _toolkit.hyperloglog_rollup_step(hyperloglog, hyperloglog) RETURNS hyperloglog AS '$libdir/timescaledb_toolkit', 'hyperloglog_rollup' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE rollup(hyperloglog) (SFUNC = _toolkit.hyperloglog_rollup_step, STYPE = hyperloglog, PARALLEL = safe);
CREATE FUNCTION distinct_count(summary hyperloglog) RETURNS bigint AS '$libdir/timescaledb_toolkit', 'hyperloglog_count' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;
CREATE FUNCTION stderror(summary hyperloglog) RETURNS double precision AS '$libdir/timescaledb_toolkit', 'hyperloglog_error' LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE;

-- fewer points
CREATE TYPE timevector_tstz_f64 AS (times timestamptz[], vals double precision[]);
CREATE FUNCTION _toolkit.lttb_step(timevector_tstz_f64, timestamptz, double precision, integer) RETURNS timevector_tstz_f64 AS '$libdir/timescaledb_toolkit', 'lttb' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE lttb(timestamptz, double precision, integer) (SFUNC = _toolkit.lttb_step, STYPE = timevector_tstz_f64, PARALLEL = safe);
CREATE FUNCTION _toolkit.asap_smooth_step(timevector_tstz_f64, timestamptz, double precision, integer) RETURNS timevector_tstz_f64 AS '$libdir/timescaledb_toolkit', 'asap_smooth' LANGUAGE c IMMUTABLE PARALLEL SAFE;
CREATE AGGREGATE asap_smooth(timestamptz, double precision, integer) (SFUNC = _toolkit.asap_smooth_step, STYPE = timevector_tstz_f64, PARALLEL = safe);
CREATE FUNCTION unnest(series timevector_tstz_f64) RETURNS TABLE (time timestamptz, value double precision) LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT * FROM ROWS FROM (pg_catalog.unnest((series).times), pg_catalog.unnest((series).vals)) AS point(time, value)
$$;
