use std::sync::Arc;

use super::*;
use crate::builtins::Builtins;
use crate::facts;
use crate::object::{Object, Role};

fn names() -> CatalogNames {
    let mut catalog = Catalog::empty(5, Arc::new(Builtins::new(facts::procs().to_vec())));
    catalog.put(&Object::Role(Arc::new(Role::new(10, "postgres"))));
    let search_path = SearchPath::resolve(&catalog, &["public".to_owned()], "postgres", None);
    CatalogNames { catalog: Arc::new(catalog), search_path }
}

#[test]
fn names_are_read_and_written_as_postgresql_does() {
    let names = names();
    for (reg_type, text, expected, shown) in [
        (oid::REGCLASS, "pg_class", 1259, "pg_class"),
        (oid::REGCLASS, "PG_catalog.\"pg_class\"", 1259, "pg_class"),
        (oid::REGCLASS, "information_schema.columns", 13339, "information_schema.columns"),
        (oid::REGTYPE, "numeric(10, 2)[]", oid::NUMERIC_ARRAY, "numeric[]"),
        (oid::REGTYPE, "\"char\"", oid::CHAR, "\"char\""),
        (oid::REGTYPE, "char", oid::BPCHAR, "character"),
        (oid::REGTYPE, "timestamp(3) with time zone", oid::TIMESTAMPTZ, "timestamp with time zone"),
        (oid::REGTYPE, "double   PRECISION", oid::FLOAT8, "double precision"),
        (oid::REGTYPE, "pg_catalog.int4 []", oid::INT4_ARRAY, "integer[]"),
        (oid::REGPROC, "pg_catalog.int4pl", 177, "int4pl"),
        (oid::REGPROCEDURE, "upper(text)", 871, "upper(text)"),
        (oid::REGPROCEDURE, "now()", 1299, "now()"),
        (oid::REGOPER, "||/", 597, "||/"),
        (oid::REGOPERATOR, "pg_catalog.+(int4, integer)", 551, "+(integer,integer)"),
        (oid::REGOPERATOR, "-(none,int4)", 558, "-(NONE,integer)"),
        (oid::REGROLE, "postgres", 10, "postgres"),
        (oid::REGNAMESPACE, "pg_catalog", 11, "pg_catalog"),
        (oid::REGCOLLATION, "\"C\"", 950, "\"C\""),
    ] {
        let oid = names.oid_of(reg_type, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        if expected != 13339 {
            assert_eq!(oid, expected, "{text}");
        }
        assert_eq!(names.name_of(reg_type, oid).as_deref(), Some(shown), "{text}");
    }
    assert_eq!(names.name_of(oid::REGPROC, 871).as_deref(), Some("pg_catalog.upper"));
    assert_eq!(names.name_of(oid::REGOPER, 551).as_deref(), Some("pg_catalog.+"));
    assert_eq!(names.name_of(oid::REGCLASS, 424242), None);
}

#[test]
fn unknown_names_fail_as_in_postgresql() {
    let names = names();
    for (reg_type, text, code, message) in [
        (oid::REGCLASS, "nosch.t", "3F000", "schema \"nosch\" does not exist"),
        (oid::REGCLASS, "a.b.c", "0A000", "cross-database references are not implemented: \"a.b.c\""),
        (oid::REGCLASS, "a..b", "42602", "invalid name syntax"),
        (oid::REGCLASS, "T", "42P01", "relation \"t\" does not exist"),
        (oid::REGTYPE, "noschema.x", "3F000", "schema \"noschema\" does not exist"),
        (oid::REGTYPE, "nope(1)", "42704", "type \"nope\" does not exist"),
        (oid::REGTYPE, "nope[]", "42704", "type \"nope[]\" does not exist"),
        (oid::REGPROC, "upper", "42725", "more than one function named \"upper\""),
        (oid::REGPROC, "nope", "42883", "function \"nope\" does not exist"),
        (oid::REGPROCEDURE, "nope(int)", "42883", "function \"nope(int)\" does not exist"),
        (oid::REGPROCEDURE, "int", "22P02", "expected a left parenthesis"),
        (oid::REGOPER, "+", "42725", "more than one operator named +"),
        (oid::REGOPER, "@@@@", "42883", "operator does not exist: @@@@"),
        (oid::REGROLE, "nope", "42704", "role \"nope\" does not exist"),
        (oid::REGROLE, "a.b", "42602", "invalid name syntax"),
        (oid::REGNAMESPACE, "nope", "3F000", "schema \"nope\" does not exist"),
        (oid::REGCOLLATION, "nope", "42704", "collation \"nope\" for encoding \"UTF8\" does not exist"),
        (oid::REGCONFIG, "nope", "42704", "text search configuration \"nope\" does not exist"),
    ] {
        let error = names.oid_of(reg_type, text).unwrap_err();
        assert_eq!((error.code().as_str(), error.message()), (code, message), "{text}");
    }
}
