-- Parameters of functions and procedures.
SELECT current_database()::name AS specific_catalog,
       n.nspname::name AS specific_schema,
       (p.proname::text || '_' || p.oid::text)::name AS specific_name,
       g.position::int4 AS ordinal_position,
       (CASE coalesce(p.proargmodes[g.position], 'i')
             WHEN 'i' THEN 'IN' WHEN 'v' THEN 'IN' WHEN 'o' THEN 'OUT' WHEN 't' THEN 'OUT' WHEN 'b' THEN 'INOUT'
        END)::varchar AS parameter_mode,
       'NO'::varchar(3) AS is_result,
       'NO'::varchar(3) AS as_locator,
       nullif(p.proargnames[g.position], '')::name AS parameter_name,
       (CASE WHEN t.typelem <> 0 AND t.typlen = -1 THEN 'ARRAY'
             WHEN tn.nspname = 'pg_catalog' THEN format_type(t.oid, NULL)
             ELSE 'USER-DEFINED' END)::varchar AS data_type,
       NULL::int4 AS character_maximum_length, NULL::int4 AS character_octet_length, NULL::name AS character_set_catalog, NULL::name AS character_set_schema, NULL::name AS character_set_name, NULL::name AS collation_catalog, NULL::name AS collation_schema, NULL::name AS collation_name, NULL::int4 AS numeric_precision, NULL::int4 AS numeric_precision_radix, NULL::int4 AS numeric_scale, NULL::int4 AS datetime_precision, NULL::varchar AS interval_type, NULL::int4 AS interval_precision,
       current_database()::name AS udt_catalog,
       tn.nspname::name AS udt_schema,
       t.typname::name AS udt_name,
       NULL::name AS scope_catalog,
       NULL::name AS scope_schema,
       NULL::name AS scope_name,
       NULL::int4 AS maximum_cardinality,
       g.position::name AS dtd_identifier,
       (CASE WHEN pg_has_role(p.proowner, 'USAGE') THEN pg_get_function_arg_default(p.oid, g.position::int4) END)::varchar
           AS parameter_default
FROM pg_proc p
JOIN pg_namespace n ON n.oid = p.pronamespace
CROSS JOIN LATERAL unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY g(type, position)
JOIN pg_type t ON t.oid = g.type
JOIN pg_namespace tn ON tn.oid = t.typnamespace
WHERE pg_has_role(p.proowner, 'USAGE') OR has_function_privilege(p.oid, 'EXECUTE')
