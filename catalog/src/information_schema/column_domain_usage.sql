-- Columns of domain types; none can be made yet.
SELECT NULL::name AS domain_catalog,
       NULL::name AS domain_schema,
       NULL::name AS domain_name,
       NULL::name AS table_catalog,
       NULL::name AS table_schema,
       NULL::name AS table_name,
       NULL::name AS column_name
WHERE false
