-- Extended statistics; none can be made.
SELECT NULL::name AS schemaname,
       NULL::name AS tablename,
       NULL::name AS statistics_schemaname,
       NULL::name AS statistics_name,
       NULL::name AS statistics_owner,
       NULL::name[] AS attnames,
       NULL::text[] AS exprs,
       NULL::"char"[] AS kinds,
       NULL::boolean AS inherited,
       NULL::pg_ndistinct AS n_distinct,
       NULL::pg_dependencies AS dependencies,
       NULL::text[] AS most_common_vals,
       NULL::boolean[] AS most_common_val_nulls,
       NULL::double precision[] AS most_common_freqs,
       NULL::double precision[] AS most_common_base_freqs
WHERE false
