-- Columns of domain types, for domains that the current user owns.
SELECT current_database()::name AS domain_catalog,
       tn.nspname::name AS domain_schema,
       t.typname::name AS domain_name,
       current_database()::name AS table_catalog,
       n.nspname::name AS table_schema,
       c.relname::name AS table_name,
       a.attname::name AS column_name
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
JOIN pg_namespace tn ON tn.oid = t.typnamespace
WHERE a.attnum > 0
  AND NOT a.attisdropped
  AND t.typtype = 'd'
  AND c.relkind IN ('r', 'v', 'f', 'p')
  AND pg_has_role(t.typowner, 'USAGE')
