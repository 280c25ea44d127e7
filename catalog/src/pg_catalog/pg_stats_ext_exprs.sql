-- Statistics of expressions; there are none.
SELECT NULL::name AS schemaname,
       NULL::name AS tablename,
       NULL::name AS statistics_schemaname,
       NULL::name AS statistics_name,
       NULL::name AS statistics_owner,
       NULL::text AS expr,
       NULL::boolean AS inherited,
       NULL::real AS null_frac,
       NULL::integer AS avg_width,
       NULL::real AS n_distinct,
       NULL::anyarray AS most_common_vals,
       NULL::real[] AS most_common_freqs,
       NULL::anyarray AS histogram_bounds,
       NULL::real AS correlation,
       NULL::anyarray AS most_common_elems,
       NULL::real[] AS most_common_elem_freqs,
       NULL::real[] AS elem_count_histogram
WHERE false
