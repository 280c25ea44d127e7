-- Constraints of tables, not-null constraints as checks among them.
SELECT current_database()::name AS constraint_catalog,
       k.constraint_schema::name AS constraint_schema,
       k.constraint_name::name AS constraint_name,
       current_database()::name AS table_catalog,
       n.nspname::name AS table_schema,
       c.relname::name AS table_name,
       k.constraint_type::varchar AS constraint_type,
       k.is_deferrable::varchar(3) AS is_deferrable,
       k.initially_deferred::varchar(3) AS initially_deferred,
       'YES'::varchar(3) AS enforced,
       k.nulls_distinct::varchar(3) AS nulls_distinct
FROM (SELECT o.conrelid AS relation,
             kn.nspname AS constraint_schema,
             o.conname AS constraint_name,
             CASE o.contype WHEN 'c' THEN 'CHECK' WHEN 'f' THEN 'FOREIGN KEY' WHEN 'p' THEN 'PRIMARY KEY'
                            WHEN 'u' THEN 'UNIQUE' END AS constraint_type,
             CASE WHEN o.condeferrable THEN 'YES' ELSE 'NO' END AS is_deferrable,
             CASE WHEN o.condeferred THEN 'YES' ELSE 'NO' END AS initially_deferred,
             CASE WHEN o.contype = 'u' THEN
                  CASE WHEN (SELECT NOT i.indnullsnotdistinct FROM pg_index i WHERE i.indexrelid = o.conindid)
                       THEN 'YES' ELSE 'NO' END END AS nulls_distinct
      FROM pg_constraint o
      JOIN pg_namespace kn ON kn.oid = o.connamespace
      WHERE o.contype NOT IN ('t', 'x')
      UNION ALL
      SELECT a.attrelid,
             an.nspname,
             (an.oid::text || '_' || ac.oid::text || '_' || a.attnum::text || '_not_null')::name,
             'CHECK',
             'NO',
             'NO',
             NULL
      FROM pg_attribute a
      JOIN pg_class ac ON ac.oid = a.attrelid
      JOIN pg_namespace an ON an.oid = ac.relnamespace
      WHERE a.attnotnull AND a.attnum > 0 AND NOT a.attisdropped) k
JOIN pg_class c ON c.oid = k.relation
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p')
  AND NOT pg_is_other_temp_schema(n.oid)
  AND (pg_has_role(c.relowner, 'USAGE')
       OR has_table_privilege(c.oid, 'INSERT, UPDATE, DELETE, TRUNCATE, REFERENCES, TRIGGER')
       OR has_any_column_privilege(c.oid, 'INSERT, UPDATE, REFERENCES'))
