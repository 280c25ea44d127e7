-- How each session is encrypted.
SELECT pid,
       ssl,
       sslversion AS version,
       sslcipher AS cipher,
       sslbits AS bits,
       ssl_client_dn AS client_dn,
       ssl_client_serial AS client_serial,
       ssl_issuer_dn AS issuer_dn
FROM pg_stat_get_activity(NULL)
WHERE client_port IS NOT NULL
