-- Constraints of domains; none can be made yet.
SELECT NULL::name AS constraint_catalog,
       NULL::name AS constraint_schema,
       NULL::name AS constraint_name,
       NULL::name AS domain_catalog,
       NULL::name AS domain_schema,
       NULL::name AS domain_name,
       NULL::varchar(3) AS is_deferrable,
       NULL::varchar(3) AS initially_deferred
WHERE false
