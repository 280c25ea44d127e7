-- Columns of tables and views, with what their types say.
SELECT current_database()::name AS table_catalog,
       x.nspname::name AS table_schema,
       x.relname::name AS table_name,
       x.attname::name AS column_name,
       x.attnum::int4 AS ordinal_position,
       (CASE WHEN x.attgenerated = '' THEN x.expression END)::varchar AS column_default,
       (CASE WHEN NOT (x.attnotnull OR x.typtype = 'd' AND x.typnotnull) THEN 'YES' ELSE 'NO' END)::varchar(3) AS is_nullable,
       (CASE WHEN x.typtype = 'd' THEN
                  CASE WHEN x.base_element <> 0 AND x.base_len = -1 THEN 'ARRAY'
                       WHEN x.base_schema = 'pg_catalog' THEN format_type(x.typbasetype, NULL)
                       ELSE 'USER-DEFINED' END
             ELSE CASE WHEN x.typelem <> 0 AND x.typlen = -1 THEN 'ARRAY'
                       WHEN x.type_schema = 'pg_catalog' THEN format_type(x.atttypid, NULL)
                       ELSE 'USER-DEFINED' END
        END)::varchar AS data_type,
       (CASE WHEN x.true_mod = -1 THEN NULL WHEN x.true_type IN (1042, 1043) THEN x.true_mod - 4 WHEN x.true_type IN (1560, 1562) THEN x.true_mod END)::int4 AS character_maximum_length,
       (CASE WHEN x.true_type IN (25, 1042, 1043) THEN CASE WHEN x.true_mod = -1 THEN 1073741824 ELSE CASE WHEN x.true_mod = -1 THEN NULL WHEN x.true_type IN (1042, 1043) THEN x.true_mod - 4 WHEN x.true_type IN (1560, 1562) THEN x.true_mod END * 4 END END)::int4 AS character_octet_length,
       (CASE x.true_type WHEN 21 THEN 16 WHEN 23 THEN 32 WHEN 20 THEN 64 WHEN 700 THEN 24 WHEN 701 THEN 53
                WHEN 1700 THEN CASE WHEN x.true_mod <> -1 THEN ((x.true_mod - 4) >> 16) & 65535 END END)::int4 AS numeric_precision,
       (CASE WHEN x.true_type IN (21, 23, 20, 700, 701) THEN 2 WHEN x.true_type = 1700 THEN 10 END)::int4 AS numeric_precision_radix,
       (CASE WHEN x.true_type IN (21, 23, 20) THEN 0 WHEN x.true_type = 1700 AND x.true_mod <> -1 THEN (x.true_mod - 4) & 65535 END)::int4 AS numeric_scale,
       (CASE WHEN x.true_type = 1082 THEN 0
             WHEN x.true_type IN (1083, 1114, 1184, 1266) THEN CASE WHEN x.true_mod < 0 THEN 6 ELSE x.true_mod END
             WHEN x.true_type = 1186 THEN CASE WHEN x.true_mod < 0 OR x.true_mod & 65535 = 65535 THEN 6 ELSE x.true_mod & 65535 END END)::int4 AS datetime_precision,
       (CASE WHEN x.true_type = 1186 THEN upper(substring(format_type(x.true_type, x.true_mod) from 'interval[()0-9]* (.*)')) END)::varchar AS interval_type,
       NULL::int4 AS interval_precision,
       NULL::name AS character_set_catalog,
       NULL::name AS character_set_schema,
       NULL::name AS character_set_name,
       (CASE WHEN x.collname IS NOT NULL THEN current_database() END)::name AS collation_catalog,
       x.collation_schema::name AS collation_schema,
       x.collname::name AS collation_name,
       (CASE WHEN x.typtype = 'd' THEN current_database() END)::name AS domain_catalog,
       (CASE WHEN x.typtype = 'd' THEN x.type_schema END)::name AS domain_schema,
       (CASE WHEN x.typtype = 'd' THEN x.typname END)::name AS domain_name,
       current_database()::name AS udt_catalog,
       coalesce(x.base_schema, x.type_schema)::name AS udt_schema,
       coalesce(x.base_name, x.typname)::name AS udt_name,
       NULL::name AS scope_catalog,
       NULL::name AS scope_schema,
       NULL::name AS scope_name,
       NULL::int4 AS maximum_cardinality,
       x.attnum::name AS dtd_identifier,
       'NO'::varchar(3) AS is_self_referencing,
       (CASE WHEN x.attidentity IN ('a', 'd') THEN 'YES' ELSE 'NO' END)::varchar(3) AS is_identity,
       (CASE x.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END)::varchar AS identity_generation,
       x.seqstart::varchar AS identity_start,
       x.seqincrement::varchar AS identity_increment,
       x.seqmax::varchar AS identity_maximum,
       x.seqmin::varchar AS identity_minimum,
       (CASE WHEN x.seqcycle THEN 'YES' ELSE 'NO' END)::varchar(3) AS identity_cycle,
       (CASE WHEN x.attgenerated <> '' THEN 'ALWAYS' ELSE 'NEVER' END)::varchar AS is_generated,
       (CASE WHEN x.attgenerated <> '' THEN x.expression END)::varchar AS generation_expression,
       (CASE WHEN x.relkind IN ('r', 'p') OR x.relkind IN ('v', 'f') AND pg_column_is_updatable(x.attrelid, x.attnum, false) THEN 'YES' ELSE 'NO' END)::varchar(3) AS is_updatable
FROM (SELECT a.attrelid, a.attname, a.attnum, a.attnotnull, a.attgenerated, a.attidentity, a.atttypid,
             c.relname, c.relkind, n.nspname,
             t.typtype, t.typnotnull, t.typelem, t.typlen, t.typname, t.typbasetype, tn.nspname AS type_schema,
             b.typname AS base_name, b.typelem AS base_element, b.typlen AS base_len, bn.nspname AS base_schema,
             CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE a.atttypid END AS true_type,
             CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS true_mod,
             pg_get_expr(d.adbin, d.adrelid) AS expression,
             o.collname, cn.nspname AS collation_schema,
             s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcycle
      FROM pg_attribute a
      JOIN pg_class c ON c.oid = a.attrelid
      JOIN pg_namespace n ON n.oid = c.relnamespace
      JOIN pg_type t ON t.oid = a.atttypid
      JOIN pg_namespace tn ON tn.oid = t.typnamespace
      LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
      LEFT JOIN pg_type b ON t.typtype = 'd' AND b.oid = t.typbasetype
      LEFT JOIN pg_namespace bn ON bn.oid = b.typnamespace
      LEFT JOIN pg_collation o ON o.oid = a.attcollation AND o.collname <> 'default'
      LEFT JOIN pg_namespace cn ON cn.oid = o.collnamespace
      LEFT JOIN pg_depend p ON p.refclassid = 1259 AND p.refobjid = a.attrelid AND p.refobjsubid = a.attnum
                           AND p.classid = 1259 AND p.deptype = 'i'
      LEFT JOIN pg_sequence s ON s.seqrelid = p.objid
      WHERE NOT pg_is_other_temp_schema(n.oid)
        AND a.attnum > 0
        AND NOT a.attisdropped
        AND c.relkind IN ('r', 'v', 'f', 'p')
        AND (pg_has_role(c.relowner, 'USAGE')
             OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))) x
