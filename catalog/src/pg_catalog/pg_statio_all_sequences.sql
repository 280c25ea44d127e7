-- Reads of blocks per sequence; they are not counted, hence null.
SELECT c.oid AS relid,
       n.nspname AS schemaname,
       c.relname,
       NULL::bigint AS blks_read,
       NULL::bigint AS blks_hit
FROM pg_class c
LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S'
