-- Types under domains, for types that the current user owns.
SELECT current_database()::name AS udt_catalog,
       bn.nspname::name AS udt_schema,
       b.typname::name AS udt_name,
       current_database()::name AS domain_catalog,
       n.nspname::name AS domain_schema,
       t.typname::name AS domain_name
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
JOIN pg_type b ON b.oid = t.typbasetype
JOIN pg_namespace bn ON bn.oid = b.typnamespace
WHERE t.typtype = 'd'
  AND pg_has_role(b.typowner, 'USAGE')
