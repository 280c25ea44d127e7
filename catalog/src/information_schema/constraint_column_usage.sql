-- Columns that constraints refer to, of tables that the current user owns.
SELECT current_database()::name AS table_catalog,
       x.table_schema::name AS table_schema,
       x.table_name::name AS table_name,
       x.column_name::name AS column_name,
       current_database()::name AS constraint_catalog,
       x.constraint_schema::name AS constraint_schema,
       x.constraint_name::name AS constraint_name
FROM (SELECT DISTINCT n.nspname AS table_schema, c.relname AS table_name, c.relowner AS owner, a.attname AS column_name,
             kn.nspname AS constraint_schema, o.conname AS constraint_name
      FROM pg_constraint o
      JOIN pg_namespace kn ON kn.oid = o.connamespace
      JOIN pg_class c ON c.oid = CASE WHEN o.contype = 'f' THEN o.confrelid ELSE o.conrelid END
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_attribute a ON a.attrelid = c.oid
                         AND a.attnum = ANY (CASE WHEN o.contype = 'f' THEN o.confkey ELSE o.conkey END)
      WHERE o.contype IN ('c', 'p', 'u', 'f')
        AND c.relkind IN ('r', 'p')
        AND NOT a.attisdropped) x
WHERE pg_has_role(x.owner, 'USAGE')
