-- Constraints of domains.
SELECT current_database()::name AS constraint_catalog,
       cn.nspname::name AS constraint_schema,
       o.conname::name AS constraint_name,
       current_database()::name AS domain_catalog,
       n.nspname::name AS domain_schema,
       t.typname::name AS domain_name,
       (CASE WHEN o.condeferrable THEN 'YES' ELSE 'NO' END)::varchar(3) AS is_deferrable,
       (CASE WHEN o.condeferred THEN 'YES' ELSE 'NO' END)::varchar(3) AS initially_deferred
FROM pg_constraint o
JOIN pg_namespace cn ON cn.oid = o.connamespace
JOIN pg_type t ON t.oid = o.contypid
JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE pg_has_role(t.typowner, 'USAGE') OR has_type_privilege(t.oid, 'USAGE')
