-- Columns that triggers watch; none can be made yet.
SELECT NULL::name AS trigger_catalog,
       NULL::name AS trigger_schema,
       NULL::name AS trigger_name,
       NULL::name AS event_object_catalog,
       NULL::name AS event_object_schema,
       NULL::name AS event_object_table,
       NULL::name AS event_object_column
WHERE false
