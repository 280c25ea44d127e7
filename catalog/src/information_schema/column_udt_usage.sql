-- Columns by the type they are of, for types that the current user owns.
SELECT current_database()::name AS udt_catalog,
       coalesce(bn.nspname, tn.nspname)::name AS udt_schema,
       coalesce(b.typname, t.typname)::name AS udt_name,
       current_database()::name AS table_catalog,
       n.nspname::name AS table_schema,
       c.relname::name AS table_name,
       a.attname::name AS column_name
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_namespace tn ON tn.oid = t.typnamespace
LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
LEFT JOIN pg_namespace bn ON bn.oid = b.typnamespace
WHERE a.attnum > 0
  AND NOT a.attisdropped
  AND c.relkind IN ('r', 'v', 'f', 'p')
  AND pg_has_role(coalesce(b.typowner, t.typowner), 'USAGE')
