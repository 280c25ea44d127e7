-- Tables of each publication.
SELECT p.pubname,
       n.nspname AS schemaname,
       c.relname AS tablename,
       ARRAY(SELECT a.attname FROM pg_attribute a
             WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
               AND (t.attrs IS NULL OR a.attnum = ANY (t.attrs))
             ORDER BY a.attnum) AS attnames,
       pg_get_expr(t.qual, c.oid) AS rowfilter
FROM pg_publication p, LATERAL pg_get_publication_tables(p.pubname::text) t, pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = t.relid
