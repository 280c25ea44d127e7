-- Activity per table. Only the live rows are known; what is not counted is null.
SELECT c.oid AS relid,
       n.nspname AS schemaname,
       c.relname,
       NULL::bigint AS seq_scan,
       NULL::bigint AS seq_tup_read,
       NULL::bigint AS idx_scan,
       NULL::bigint AS idx_tup_fetch,
       NULL::bigint AS n_tup_ins,
       NULL::bigint AS n_tup_upd,
       NULL::bigint AS n_tup_del,
       NULL::bigint AS n_tup_hot_upd,
       CASE WHEN c.reltuples >= 0 THEN c.reltuples::bigint END AS n_live_tup,
       NULL::bigint AS n_dead_tup,
       NULL::bigint AS n_mod_since_analyze,
       NULL::bigint AS n_ins_since_vacuum,
       NULL::timestamptz AS last_vacuum,
       NULL::timestamptz AS last_autovacuum,
       NULL::timestamptz AS last_analyze,
       NULL::timestamptz AS last_autoanalyze,
       NULL::bigint AS vacuum_count,
       NULL::bigint AS autovacuum_count,
       NULL::bigint AS analyze_count,
       NULL::bigint AS autoanalyze_count
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 't', 'm', 'p')
