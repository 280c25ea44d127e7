-- Attributes of composite types, with what their types say.
SELECT current_database()::name AS udt_catalog,
       x.nspname::name AS udt_schema,
       x.relname::name AS udt_name,
       x.attname::name AS attribute_name,
       x.attnum::int4 AS ordinal_position,
       NULL::varchar AS attribute_default,
       (CASE WHEN x.attnotnull OR x.typtype = 'd' AND x.typnotnull THEN 'NO' ELSE 'YES' END)::varchar(3) AS is_nullable,
       (CASE WHEN x.typelem <> 0 AND x.typlen = -1 THEN 'ARRAY'
             WHEN x.type_schema = 'pg_catalog' THEN format_type(x.atttypid, NULL)
             ELSE 'USER-DEFINED' END)::varchar AS data_type,
       (CASE WHEN x.true_mod = -1 THEN NULL WHEN x.true_type IN (1042, 1043) THEN x.true_mod - 4 WHEN x.true_type IN (1560, 1562) THEN x.true_mod END)::int4 AS character_maximum_length,
       (CASE WHEN x.true_type IN (25, 1042, 1043) THEN CASE WHEN x.true_mod = -1 THEN 1073741824 ELSE (x.true_mod - 4) * 4 END END)::int4 AS character_octet_length,
       NULL::name AS character_set_catalog,
       NULL::name AS character_set_schema,
       NULL::name AS character_set_name,
       (CASE WHEN x.collname IS NOT NULL THEN current_database() END)::name AS collation_catalog,
       x.collation_schema::name AS collation_schema,
       x.collname::name AS collation_name,
       (CASE x.true_type WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53
                WHEN 1700 THEN CASE WHEN x.true_mod <> -1 THEN ((x.true_mod - 4) >> 16) & 65535 END END)::int4 AS numeric_precision,
       (CASE WHEN x.true_type IN (21, 23, 20, 700, 701) THEN 2 WHEN x.true_type = 1700 THEN 10 END)::int4 AS numeric_precision_radix,
       (CASE WHEN x.true_type IN (21, 23, 20) THEN 0 WHEN x.true_type = 1700 AND x.true_mod <> -1 THEN (x.true_mod - 4) & 65535 END)::int4 AS numeric_scale,
       (CASE WHEN x.true_type = 1082 THEN 0
             WHEN x.true_type IN (1083, 1114, 1184, 1266) THEN CASE WHEN x.true_mod < 0 THEN 6 ELSE x.true_mod END
             WHEN x.true_type = 1186 THEN CASE WHEN x.true_mod < 0 OR x.true_mod & 65535 = 65535 THEN 6 ELSE x.true_mod & 65535 END END)::int4 AS datetime_precision,
       (CASE WHEN x.true_type = 1186 THEN upper(substring(format_type(x.true_type, x.true_mod) from 'interval[()0-9]* (.*)')) END)::varchar AS interval_type,
       NULL::int4 AS interval_precision,
       current_database()::name AS attribute_udt_catalog,
       x.type_schema::name AS attribute_udt_schema,
       x.typname::name AS attribute_udt_name,
       NULL::name AS scope_catalog,
       NULL::name AS scope_schema,
       NULL::name AS scope_name,
       NULL::int4 AS maximum_cardinality,
       x.attnum::name AS dtd_identifier,
       'NO'::varchar(3) AS is_derived_reference_attribute
FROM (SELECT a.attname, a.attnum, a.attnotnull, a.atttypid, c.relname, n.nspname,
             t.typname, t.typtype, t.typnotnull, t.typelem, t.typlen, tn.nspname AS type_schema,
             CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END AS true_type,
             CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS true_mod,
             o.collname, cn.nspname AS collation_schema
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_type t ON t.oid = a.atttypid
      JOIN pg_namespace tn ON tn.oid = t.typnamespace
      LEFT JOIN pg_collation o ON o.oid = a.attcollation AND o.collname <> 'default'
      LEFT JOIN pg_namespace cn ON cn.oid = o.collnamespace
      WHERE a.attnum > 0
        AND NOT a.attisdropped
        AND c.relkind = 'c'
        AND (pg_has_role(c.relowner, 'USAGE') OR has_type_privilege(c.reltype, 'USAGE'))) x
