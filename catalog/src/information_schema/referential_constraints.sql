-- Foreign keys and the keys they point at.
SELECT current_database()::name AS constraint_catalog,
       n.nspname::name AS constraint_schema,
       o.conname::name AS constraint_name,
       (CASE WHEN u.oid IS NOT NULL THEN current_database() END)::name AS unique_constraint_catalog,
       un.nspname::name AS unique_constraint_schema,
       u.conname::name AS unique_constraint_name,
       (CASE o.confmatchtype WHEN 'f' THEN 'FULL' WHEN 'p' THEN 'PARTIAL' WHEN 's' THEN 'NONE' END)::varchar
           AS match_option,
       (CASE o.confupdtype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
                           WHEN 'r' THEN 'RESTRICT' WHEN 'a' THEN 'NO ACTION' END)::varchar AS update_rule,
       (CASE o.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'n' THEN 'SET NULL' WHEN 'd' THEN 'SET DEFAULT'
                           WHEN 'r' THEN 'RESTRICT' WHEN 'a' THEN 'NO ACTION' END)::varchar AS delete_rule
FROM pg_constraint o
JOIN pg_namespace n ON n.oid = o.connamespace
JOIN pg_class c ON c.oid = o.conrelid
LEFT JOIN pg_constraint u ON u.conindid = o.conindid AND u.conrelid = o.confrelid AND u.contype IN ('p', 'u')
LEFT JOIN pg_namespace un ON un.oid = u.connamespace
WHERE o.contype = 'f'
  AND (pg_has_role(c.relowner, 'USAGE')
       OR has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(c.oid, 'INSERT, UPDATE, REFERENCES'))
