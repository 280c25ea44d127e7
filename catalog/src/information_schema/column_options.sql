-- Options of columns of foreign tables; none can be made.
SELECT NULL::name AS table_catalog,
       NULL::name AS table_schema,
       NULL::name AS table_name,
       NULL::name AS column_name,
       NULL::name AS option_name,
       NULL::varchar AS option_value
WHERE false
