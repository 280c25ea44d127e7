-- As pg_stat_all_indexes, for those that users made.
SELECT *
FROM pg_stat_all_indexes
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^pg_toast'
