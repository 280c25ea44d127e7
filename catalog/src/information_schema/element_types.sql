-- Element types of array columns.
SELECT current_database()::name AS object_catalog,
       n.nspname::name AS object_schema,
       c.relname::name AS object_name,
       (CASE WHEN c.relkind = 'c' THEN 'USER-DEFINED TYPE' ELSE 'TABLE' END)::varchar AS object_type,
       a.attnum::name AS collection_type_identifier,
       (CASE WHEN en.nspname = 'pg_catalog' THEN format_type(e.oid, NULL) ELSE 'USER-DEFINED' END)::varchar AS data_type,
       NULL::int4 AS character_maximum_length, NULL::int4 AS character_octet_length, NULL::name AS character_set_catalog, NULL::name AS character_set_schema, NULL::name AS character_set_name,
       (CASE WHEN o.collname IS NOT NULL THEN current_database() END)::name AS collation_catalog,
       cn.nspname::name AS collation_schema,
       o.collname::name AS collation_name,
       NULL::int4 AS numeric_precision, NULL::int4 AS numeric_precision_radix, NULL::int4 AS numeric_scale, NULL::int4 AS datetime_precision, NULL::varchar AS interval_type, NULL::int4 AS interval_precision, NULL::varchar AS domain_default,
       current_database()::name AS udt_catalog,
       en.nspname::name AS udt_schema,
       e.typname::name AS udt_name,
       NULL::name AS scope_catalog,
       NULL::name AS scope_schema,
       NULL::name AS scope_name,
       NULL::int4 AS maximum_cardinality,
       ('a' || a.attnum::text)::name AS dtd_identifier
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid AND t.typelem <> 0 AND t.typlen = -1
JOIN pg_type e ON e.oid = t.typelem
JOIN pg_namespace en ON en.oid = e.typnamespace
LEFT JOIN pg_collation o ON o.oid = a.attcollation AND o.collname <> 'default'
LEFT JOIN pg_namespace cn ON cn.oid = o.collnamespace
WHERE a.attnum > 0
  AND NOT a.attisdropped
  AND c.relkind IN ('r', 'v', 'f', 'c', 'p')
  AND (pg_has_role(c.relowner, 'USAGE')
       OR has_column_privilege(c.oid, a.attnum, 'SELECT, INSERT, UPDATE, REFERENCES'))
