-- Privileges on tables and views, granted by or to the current user.
SELECT u.rolname::name AS grantor,
       g.rolname::name AS grantee,
       current_database()::name AS table_catalog,
       n.nspname::name AS table_schema,
       c.relname::name AS table_name,
       c.privilege_type::varchar AS privilege_type,
       (CASE WHEN pg_has_role(g.oid, c.relowner, 'USAGE') OR c.is_grantable THEN 'YES' ELSE 'NO' END)::varchar(3) AS is_grantable,
       (CASE WHEN c.privilege_type = 'SELECT' THEN 'YES' ELSE 'NO' END)::varchar(3) AS with_hierarchy
FROM (SELECT c.oid, c.relname, c.relnamespace, c.relkind, c.relowner,
             g.grantor, g.grantee, g.privilege_type, g.is_grantable
      FROM pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) g) c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_authid u ON u.oid = c.grantor
JOIN (SELECT r.oid, r.rolname FROM pg_authid r UNION ALL SELECT 0::oid, 'PUBLIC'::name) g ON g.oid = c.grantee
WHERE c.relkind IN ('r', 'v', 'f', 'p')
  AND c.privilege_type IN ('INSERT', 'SELECT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER')
  AND (pg_has_role(u.oid, 'USAGE') OR pg_has_role(g.oid, 'USAGE') OR g.rolname = 'PUBLIC')
