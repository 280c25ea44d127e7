-- As pg_stat_all_tables, for those of the system.
SELECT *
FROM pg_stat_all_tables
WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname ~ '^pg_toast'
