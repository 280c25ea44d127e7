-- Roles whose privileges the current user can use.
SELECT a.rolname::name AS grantee,
       b.rolname::name AS role_name,
       (CASE WHEN m.admin_option THEN 'YES' ELSE 'NO' END)::varchar(3) AS is_grantable
FROM (SELECT member, roleid, admin_option FROM pg_auth_members
      UNION
      SELECT d.datdba, r.oid, false FROM pg_database d, pg_authid r
      WHERE d.datname = current_database() AND r.rolname = 'pg_database_owner') m
JOIN pg_authid a ON a.oid = m.member
JOIN pg_authid b ON b.oid = m.roleid
WHERE pg_has_role(a.oid, 'USAGE')
