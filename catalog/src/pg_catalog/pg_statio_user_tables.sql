-- As pg_statio_all_tables, for those that users made.
SELECT *
FROM pg_statio_all_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema') AND schemaname !~ '^pg_toast'
