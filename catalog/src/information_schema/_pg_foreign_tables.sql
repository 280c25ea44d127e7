-- Foreign tables, for the views about them.
SELECT current_database()::name AS foreign_table_catalog,
    n.nspname::name AS foreign_table_schema,
    c.relname::name AS foreign_table_name,
    t.ftoptions,
    current_database()::name AS foreign_server_catalog,
    s.srvname::name AS foreign_server_name,
    u.rolname::name AS authorization_identifier
   FROM pg_foreign_table t,
    pg_foreign_server s,
    pg_foreign_data_wrapper w,
    pg_authid u,
    pg_namespace n,
    pg_class c
  WHERE w.oid = s.srvfdw AND u.oid = c.relowner AND (pg_has_role(c.relowner, 'USAGE'::text) OR has_table_privilege(c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER'::text) OR has_any_column_privilege(c.oid, 'SELECT, INSERT, UPDATE, REFERENCES'::text)) AND n.oid = c.relnamespace AND c.oid = t.ftrelid AND c.relkind = 'f'::"char" AND s.oid = t.ftserver
