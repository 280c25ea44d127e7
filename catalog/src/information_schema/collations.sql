-- Collations.
SELECT current_database()::name AS collation_catalog,
       n.nspname::name AS collation_schema,
       o.collname::name AS collation_name,
       'NO PAD'::varchar AS pad_attribute
FROM pg_collation o
JOIN pg_namespace n ON n.oid = o.collnamespace
WHERE o.collencoding IN (-1, (SELECT d.encoding FROM pg_database d WHERE d.datname = current_database()))
