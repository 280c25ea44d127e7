-- Check constraints, not-null constraints among them.
SELECT current_database()::name AS constraint_catalog,
       n.nspname::name AS constraint_schema,
       o.conname::name AS constraint_name,
       substring(pg_get_constraintdef(o.oid) from 7)::varchar AS check_clause
FROM pg_constraint o
LEFT JOIN pg_namespace n ON n.oid = o.connamespace
LEFT JOIN pg_class c ON c.oid = o.conrelid
LEFT JOIN pg_type t ON t.oid = o.contypid
WHERE o.contype = 'c' AND pg_has_role(coalesce(c.relowner, t.typowner), 'USAGE')
UNION ALL
SELECT current_database()::name,
       n.nspname::name,
       (n.oid::text || '_' || c.oid::text || '_' || a.attnum::text || '_not_null')::name,
       (a.attname::text || ' IS NOT NULL')::varchar
FROM pg_namespace n
JOIN pg_class c ON c.relnamespace = n.oid
JOIN pg_attribute a ON a.attrelid = c.oid
WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attnotnull
  AND c.relkind IN ('r', 'p')
  AND pg_has_role(c.relowner, 'USAGE')
