use std::sync::Arc;

use super::*;
use crate::builtins::Builtins;
use crate::fixed_oid::{BOOTSTRAP_SUPERUSER, PG_NAMESPACE, PUBLIC_SCHEMA};
use crate::image::Catalog;
use crate::name::SearchPath;
use crate::object::*;
use crate::types::{Type, oid};

const A: u32 = 20000;
const A_KEY: u32 = 20001;
const A_SEQUENCE: u32 = 20002;
const B: u32 = 20003;
const V: u32 = 20020;
const W: u32 = 20021;

fn put(catalog: &mut Catalog, oid: u32, name: &str, columns: Vec<Column>, kind: RelationKind) {
    catalog.put(&Object::Relation(Arc::new(Relation {
        oid,
        schema: PUBLIC_SCHEMA,
        name: name.to_owned(),
        owner: BOOTSTRAP_SUPERUSER,
        persistence: Persistence::Permanent,
        row_type: if matches!(kind, RelationKind::Table(_)) { oid + 1000 } else { 0 },
        row_array_type: if matches!(kind, RelationKind::Table(_)) { oid + 2000 } else { 0 },
        columns,
        kind,
    })));
}

fn constraint(oid: u32, name: &str, kind: ConstraintKind) -> Constraint {
    Constraint { oid, ..Constraint::new(name.to_owned(), kind) }
}

fn view(rule: u32) -> RelationKind {
    RelationKind::View(View {
        query: String::new(),
        search_path: Vec::new(),
        check_option: None,
        options: Vec::new(),
        window: None,
        rule,
    })
}

/// `a(id serial primary key, x int)`, `b(id int references a)`, `v` over `a`, `w` over `v`.
fn catalog() -> Catalog {
    let mut catalog = Catalog::empty(5, Arc::new(Builtins::default()));
    let schema = Schema { oid: PUBLIC_SCHEMA, name: "public".to_owned(), owner: BOOTSTRAP_SUPERUSER };
    catalog.put(&Object::Schema(Arc::new(schema)));
    let mut id = Column::new("id", 1, Type::of(oid::INT4));
    id.default = Some("nextval('a_id_seq'::regclass)".to_owned());
    id.default_oid = 20012;
    let columns = vec![id, Column::new("x", 2, Type::of(oid::INT4))];
    let key = constraint(20010, "a_pkey", ConstraintKind::PrimaryKey { index: A_KEY, columns: vec![1] });
    let table = |constraints| RelationKind::Table(Table { constraints, ..Table::new(0) });
    put(&mut catalog, A, "a", columns, table(vec![key]));
    let index = Index {
        table: A,
        method: "btree".to_owned(),
        keys: vec![IndexKey { attnum: 1, expression: None, descending: false, nulls_first: false, operator_class: 0 }],
        include: Vec::new(),
        unique: true,
        primary: true,
        nulls_not_distinct: false,
        predicate: None,
        storage: None,
        options: Vec::new(),
        parent: 0,
        partitioned: false,
        invalid: false,
        clustered: false,
    };
    put(&mut catalog, A_KEY, "a_pkey", Vec::new(), RelationKind::Index(index));
    let sequence = Sequence {
        ty: oid::INT4,
        start: 1,
        increment: 1,
        min: 1,
        max: 100,
        cache: 1,
        cycle: false,
        owned_by: Some((A, 1)),
        identity: false,
    };
    put(&mut catalog, A_SEQUENCE, "a_id_seq", Vec::new(), RelationKind::Sequence(sequence));
    let foreign_key = ConstraintKind::ForeignKey {
        columns: vec![1],
        referenced: A,
        referenced_columns: vec![1],
        referenced_index: A_KEY,
        on_update: ReferentialAction::NoAction,
        on_delete: ReferentialAction::NoAction,
        match_full: false,
        delete_columns: Vec::new(),
    };
    let columns = vec![Column::new("id", 1, Type::of(oid::INT4))];
    put(&mut catalog, B, "b", columns, table(vec![constraint(20011, "b_id_fkey", foreign_key)]));
    put(&mut catalog, V, "v", Vec::new(), view(20013));
    put(&mut catalog, W, "w", Vec::new(), view(20014));
    let edge = |class, object, referenced| Dependency {
        dependent: ObjectAddress::new(class, object),
        referenced,
        kind: DependencyKind::Normal,
    };
    catalog.put_dependency(edge(PG_REWRITE, 20013, ObjectAddress::column(A, 1)));
    catalog.put_dependency(edge(PG_REWRITE, 20013, ObjectAddress::column(A, 2)));
    catalog.put_dependency(edge(PG_REWRITE, 20014, ObjectAddress::column(V, 1)));
    catalog.put_dependency(edge(PG_ATTRDEF, 20012, ObjectAddress::new(PG_CLASS, A_SEQUENCE)));
    catalog
}

