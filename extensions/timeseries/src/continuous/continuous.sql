
-- Continuous aggregates.
CREATE PROCEDURE refresh_continuous_aggregate(continuous_aggregate regclass, window_start "any", window_end "any", force boolean DEFAULT false, options jsonb DEFAULT NULL) AS '$libdir/timescaledb', 'ts_continuous_agg_refresh' LANGUAGE c;

CREATE VIEW timescaledb_information.continuous_aggregates AS
    SELECT sn.nspname AS hypertable_schema, s.relname AS hypertable_name, vn.nspname AS view_schema, v.relname AS view_name, pg_get_userbyid(v.relowner) AS view_owner, NOT a.real_time AS materialized_only,
        h.columnstore AS compression_enabled, mn.nspname AS materialization_hypertable_schema, m.relname AS materialization_hypertable_name, pg_get_viewdef(a.direct) AS view_definition, true AS finalized
    FROM _timescaledb_catalog.continuous_agg a JOIN pg_class v ON v.oid = a.view JOIN pg_namespace vn ON vn.oid = v.relnamespace JOIN pg_class m ON m.oid = a.materialization JOIN pg_namespace mn ON mn.oid = m.relnamespace
        JOIN pg_class s ON s.oid = a.source JOIN pg_namespace sn ON sn.oid = s.relnamespace LEFT JOIN _timescaledb_catalog.hypertable h ON h.relation = a.materialization;
GRANT SELECT ON timescaledb_information.continuous_aggregates TO PUBLIC;
