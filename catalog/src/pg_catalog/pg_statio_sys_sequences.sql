-- As pg_statio_all_sequences, for those of the system.
SELECT *
FROM pg_statio_all_sequences
WHERE schemaname IN ('pg_catalog', 'information_schema') OR schemaname ~ '^pg_toast'
