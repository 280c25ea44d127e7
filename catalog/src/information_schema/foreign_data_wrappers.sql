-- Foreign-data wrappers; none can be made.
SELECT NULL::name AS foreign_data_wrapper_catalog,
       NULL::name AS foreign_data_wrapper_name,
       NULL::name AS authorization_identifier,
       NULL::varchar AS library_name,
       NULL::varchar AS foreign_data_wrapper_language
WHERE false
