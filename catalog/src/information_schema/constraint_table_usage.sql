-- Tables that constraints refer to, of those that the current user owns.
SELECT current_database()::name AS table_catalog,
       n.nspname::name AS table_schema,
       c.relname::name AS table_name,
       current_database()::name AS constraint_catalog,
       kn.nspname::name AS constraint_schema,
       o.conname::name AS constraint_name
FROM pg_constraint o
JOIN pg_namespace kn ON kn.oid = o.connamespace
JOIN pg_class c ON c.oid = CASE WHEN o.contype = 'f' THEN o.confrelid ELSE o.conrelid END
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE o.contype IN ('f', 'p', 'u')
  AND c.relkind IN ('r', 'p')
  AND pg_has_role(c.relowner, 'USAGE')
