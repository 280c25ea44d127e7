-- Activity per table in this transaction; it is not counted, hence null.
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
       NULL::bigint AS n_tup_hot_upd
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 't', 'm', 'p')
