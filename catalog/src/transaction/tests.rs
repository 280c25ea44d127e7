use aegis_storage::{Isolation, Store, block_on};

use super::*;
use crate::builtins::Builtins;
use crate::fixed_oid::{BOOTSTRAP_SUPERUSER, POSTGRES_DATABASE, PUBLIC_SCHEMA, TEMPLATE1_DATABASE};
use crate::name::SearchPath;
use crate::object::{Column, Constraint, ConstraintKind, Index, IndexKey, Table};
use crate::types::{Type, oid};

struct Session {
    store: Arc<Store>,
    catalogs: Arc<CatalogStore>,
    temporary: TemporaryObjects,
}

impl Session {
    fn new() -> Self {
        Self::on(Store::open_in_memory())
    }

    fn on(store: Arc<Store>) -> Self {
        let catalogs = block_on(CatalogStore::open(store.clone(), Builtins::default())).unwrap();
        Self { store, catalogs, temporary: TemporaryObjects::default() }
    }

    fn begin(&self) -> (CatalogTransaction, Transaction) {
        let catalog = CatalogTransaction::begin(&self.catalogs, POSTGRES_DATABASE, &self.temporary).unwrap();
        (catalog, self.store.begin(Isolation::ReadCommitted))
    }

    fn commit(&mut self, (catalog, storage): (CatalogTransaction, Transaction)) -> Result<()> {
        block_on(storage.commit(true))?;
        catalog.publish(&mut self.temporary);
        Ok(())
    }

    fn image(&self) -> Arc<Catalog> {
        self.catalogs.current(POSTGRES_DATABASE).unwrap()
    }
}

fn table(name: &str) -> Relation {
    let mut id = Column::new("id", 1, Type::of(oid::INT4));
    id.not_null = true;
    id.default = Some("7".to_owned());
    Relation {
        oid: 0,
        schema: PUBLIC_SCHEMA,
        name: name.to_owned(),
        owner: BOOTSTRAP_SUPERUSER,
        persistence: Persistence::Permanent,
        row_type: 0,
        row_array_type: 0,
        columns: vec![id, Column::new("name", 2, Type::of(oid::TEXT))],
        kind: RelationKind::Table(Table::new(0)),
    }
}

fn index(name: &str, on: &Relation) -> Relation {
    let key = IndexKey { attnum: 1, expression: None, descending: false, nulls_first: false, operator_class: 0 };
    Relation {
        columns: Vec::new(),
        kind: RelationKind::Index(Index {
            table: on.oid,
            method: "btree".to_owned(),
            keys: vec![key],
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
        }),
        ..table(name)
    }
}

#[test]
fn a_new_data_directory_has_what_initdb_makes() {
    let session = Session::new();
    let image = session.image();
    assert_eq!(image.database().unwrap().name, "postgres");
    assert_eq!(image.role_by_name("postgres").unwrap().oid, 10);
    assert_eq!(image.schema_by_name("public").unwrap().oid, PUBLIC_SCHEMA);
    assert_eq!(image.schema_by_name("pg_catalog").unwrap().oid, 11);
    let public = ObjectAddress::new(PG_NAMESPACE, PUBLIC_SCHEMA);
    assert_eq!(image.comment(public), Some("standard public schema"));
    assert_eq!(session.catalogs.database("template1").unwrap().database_oid(), TEMPLATE1_DATABASE);
    assert_eq!(session.catalogs.database("nope").unwrap_err().code(), sqlstate::UNDEFINED_DATABASE);
}

