-- Which collation goes with which character set.
SELECT current_database()::name AS collation_catalog,
       n.nspname::name AS collation_schema,
       o.collname::name AS collation_name,
       NULL::name AS character_set_catalog,
       NULL::name AS character_set_schema,
       pg_encoding_to_char(d.encoding)::name AS character_set_name
FROM pg_collation o
JOIN pg_namespace n ON n.oid = o.collnamespace
JOIN pg_database d ON d.datname = current_database()
WHERE o.collencoding IN (-1, d.encoding)
