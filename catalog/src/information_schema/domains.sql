-- Domains, with what their base types say.
SELECT current_database()::name AS domain_catalog,
       x.nspname::name AS domain_schema,
       x.typname::name AS domain_name,
       (CASE WHEN x.typelem <> 0 AND x.typlen = -1 THEN 'ARRAY'
             WHEN x.base_schema = 'pg_catalog' THEN format_type(x.typbasetype, NULL)
             ELSE 'USER-DEFINED' END)::varchar AS data_type,
       (CASE WHEN x.typtypmod = -1 THEN NULL WHEN x.typbasetype IN (1042, 1043) THEN x.typtypmod - 4 WHEN x.typbasetype IN (1560, 1562) THEN x.typtypmod END)::int4 AS character_maximum_length,
       (CASE WHEN x.typbasetype IN (25, 1042, 1043) THEN CASE WHEN x.typtypmod = -1 THEN 1073741824 ELSE (x.typtypmod - 4) * 4 END END)::int4 AS character_octet_length,
       NULL::name AS character_set_catalog,
       NULL::name AS character_set_schema,
       NULL::name AS character_set_name,
       (CASE WHEN x.collname IS NOT NULL THEN current_database() END)::name AS collation_catalog,
       x.collation_schema::name AS collation_schema,
       x.collname::name AS collation_name,
       (CASE x.typbasetype WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53
                WHEN 1700 THEN CASE WHEN x.typtypmod <> -1 THEN ((x.typtypmod - 4) >> 16) & 65535 END END)::int4 AS numeric_precision,
       (CASE WHEN x.typbasetype IN (21, 23, 20, 700, 701) THEN 2 WHEN x.typbasetype = 1700 THEN 10 END)::int4 AS numeric_precision_radix,
       (CASE WHEN x.typbasetype IN (21, 23, 20) THEN 0 WHEN x.typbasetype = 1700 AND x.typtypmod <> -1 THEN (x.typtypmod - 4) & 65535 END)::int4 AS numeric_scale,
       (CASE WHEN x.typbasetype = 1082 THEN 0
             WHEN x.typbasetype IN (1083, 1114, 1184, 1266) THEN CASE WHEN x.typtypmod < 0 THEN 6 ELSE x.typtypmod END
             WHEN x.typbasetype = 1186 THEN CASE WHEN x.typtypmod < 0 OR x.typtypmod & 65535 = 65535 THEN 6 ELSE x.typtypmod & 65535 END END)::int4 AS datetime_precision,
       (CASE WHEN x.typbasetype = 1186 THEN upper(substring(format_type(x.typbasetype, x.typtypmod) from 'interval[()0-9]* (.*)')) END)::varchar AS interval_type,
       NULL::int4 AS interval_precision,
       x.typdefault::varchar AS domain_default,
       current_database()::name AS udt_catalog,
       x.base_schema::name AS udt_schema,
       x.base_name::name AS udt_name,
       NULL::name AS scope_catalog,
       NULL::name AS scope_schema,
       NULL::name AS scope_name,
       NULL::int4 AS maximum_cardinality,
       1::name AS dtd_identifier
FROM (SELECT t.typname, t.typelem, t.typlen, t.typbasetype, t.typtypmod, t.typdefault, n.nspname,
             b.typname AS base_name, bn.nspname AS base_schema, o.collname, cn.nspname AS collation_schema
      FROM pg_type t
      JOIN pg_namespace n ON n.oid = t.typnamespace
      JOIN pg_type b ON b.oid = t.typbasetype
      JOIN pg_namespace bn ON bn.oid = b.typnamespace
      LEFT JOIN pg_collation o ON o.oid = t.typcollation AND o.collname <> 'default'
      LEFT JOIN pg_namespace cn ON cn.oid = o.collnamespace
      WHERE t.typtype = 'd'
        AND (pg_has_role(t.typowner, 'USAGE') OR has_type_privilege(t.oid, 'USAGE'))) x