#[test]
fn created_objects_are_seen_after_publish_and_after_restart() {
    let mut session = Session::new();
    let (mut catalog, mut storage) = session.begin();
    let created = catalog.create_relation(&mut storage, table("t")).unwrap();
    let key = catalog.create_relation(&mut storage, index("t_pkey", &created)).unwrap();
    let mut changed = Relation::clone(&created);
    if let RelationKind::Table(table) = &mut changed.kind {
        table.constraints.push(Constraint::new(
            "t_pkey".to_owned(),
            ConstraintKind::PrimaryKey { index: key.oid, columns: vec![1] },
        ));
    }
    catalog.replace_relation(&mut storage, changed).unwrap();
    catalog.set_comment(&mut storage, ObjectAddress::column(created.oid, 2), Some("what it is called")).unwrap();
    assert!(session.image().relation_by_name(PUBLIC_SCHEMA, "t").is_none());
    let own = catalog.catalog();
    session.commit((catalog, storage)).unwrap();

    let committed = session.image();
    let restarted = Session::on(session.store.clone());
    for image in [own, committed, restarted.image()] {
        let table = image.relation_by_name(PUBLIC_SCHEMA, "t").unwrap();
        assert!(table.oid >= fixed_oid::FIRST_NORMAL && table.row_type != 0 && table.columns[0].default_oid != 0);
        assert_eq!(image.indexes_of(table.oid).count(), 1);
        assert_eq!(image.constraints_of(table.oid).len(), 1);
        assert_eq!(image.comment(ObjectAddress::column(table.oid, 2)), Some("what it is called"));
        assert_eq!(image.type_entry(table.row_array_type).unwrap().name, "_t");
        let path = SearchPath::resolve(&image, &["$user".to_owned(), "public".to_owned()], "postgres", None);
        assert_eq!(image.resolve_relation(None, "t", &path).unwrap().unwrap().oid, table.oid);
        assert_eq!(image.resolve_relation(None, "pg_class", &path).unwrap().unwrap().oid, PG_CLASS);
        assert_eq!(image.type_by_name(None, "t", &path).unwrap().relation, table.oid);
        let constraint = ObjectAddress::new(fixed_oid::PG_CONSTRAINT, image.constraints_of(table.oid)[0].oid);
        assert!(image.dependents_of(table.address()).iter().any(|edge| edge.dependent == constraint));
    }
    let next = restarted.catalogs.allocate_oid().unwrap();
    assert!(next > session.image().user_relations().last().unwrap().oid);
}

#[test]
fn rollback_and_savepoints_undo_exactly() {
    let mut session = Session::new();
    let (mut catalog, mut storage) = session.begin();
    catalog.create_relation(&mut storage, table("kept")).unwrap();
    let (mark, storage_mark) = (catalog.savepoint(), storage.savepoint());
    let lost = catalog.create_relation(&mut storage, table("lost")).unwrap();
    assert!(catalog.catalog().relation(lost.oid).is_some());
    catalog.rollback_to(mark);
    storage.rollback_to(storage_mark).unwrap();
    assert!(catalog.catalog().relation(lost.oid).is_none());
    catalog.create_relation(&mut storage, table("lost")).unwrap();
    session.commit((catalog, storage)).unwrap();

    let (mut catalog, mut storage) = session.begin();
    let kept = catalog.catalog().relation_by_name(PUBLIC_SCHEMA, "kept").unwrap().clone();
    catalog.drop_object(&mut storage, kept.address()).unwrap();
    assert!(catalog.catalog().relation(kept.oid).is_none());
    drop((catalog, storage));
    assert!(session.image().relation(kept.oid).is_some());

    let (mut catalog, mut storage) = session.begin();
    catalog.drop_object(&mut storage, kept.address()).unwrap();
    catalog.create_relation(&mut storage, table("kept")).unwrap();
    session.commit((catalog, storage)).unwrap();
    assert_ne!(session.image().relation_by_name(PUBLIC_SCHEMA, "kept").unwrap().oid, kept.oid);
    assert_eq!(Session::on(session.store.clone()).image().user_relations().count(), 2);
}

#[test]
fn the_second_of_two_creators_of_a_name_loses() {
    let mut session = Session::new();
    let (mut first, mut second) = (session.begin(), session.begin());
    first.0.create_relation(&mut first.1, table("t")).unwrap();
    second.0.create_relation(&mut second.1, table("t")).unwrap();
    session.commit(first).unwrap();
    assert_eq!(session.commit(second).unwrap_err().code(), sqlstate::UNIQUE_VIOLATION);

    let (mut third, mut storage) = session.begin();
    let error = third.create_relation(&mut storage, table("t")).unwrap_err();
    assert_eq!((error.code(), error.message()), (sqlstate::DUPLICATE_TABLE, "relation \"t\" already exists"));
}

#[test]
fn refresh_shows_what_others_committed_beside_own_changes() {
    let mut session = Session::new();
    let (mut mine, mut storage) = session.begin();
    let own = mine.create_relation(&mut storage, table("mine")).unwrap();
    let mut other = session.begin();
    let theirs = other.0.create_relation(&mut other.1, table("theirs")).unwrap();
    session.commit(other).unwrap();
    let before = mine.catalog();
    assert!(before.relation(theirs.oid).is_none());
    mine.refresh().unwrap();
    storage.refresh().unwrap();
    let after = mine.catalog();
    assert!(after.relation(theirs.oid).is_some() && after.relation(own.oid).is_some());
    assert_ne!(before.version(), after.version());
    session.commit((mine, storage)).unwrap();
    assert_eq!(session.image().user_relations().count(), 2);
}

