-- Options of user mappings; none can be made.
SELECT NULL::name AS authorization_identifier,
       NULL::name AS foreign_server_catalog,
       NULL::name AS foreign_server_name,
       NULL::name AS option_name,
       NULL::varchar AS option_value
WHERE false
