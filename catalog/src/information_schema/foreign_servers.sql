-- Foreign servers; none can be made.
SELECT NULL::name AS foreign_server_catalog,
       NULL::name AS foreign_server_name,
       NULL::name AS foreign_data_wrapper_catalog,
       NULL::name AS foreign_data_wrapper_name,
       NULL::varchar AS foreign_server_type,
       NULL::varchar AS foreign_server_version,
       NULL::name AS authorization_identifier
WHERE false
