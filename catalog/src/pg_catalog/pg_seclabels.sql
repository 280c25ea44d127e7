-- Security labels of objects; no label provider can be loaded.
SELECT l.objoid,
       l.classoid,
       l.objsubid,
       NULL::text AS objtype,
       NULL::oid AS objnamespace,
       NULL::text AS objname,
       l.provider,
       l.label
FROM pg_seclabel l
