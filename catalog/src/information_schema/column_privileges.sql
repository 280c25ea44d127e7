-- Privileges on columns, those on their whole table included.
SELECT DISTINCT u.rolname::name AS grantor,
       g.rolname::name AS grantee,
       current_database()::name AS table_catalog,
       n.nspname::name AS table_schema,
       x.relname::name AS table_name,
       x.attname::name AS column_name,
       x.privilege_type::varchar AS privilege_type,
       (CASE WHEN pg_has_role(x.grantee, x.relowner, 'USAGE') OR x.is_grantable THEN 'YES' ELSE 'NO' END)::varchar(3) AS is_grantable
FROM (SELECT c.relname, c.relnamespace, c.relowner, a.attname, p.grantor, p.grantee, p.privilege_type, p.is_grantable
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) p
      WHERE c.relkind IN ('r', 'v', 'f', 'p')
      UNION
      SELECT c.relname, c.relnamespace, c.relowner, a.attname, p.grantor, p.grantee, p.privilege_type, p.is_grantable
      FROM pg_class c
      JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
      CROSS JOIN LATERAL aclexplode(coalesce(a.attacl, acldefault('c', c.relowner))) p
      WHERE c.relkind IN ('r', 'v', 'f', 'p')) x
JOIN pg_namespace n ON n.oid = x.relnamespace
JOIN pg_authid u ON u.oid = x.grantor
JOIN (SELECT r.oid, r.rolname FROM pg_authid r UNION ALL SELECT 0::oid, 'PUBLIC'::name) g ON g.oid = x.grantee
WHERE x.privilege_type IN ('INSERT', 'SELECT', 'UPDATE', 'REFERENCES')
  AND (pg_has_role(u.oid, 'USAGE') OR pg_has_role(g.oid, 'USAGE') OR g.rolname = 'PUBLIC')
