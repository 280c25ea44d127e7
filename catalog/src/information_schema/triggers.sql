-- Triggers; none can be made yet.
SELECT NULL::name AS trigger_catalog,
       NULL::name AS trigger_schema,
       NULL::name AS trigger_name,
       NULL::varchar AS event_manipulation,
       NULL::name AS event_object_catalog,
       NULL::name AS event_object_schema,
       NULL::name AS event_object_table,
       NULL::int4 AS action_order,
       NULL::varchar AS action_condition,
       NULL::varchar AS action_statement,
       NULL::varchar AS action_orientation,
       NULL::varchar AS action_timing,
       NULL::name AS action_reference_old_table,
       NULL::name AS action_reference_new_table,
       NULL::name AS action_reference_old_row,
       NULL::name AS action_reference_new_row,
       NULL::timestamptz(2) AS created
WHERE false
