use std::sync::Arc;

use super::*;
use crate::builtins::Builtins;
use crate::fixed_oid::{BOOTSTRAP_SUPERUSER, PG_CLASS, PG_CONSTRAINT, PUBLIC_SCHEMA};
use crate::object::*;
use crate::types::{Type, oid};

fn relation(oid: u32, name: &str, columns: Vec<Column>, kind: RelationKind) -> Object {
    Object::Relation(Arc::new(Relation {
        oid,
        schema: PUBLIC_SCHEMA,
        name: name.to_owned(),
        owner: BOOTSTRAP_SUPERUSER,
        persistence: Persistence::Permanent,
        row_type: oid + 1000,
        row_array_type: oid + 2000,
        columns,
        kind,
    }))
}

fn constraint(oid: u32, name: &str, kind: ConstraintKind) -> Constraint {
    Constraint { oid, ..Constraint::new(name.to_owned(), kind) }
}

fn catalog() -> Catalog {
    let mut catalog = Catalog::empty(5, Arc::new(Builtins::default()));
    let schema = Schema { oid: PUBLIC_SCHEMA, name: "public".to_owned(), owner: BOOTSTRAP_SUPERUSER };
    catalog.put(&Object::Schema(Arc::new(schema)));
    let columns = vec![Column::new("id", 1, Type::of(oid::INT4)), Column::new("Order", 2, Type::of(oid::TEXT))];
    let foreign_key = ConstraintKind::ForeignKey {
        columns: vec![1],
        referenced: 20000,
        referenced_columns: vec![1],
        referenced_index: 20001,
        on_update: ReferentialAction::SetNull,
        on_delete: ReferentialAction::Cascade,
        match_full: false,
        delete_columns: Vec::new(),
    };
    let constraints = vec![
        constraint(20010, "t_pkey", ConstraintKind::PrimaryKey { index: 20001, columns: vec![1] }),
        constraint(20011, "t_check", ConstraintKind::Check { expression: "(id > 0)".to_owned(), columns: vec![1] }),
        Constraint {
            deferrable: true,
            initially_deferred: true,
            validated: false,
            ..constraint(20012, "t_fkey", foreign_key)
        },
    ];
    let table = Table { constraints, ..Table::new(20000) };
    catalog.put(&relation(20000, "t", columns, RelationKind::Table(table)));
    let key = |attnum, expression: Option<&str>, descending, nulls_first| IndexKey {
        attnum,
        expression: expression.map(str::to_owned),
        descending,
        nulls_first,
        operator_class: 0,
    };
    let index = Index {
        table: 20000,
        method: "btree".to_owned(),
        keys: vec![
            key(2, None, true, true),
            key(0, Some("(id + 1)"), false, true),
            key(0, Some("lower(\"Order\")"), true, false),
        ],
        include: vec![1],
        unique: true,
        primary: false,
        nulls_not_distinct: false,
        predicate: Some("(id IS NOT NULL)".to_owned()),
        storage: None,
        options: Vec::new(),
        parent: 0,
        partitioned: false,
        invalid: false,
        clustered: false,
    };
    catalog.put(&relation(20001, "t_idx", Vec::new(), RelationKind::Index(index)));
    catalog
}

fn stored(_: super::Subject<'_>, text: &str) -> String {
    text.to_owned()
}

#[test]
fn definitions_read_as_postgresql_prints_them() {
    let catalog = catalog();
    let search_path = SearchPath::resolve(&catalog, &["public".to_owned()], "postgres", None);
    let printer = Printer { catalog: &catalog, search_path: &search_path };
    assert_eq!(constraint_definition(printer, &stored, 20010).unwrap(), "PRIMARY KEY (id) INCLUDE (id)");
    assert_eq!(constraint_definition(printer, &stored, 20011).unwrap(), "CHECK ((id > 0))");
    assert_eq!(
        constraint_definition(printer, &stored, 20012).unwrap(),
        "FOREIGN KEY (id) REFERENCES t(id) ON UPDATE SET NULL ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED NOT VALID"
    );
    assert_eq!(
        index_definition(printer, &stored, 20001, false).unwrap(),
        "CREATE UNIQUE INDEX t_idx ON public.t USING btree (\"Order\" DESC, ((id + 1)) NULLS FIRST, \
         lower(\"Order\") DESC NULLS LAST) INCLUDE (id) WHERE (id IS NOT NULL)"
    );
    assert_eq!(index_column_definition(printer, &stored, 20001, 2).unwrap(), "((id + 1))");
    assert_eq!(index_column_definition(printer, &stored, 20001, 4).unwrap(), "id");
    assert_eq!(index_column_definition(printer, &stored, 20001, 5), None);
    assert_eq!(format_type(printer, Type::of(21000)), "t");
    assert_eq!(format_type(printer, Type::of(22000)), "t[]");
    assert_eq!(format_type(printer, Type::new(oid::VARCHAR, 14)), "character varying(10)");
    assert_eq!(format_type(printer, Type::of(4242)), "???");
    assert_eq!(describe(printer, ObjectAddress::column(20000, 2)), "column Order of table t");
    assert_eq!(describe(printer, ObjectAddress::new(PG_CONSTRAINT, 20011)), "constraint t_check on table t");

    let nowhere = SearchPath::default();
    let printer = Printer { catalog: &catalog, search_path: &nowhere };
    assert_eq!(describe(printer, ObjectAddress::new(PG_CLASS, 20001)), "index public.t_idx");
    assert_eq!(format_type(printer, Type::of(22000)), "public.t[]");
}

#[test]
fn identifiers_are_quoted_when_needed() {
    for (name, quoted) in [
        ("a_1", "a_1"),
        ("A", "\"A\""),
        ("select", "\"select\""),
        ("name", "name"),
        ("a\"b", "\"a\"\"b\""),
        ("1a", "\"1a\""),
        ("", "\"\""),
    ] {
        assert_eq!(quote_identifier(name), quoted);
    }
    assert_eq!(default_operator_class("btree", oid::INT4), Some(1978));
    assert_eq!(default_operator_class("btree", oid::VARCHAR), Some(3126));
    assert_eq!(default_operator_class("btree", oid::INT4_ARRAY), Some(10000));
}
