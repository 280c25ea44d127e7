-- Privileges on functions, granted by or to the current user.
SELECT u.rolname::name AS grantor,
       g.rolname::name AS grantee,
       current_database()::name AS specific_catalog,
       n.nspname::name AS specific_schema,
       (p.proname::text || '_' || p.oid::text)::name AS specific_name,
       current_database()::name AS routine_catalog,
       n.nspname::name AS routine_schema,
       p.proname::name AS routine_name,
       'EXECUTE'::varchar AS privilege_type,
       (CASE WHEN pg_has_role(g.oid, p.proowner, 'USAGE') OR p.is_grantable THEN 'YES' ELSE 'NO' END)::varchar(3) AS is_grantable
FROM (SELECT f.oid, f.proname, f.proowner, f.pronamespace, a.grantor, a.grantee, a.privilege_type, a.is_grantable
      FROM pg_proc f, aclexplode(coalesce(f.proacl, acldefault('f', f.proowner))) a) p
JOIN pg_namespace n ON n.oid = p.pronamespace
JOIN pg_authid u ON u.oid = p.grantor
JOIN (SELECT r.oid, r.rolname FROM pg_authid r UNION ALL SELECT 0::oid, 'PUBLIC'::name) g ON g.oid = p.grantee
WHERE p.privilege_type = 'EXECUTE'
  AND (pg_has_role(u.oid, 'USAGE') OR pg_has_role(g.oid, 'USAGE') OR g.rolname = 'PUBLIC')
