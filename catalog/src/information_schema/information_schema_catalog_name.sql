-- The name of this database.
SELECT current_database()::name AS catalog_name