#[test]
fn temporary_objects_stay_in_their_session() {
    let mut session = Session::new();
    let (mut catalog, mut storage) = session.begin();
    let schema = catalog.temporary_schema(3, BOOTSTRAP_SUPERUSER).unwrap();
    let relation = Relation { schema, persistence: Persistence::Temporary, ..table("t") };
    let created = catalog.create_relation(&mut storage, relation).unwrap();
    catalog.set_comment(&mut storage, created.address(), Some("mine")).unwrap();
    assert!(!storage.has_writes());
    session.commit((catalog, storage)).unwrap();
    assert!(session.image().relation(created.oid).is_none());
    assert_eq!(session.temporary.schema(), Some(schema));

    let (mut catalog, mut storage) = session.begin();
    let image = catalog.catalog();
    let path = SearchPath::resolve(&image, &["public".to_owned()], "postgres", Some(schema));
    assert_eq!(image.resolve_relation(None, "t", &path).unwrap().unwrap().oid, created.oid);
    assert_eq!(image.resolve_relation(Some("pg_temp"), "t", &path).unwrap().unwrap().oid, created.oid);
    assert_eq!(image.comment(created.address()), Some("mine"));
    catalog.drop_object(&mut storage, created.address()).unwrap();
    session.commit((catalog, storage)).unwrap();
    assert!(session.begin().0.catalog().relation(created.oid).is_none());
}

#[test]
fn databases_and_roles_are_shared() {
    let mut session = Session::new();
    let (mut catalog, mut storage) = session.begin();
    let database = Database::new(0, "shop", BOOTSTRAP_SUPERUSER);
    let oid = catalog.create_database(&mut storage, database, TEMPLATE1_DATABASE).unwrap();
    catalog.create_role(&mut storage, Role::new(0, "alice")).unwrap();
    session.commit((catalog, storage)).unwrap();
    for catalogs in [&session.catalogs, &Session::on(session.store.clone()).catalogs] {
        let shop = catalogs.database("shop").unwrap();
        assert_eq!(shop.database_oid(), oid);
        assert!(shop.schema_by_name("public").is_some());
        assert!(shop.role_by_name("alice").is_some());
    }
    let (mut catalog, mut storage) = session.begin();
    let error = catalog.create_role(&mut storage, Role::new(0, "pg_mine")).unwrap_err();
    assert_eq!(error.code(), sqlstate::RESERVED_NAME);
    catalog.drop_object(&mut storage, ObjectAddress::new(PG_DATABASE, oid)).unwrap();
    session.commit((catalog, storage)).unwrap();
    assert!(session.catalogs.database("shop").is_err());
    assert!(Session::on(session.store.clone()).catalogs.database("shop").is_err());
}

#[test]
fn a_data_directory_opens_again() {
    let folder = tempfile::tempdir().unwrap();
    let open = || Store::open(aegis_storage::Config::new(folder.path())).unwrap();
    let mut session = Session::on(open());
    let (mut catalog, mut storage) = session.begin();
    let first = catalog.create_relation(&mut storage, table("first")).unwrap();
    session.commit((catalog, storage)).unwrap();
    block_on(session.store.flush()).unwrap();
    let (mut catalog, mut storage) = session.begin();
    let second = catalog.create_relation(&mut storage, table("second")).unwrap();
    catalog.set_comment(&mut storage, first.address(), Some("from a segment")).unwrap();
    session.commit((catalog, storage)).unwrap();
    block_on(session.store.close()).unwrap();
    drop(session);

    let mut session = Session::on(open());
    let image = session.image();
    assert_eq!(image.relation(first.oid).unwrap().name, "first");
    assert_eq!(image.relation(second.oid).unwrap().name, "second");
    assert_eq!(image.comment(first.address()), Some("from a segment"));
    assert_eq!(image.schema_by_name("public").unwrap().oid, PUBLIC_SCHEMA);
    let (mut catalog, mut storage) = session.begin();
    let third = catalog.create_relation(&mut storage, table("third")).unwrap();
    assert!(third.oid > second.row_type.max(second.row_array_type));
    catalog.drop_object(&mut storage, first.address()).unwrap();
    session.commit((catalog, storage)).unwrap();
    assert!(session.image().relation(first.oid).is_none());
}
