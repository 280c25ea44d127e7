-- User mappings of foreign servers.
SELECT u.oid AS umid,
       s.oid AS srvid,
       s.srvname,
       u.umuser,
       CASE WHEN u.umuser = 0 THEN 'public'::name ELSE a.rolname END AS usename,
       u.umoptions
FROM pg_user_mapping u
JOIN pg_foreign_server s ON s.oid = u.umserver
LEFT JOIN pg_authid a ON a.oid = u.umuser
