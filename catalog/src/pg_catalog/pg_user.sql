-- Roles that can log in, without their passwords.
SELECT usename,
       usesysid,
       usecreatedb,
       usesuper,
       userepl,
       usebypassrls,
       '********'::text AS passwd,
       valuntil,
       useconfig
FROM pg_shadow
