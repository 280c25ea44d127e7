-- Sequences with their parameters; those of identity columns are left out.
SELECT current_database()::name AS sequence_catalog,
       n.nspname::name AS sequence_schema,
       c.relname::name AS sequence_name,
       format_type(s.seqtypid, NULL)::varchar AS data_type,
       (CASE s.seqtypid WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 END)::int4 AS numeric_precision,
       2::int4 AS numeric_precision_radix,
       0::int4 AS numeric_scale,
       s.seqstart::varchar AS start_value,
       s.seqmin::varchar AS minimum_value,
       s.seqmax::varchar AS maximum_value,
       s.seqincrement::varchar AS increment,
       (CASE WHEN s.seqcycle THEN 'YES' ELSE 'NO' END)::varchar(3) AS cycle_option
FROM pg_namespace n
JOIN pg_class c ON c.relnamespace = n.oid
JOIN pg_sequence s ON s.seqrelid = c.oid
WHERE c.relkind = 'S'
  AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 1259 AND d.objid = c.oid AND d.deptype = 'i')
  AND NOT pg_is_other_temp_schema(n.oid)
  AND (pg_has_role(c.relowner, 'USAGE') OR has_sequence_privilege(c.oid, 'SELECT, UPDATE, USAGE'))
