-- User mappings; none can be made.
SELECT NULL::name AS authorization_identifier,
       NULL::name AS foreign_server_catalog,
       NULL::name AS foreign_server_name
WHERE false
