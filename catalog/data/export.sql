-- Writes the files of this folder from a freshly created database of PostgreSQL 15:
--     cd catalog/data && psql -X -d fresh_database -f export.sql
-- Format: COPY text (tab separated, \N for null), one row a line, without a header. reg* values as OIDs, expressions as SQL text.
\set ON_ERROR_STOP on
set search_path = pg_catalog;

\copy (select oid, proname, pronamespace, proowner, prolang, procost, prorows, provariadic, prosupport::oid, prokind, prosecdef, proleakproof, proisstrict, proretset, provolatile, proparallel, pronargs, pronargdefaults, prorettype, proargtypes, proallargtypes, proargmodes, proargnames, pg_get_expr(proargdefaults, 0), prosrc from pg_proc where pronamespace = 11 order by proname, oid) to 'pg_proc.tsv'
\copy (select oid, oprname, oprnamespace, oprowner, oprkind, oprcanmerge, oprcanhash, oprleft, oprright, oprresult, oprcom, oprnegate, oprcode::oid, oprrest::oid, oprjoin::oid from pg_operator order by oprname collate "C", oid) to 'pg_operator.tsv'
\copy (select oid, castsource, casttarget, castfunc, castcontext, castmethod from pg_cast order by castsource, casttarget) to 'pg_cast.tsv'
\copy (select aggfnoid::oid, aggkind, aggnumdirectargs, aggtransfn::oid, aggfinalfn::oid, aggcombinefn::oid, aggserialfn::oid, aggdeserialfn::oid, aggmtransfn::oid, aggminvtransfn::oid, aggmfinalfn::oid, aggfinalextra, aggmfinalextra, aggfinalmodify, aggmfinalmodify, aggsortop, aggtranstype, aggtransspace, aggmtranstype, aggmtransspace, agginitval, aggminitval from pg_aggregate order by 1) to 'pg_aggregate.tsv'
\copy (select oid, typname, typnamespace, typowner, typlen, typbyval, typtype, typcategory, typispreferred, typisdefined, typdelim, typrelid, typsubscript::oid, typelem, typarray, typinput::oid, typoutput::oid, typreceive::oid, typsend::oid, typmodin::oid, typmodout::oid, typanalyze::oid, typalign, typstorage, typnotnull, typbasetype, typtypmod, typndims, typcollation from pg_type where typnamespace = 11 and typrelid = 0 and typelem not in (select oid from pg_type where typrelid <> 0) order by oid) to 'pg_type.tsv'
\copy (select oid, amname, amhandler::oid, amtype from pg_am order by oid) to 'pg_am.tsv'
\copy (select oid, opcmethod, opcname, opcnamespace, opcowner, opcfamily, opcintype, opcdefault, opckeytype from pg_opclass order by ctid) to 'pg_opclass.tsv'
\copy (select oid, opfmethod, opfname, opfnamespace, opfowner from pg_opfamily order by oid) to 'pg_opfamily.tsv'
\copy (select oid, amopfamily, amoplefttype, amoprighttype, amopstrategy, amoppurpose, amopopr, amopmethod, amopsortfamily from pg_amop order by oid) to 'pg_amop.tsv'
\copy (select oid, amprocfamily, amproclefttype, amprocrighttype, amprocnum, amproc::oid from pg_amproc order by oid) to 'pg_amproc.tsv'
\copy (select oid, collname, collnamespace, collowner, collprovider, collisdeterministic, collencoding, collcollate, collctype, colliculocale from pg_collation where (collname in ('default', 'C', 'POSIX', 'ucs_basic', 'C.utf8') or collprovider = 'i' and colliculocale !~ 'posix') and oid < 16384 order by oid) to 'pg_collation.tsv'
\copy (select oid, lanname, lanowner, lanispl, lanpltrusted, lanplcallfoid, laninline, lanvalidator, lanacl from pg_language order by oid) to 'pg_language.tsv'
\copy (select rngtypid, rngsubtype, rngmultitypid, rngcollation, rngsubopc, rngcanonical::oid, rngsubdiff::oid from pg_range order by 1) to 'pg_range.tsv'
\copy (select oid, spcname, spcowner, spcacl, spcoptions from pg_tablespace order by oid) to 'pg_tablespace.tsv'
\copy (select i, pg_encoding_to_char(i) from generate_series(0, 41) i) to 'pg_encoding.tsv'
\copy (select d.objoid, d.classoid, d.objsubid, d.description from pg_description d where d.classoid in (1247, 1255, 2617, 2605, 2601, 2612, 3456, 2615, 2616, 2753, 3079, 3600, 3601, 3602, 3764) order by 2, 1, 3) to 'pg_description.tsv'
\copy (select oid, cfgname, cfgnamespace, cfgowner, cfgparser from pg_ts_config order by oid) to 'pg_ts_config.tsv'
\copy (select mapcfg, maptokentype, mapseqno, mapdict from pg_ts_config_map order by 1, 2, 3) to 'pg_ts_config_map.tsv'
\copy (select oid, dictname, dictnamespace, dictowner, dicttemplate, dictinitoption from pg_ts_dict order by oid) to 'pg_ts_dict.tsv'
\copy (select oid, prsname, prsnamespace, prsstart::oid, prstoken::oid, prsend::oid, prsheadline::oid, prslextype::oid from pg_ts_parser order by oid) to 'pg_ts_parser.tsv'
\copy (select oid, tmplname, tmplnamespace, tmplinit::oid, tmpllexize::oid from pg_ts_template order by oid) to 'pg_ts_template.tsv'
-- Relations of the two system schemas, with the row types' OIDs; domains of information_schema as their base types.
\copy (select c.oid, c.relname, c.relnamespace, c.reltype, t.typarray, c.relkind, c.relisshared, coalesce(r.oid, 0) from pg_class c join pg_type t on t.oid = c.reltype left join pg_rewrite r on r.ev_class = c.oid and r.rulename = '_RETURN' where c.relnamespace in (11, (select oid from pg_namespace where nspname = 'information_schema')) and c.relkind in ('r', 'v') order by c.oid) to 'relations.tsv'
\copy (select a.attrelid, a.attnum, a.attname, case t.typtype when 'd' then t.typbasetype else t.oid end, case t.typtype when 'd' then t.typtypmod else a.atttypmod end, a.attnotnull, a.attcollation from pg_attribute a join pg_type t on t.oid = a.atttypid join pg_class c on c.oid = a.attrelid where c.relnamespace in (11, (select oid from pg_namespace where nspname = 'information_schema')) and c.relkind in ('r', 'v') and a.attnum > 0 order by 1, 2) to 'columns.tsv'
\copy (select word, catcode, barelabel, catdesc, baredesc from pg_get_keywords() order by 1) to 'keywords.tsv'
\copy (select * from information_schema.sql_implementation_info order by 1) to 'sql_implementation_info.tsv'
\copy (select * from information_schema.sql_parts order by 1) to 'sql_parts.tsv'
\copy (select * from information_schema.sql_sizing order by 1) to 'sql_sizing.tsv'
-- Which catalog column refers to which; the tests check the rows by it.
\copy (select fktable::text, fkcols, pktable::text, pkcols, is_array, is_opt from pg_get_catalog_foreign_keys() order by 1, 2, 3) to 'references.tsv'
