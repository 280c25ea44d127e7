-- Columns of primary, unique and foreign keys.
SELECT current_database()::name AS constraint_catalog,
       kn.nspname::name AS constraint_schema,
       o.conname::name AS constraint_name,
       current_database()::name AS table_catalog,
       n.nspname::name AS table_schema,
       c.relname::name AS table_name,
       a.attname::name AS column_name,
       k.position::int4 AS ordinal_position,
       (CASE WHEN o.contype = 'f' THEN
             (SELECT p.position FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY p(attnum, position)
              WHERE i.indexrelid = o.conindid AND p.attnum = o.confkey[k.position]) END)::int4
           AS position_in_unique_constraint
FROM pg_constraint o
JOIN pg_namespace kn ON kn.oid = o.connamespace
JOIN pg_class c ON c.oid = o.conrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL unnest(o.conkey) WITH ORDINALITY k(attnum, position)
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
WHERE o.contype IN ('p', 'u', 'f')
  AND c.relkind IN ('r', 'p')
  AND NOT a.attisdropped
  AND NOT pg_is_other_temp_schema(n.oid)
  AND (pg_has_role(c.relowner, 'USAGE')
       OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))
