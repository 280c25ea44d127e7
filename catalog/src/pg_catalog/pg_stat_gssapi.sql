-- Sessions by GSSAPI; none is encrypted so.
SELECT pid,
       false AS gss_authenticated,
       NULL::text AS principal,
       false AS encrypted
FROM pg_stat_get_activity(NULL)
WHERE client_port IS NOT NULL
