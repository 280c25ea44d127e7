-- Options of foreign tables; none can be made.
SELECT NULL::name AS foreign_table_catalog,
       NULL::name AS foreign_table_schema,
       NULL::name AS foreign_table_name,
       NULL::name AS option_name,
       NULL::varchar AS option_value
WHERE false