fn plan(root: ObjectAddress, cascade: bool) -> Result<DropPlan> {
    let catalog = catalog();
    let search_path = SearchPath::resolve(&catalog, &["public".to_owned()], "postgres", None);
    plan_drop(Printer { catalog: &catalog, search_path: &search_path }, &[root], cascade)
}

fn relation(oid: u32) -> ObjectAddress {
    ObjectAddress::new(PG_CLASS, oid)
}

#[test]
fn restrict_names_what_depends() {
    let constraint = ObjectAddress::new(PG_CONSTRAINT, 20010);
    for (root, message, detail) in [
        (
            relation(A),
            "cannot drop table a because other objects depend on it",
            "constraint b_id_fkey on table b depends on table a\nview v depends on table a\nview w depends on view v",
        ),
        (
            ObjectAddress::column(A, 2),
            "cannot drop column x of table a because other objects depend on it",
            "view v depends on column x of table a\nview w depends on view v",
        ),
        (
            relation(A_SEQUENCE),
            "cannot drop sequence a_id_seq because other objects depend on it",
            "default value for column id of table a depends on sequence a_id_seq",
        ),
        (
            constraint,
            "cannot drop constraint a_pkey on table a because other objects depend on it",
            "constraint b_id_fkey on table b depends on index a_pkey",
        ),
        (
            ObjectAddress::new(PG_NAMESPACE, PUBLIC_SCHEMA),
            "cannot drop schema public because other objects depend on it",
            "table a depends on schema public\ntable b depends on schema public\nview v depends on schema public\n\
             view w depends on schema public",
        ),
    ] {
        let error = plan(root, false).unwrap_err();
        assert_eq!((error.code(), error.message()), (sqlstate::DEPENDENT_OBJECTS_STILL_EXIST, message));
        assert_eq!(error.fields().detail.as_deref(), Some(detail));
    }
    let error = plan(relation(A_KEY), true).unwrap_err();
    assert_eq!(error.message(), "cannot drop index a_pkey because constraint a_pkey on table a requires it");
    assert_eq!(error.fields().hint.as_deref(), Some("You can drop constraint a_pkey on table a instead."));
}

#[test]
fn cascade_takes_objects_and_parts() {
    let dropped = plan(relation(A), true).unwrap();
    let expected: BTreeSet<_> = [W, V, A_SEQUENCE, A_KEY, A].map(relation).into();
    assert_eq!(dropped.objects.iter().copied().collect::<BTreeSet<_>>(), expected);
    assert_eq!(dropped.objects.last(), Some(&relation(A)));
    assert_eq!(dropped.parts, [ObjectAddress::new(PG_CONSTRAINT, 20011)]);
    let (message, detail) = dropped.notice().unwrap();
    assert_eq!(message, "drop cascades to 3 other objects");
    let lines = "drop cascades to constraint b_id_fkey on table b\ndrop cascades to view v\ndrop cascades to view w";
    assert_eq!(detail.as_deref(), Some(lines));

    let alone = plan(relation(B), false).unwrap();
    assert_eq!((alone.objects.as_slice(), alone.notice()), ([relation(B)].as_slice(), None));
    let view = plan(relation(V), true).unwrap();
    assert_eq!(view.objects, [relation(W), relation(V)]);
    assert_eq!(view.notice().unwrap().0, "drop cascades to view w");
    let column = plan(ObjectAddress::column(A, 1), true).unwrap();
    assert!(column.parts.contains(&ObjectAddress::column(A, 1)) && column.objects.contains(&relation(A_SEQUENCE)));
}
