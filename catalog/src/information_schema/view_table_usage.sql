-- Tables that views read, of those that the current user owns.
SELECT DISTINCT current_database()::name AS view_catalog,
       x.view_schema::name AS view_schema,
       x.view_name::name AS view_name,
       current_database()::name AS table_catalog,
       x.table_schema::name AS table_schema,
       x.table_name::name AS table_name
FROM (SELECT DISTINCT vn.nspname AS view_schema, v.relname AS view_name, tn.nspname AS table_schema, t.relname AS table_name,
             t.relowner AS owner, t.oid AS table_oid, d.refobjsubid AS attnum
      FROM pg_rewrite r
      JOIN pg_class v ON v.oid = r.ev_class AND v.relkind = 'v'
      JOIN pg_namespace vn ON vn.oid = v.relnamespace
      JOIN pg_depend d ON d.classid = 2618 AND d.objid = r.oid AND d.refclassid = 1259 AND d.refobjid <> v.oid
      JOIN pg_class t ON t.oid = d.refobjid AND t.relkind IN ('r', 'v', 'f', 'p')
      JOIN pg_namespace tn ON tn.oid = t.relnamespace) x
WHERE pg_has_role(x.owner, 'USAGE')
