-- The one character set: the encoding of this database.
SELECT NULL::name AS character_set_catalog,
       NULL::name AS character_set_schema,
       pg_encoding_to_char(d.encoding)::name AS character_set_name,
       (CASE WHEN d.encoding = 6 THEN 'UCS' ELSE pg_encoding_to_char(d.encoding) END)::name AS character_repertoire,
       pg_encoding_to_char(d.encoding)::name AS form_of_use,
       current_database()::name AS default_collate_catalog,
       n.nspname::name AS default_collate_schema,
       o.collname::name AS default_collate_name
FROM pg_database d
LEFT JOIN pg_collation o ON o.collcollate = d.datcollate AND o.collctype = d.datctype AND d.datlocprovider = o.collprovider
LEFT JOIN pg_namespace n ON n.oid = o.collnamespace
WHERE d.datname = current_database()
ORDER BY length(o.collname::text) DESC, o.collname
LIMIT 1
