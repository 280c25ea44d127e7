-- Foreign servers, for the views about them.
SELECT s.oid,
    s.srvoptions,
    current_database()::name AS foreign_server_catalog,
    s.srvname::name AS foreign_server_name,
    current_database()::name AS foreign_data_wrapper_catalog,
    w.fdwname::name AS foreign_data_wrapper_name,
    s.srvtype::varchar AS foreign_server_type,
    s.srvversion::varchar AS foreign_server_version,
    u.rolname::name AS authorization_identifier
   FROM pg_foreign_server s,
    pg_foreign_data_wrapper w,
    pg_authid u
  WHERE w.oid = s.srvfdw AND u.oid = s.srvowner AND (pg_has_role(s.srvowner, 'USAGE'::text) OR has_server_privilege(s.oid, 'USAGE'::text))
