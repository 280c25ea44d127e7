use super::*;
use crate::built_in_extension;
use crate::builtins::Builtins;
use crate::facts;
use crate::image::Catalog;
use crate::object::{ObjectAddress, RelationKind};
use crate::types::built_in;

struct NoServer;

impl ServerFacts for NoServer {
    fn row_count(&self, _: &Relation) -> Option<u64> {
        None
    }

    fn bytes(&self, _: &Relation) -> u64 {
        0
    }
}

fn catalog() -> Catalog {
    Catalog::empty(5, Arc::new(Builtins::new(facts::procs().to_vec())))
}

/// All columns of a relation.
fn all_rows(oid: Oid, context: &SystemContext<'_>) -> Result<RecordBatch> {
    let columns = relation(oid).map_or(0, |relation| relation.columns.len());
    rows(oid, context, &(0..columns).collect::<Vec<_>>())
}

/// The relations of the list; without the one that refuses to be read.
fn base_relations() -> impl Iterator<Item = &'static Arc<Relation>> {
    RELATIONS.iter().filter(|(name, _)| *name != "sql_features").map(|(name, _)| {
        let in_schema = |schema| relation_by_name(schema, name);
        let found = in_schema(PG_CATALOG_SCHEMA).or_else(|| in_schema(INFORMATION_SCHEMA));
        found.unwrap_or_else(|| panic!("{name} is not PostgreSQL's"))
    })
}

#[test]
fn every_base_relation_has_rows_of_its_columns() {
    let catalog = catalog();
    let context = SystemContext::new(&catalog, &NoServer, &[]);
    for relation in base_relations() {
        let name = &relation.name;
        assert_eq!(relation.kind, RelationKind::System);
        let batch = all_rows(relation.oid, &context).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(batch.num_columns(), relation.columns.len(), "{name}");
        for (field, column) in batch.schema().fields().iter().zip(&relation.columns) {
            assert_eq!((field.name(), field.data_type()), (&column.name, &built_in(column.ty)), "{name}");
        }
    }
}

#[test]
fn the_system_describes_itself() {
    let catalog = catalog();
    let context = SystemContext::new(&catalog, &NoServer, &[]);
    let count = |name: &str| {
        let relation = relation_by_name(PG_CATALOG_SCHEMA, name).unwrap();
        all_rows(relation.oid, &context).unwrap().num_rows()
    };
    assert_eq!(count("pg_class"), relations().len());
    assert_eq!(count("pg_attribute"), relations().iter().map(|relation| relation.columns.len()).sum::<usize>());
    assert_eq!(count("pg_type"), facts::types().len() + 2 * relations().len());
    assert_eq!(count("pg_proc"), facts::procs().len());
    assert_eq!(count("pg_operator"), facts::operators().len());
    assert!(is_shared(crate::fixed_oid::PG_DATABASE) && !is_shared(crate::fixed_oid::PG_CLASS));
    assert_eq!(relation(crate::fixed_oid::PG_CLASS).unwrap().row_type, 83);
}

#[test]
fn filters_leave_rows_out() {
    let catalog = catalog();
    let filters = [Filter::oids("attrelid", vec![1259, 1259, 7])];
    let context = SystemContext::new(&catalog, &NoServer, &filters);
    assert_eq!(all_rows(1249, &context).unwrap().num_rows(), 33);
    let filters = [Filter::texts("relname", vec!["pg_class".to_owned()])];
    let context = SystemContext::new(&catalog, &NoServer, &filters);
    assert_eq!(all_rows(1259, &context).unwrap().num_rows(), 1);
}

#[test]
fn what_was_shown_lasts_until_the_image_changes() {
    let mut catalog = catalog();
    let names = |catalog: &Catalog, filters: &[Filter]| {
        let context = SystemContext::new(catalog, &NoServer, filters);
        rows(1259, &context, &[1]).unwrap()
    };
    // Rows that were left out for one reader are there for the next.
    let one = names(&catalog, &[Filter::texts("relname", vec!["pg_class".to_owned()])]);
    let all = names(&catalog, &[]);
    assert_eq!((one.num_rows(), all.num_rows()), (1, relations().len()));
    assert!(Arc::ptr_eq(all.column(0), names(&catalog, &[]).column(0)));
    assert!(!Arc::ptr_eq(all.column(0), names(&catalog.clone(), &[]).column(0)));
    catalog.set_comment(ObjectAddress::new(crate::fixed_oid::PG_CLASS, 1259), Some("changed"));
    assert!(!Arc::ptr_eq(all.column(0), names(&catalog, &[]).column(0)));
    // What only the server knows is asked anew.
    let pages = |catalog: &Catalog| {
        let context = SystemContext::new(catalog, &NoServer, &[]);
        rows(1259, &context, &[9]).unwrap()
    };
    assert_eq!(pages(&catalog).schema().field(0).name(), "relpages");
    assert!(rows(1259, &SystemContext::new(&catalog, &NoServer, &[]), &[]).unwrap().num_rows() > 0);
}

#[test]
fn the_lists_of_views_are_the_folders() {
    for (schema, folder, views) in [
        (PG_CATALOG_SCHEMA, "src/pg_catalog", crate::pg_catalog::VIEWS),
        (INFORMATION_SCHEMA, "src/information_schema", crate::information_schema::VIEWS),
    ] {
        let files = std::fs::read_dir(folder).unwrap().filter_map(|entry| {
            let name = entry.unwrap().file_name().into_string().unwrap();
            name.strip_suffix(".sql").map(str::to_owned)
        });
        let mut files: Vec<String> = files.collect();
        files.sort();
        let listed: Vec<_> = views.iter().map(|(name, _)| name.to_string()).collect();
        assert_eq!(files, listed);
        for (name, query) in views {
            let relation = relation_by_name(schema, name).unwrap_or_else(|| panic!("{name} is not PostgreSQL's"));
            assert_eq!(relation.view().unwrap().query, *query);
            assert!(relation.view().unwrap().rule != 0 && !relation.columns.is_empty());
        }
    }
}

/// Values of an OID column, or elements of one of arrays; None for a column of another type.
fn oids(array: &arrow::array::ArrayRef) -> Option<Vec<Oid>> {
    use arrow::array::AsArray;
    use arrow::datatypes::{Int16Type, UInt32Type};
    if let Some(values) = array.as_primitive_opt::<UInt32Type>() {
        return Some(values.iter().flatten().collect());
    }
    if let Some(values) = array.as_primitive_opt::<Int16Type>() {
        return Some(values.iter().flatten().map(|value| u32::try_from(value).unwrap()).collect());
    }
    let elements = array.as_struct_opt()?.column(0).as_list_opt::<i32>()?.values().clone();
    oids(&elements)
}

/// A catalog with one object of each kind.
fn populated() -> Catalog {
    use crate::fixed_oid::{PG_DATABASE_OWNER, PUBLIC_SCHEMA};
    use crate::object::*;
    use crate::types::{Type, oid};
    let mut catalog = catalog();
    catalog.put(&Object::Role(Arc::new(Role::new(BOOTSTRAP_SUPERUSER, "postgres"))));
    catalog.put(&Object::Role(Arc::new(Role::new(PG_DATABASE_OWNER, "pg_database_owner"))));
    catalog.put(&Object::Database(Arc::new(Database::new(5, "postgres", BOOTSTRAP_SUPERUSER))));
    let public = Schema { oid: PUBLIC_SCHEMA, name: "public".to_owned(), owner: PG_DATABASE_OWNER };
    catalog.put(&Object::Schema(Arc::new(public)));
    let mut put = |oid: Oid, name: &str, columns: Vec<Column>, kind: RelationKind| {
        let has_type = matches!(kind, RelationKind::Table(_) | RelationKind::View(_));
        catalog.put(&Object::Relation(Arc::new(Relation {
            oid,
            schema: PUBLIC_SCHEMA,
            name: name.to_owned(),
            owner: BOOTSTRAP_SUPERUSER,
            persistence: Persistence::Permanent,
            row_type: if has_type { oid + 1000 } else { 0 },
            row_array_type: if has_type { oid + 2000 } else { 0 },
            columns,
            kind,
        })));
    };
    let mut id = Column::new("id", 1, Type::of(oid::INT4));
    (id.default, id.default_oid) = (Some("nextval('s'::regclass)".to_owned()), 20010);
    let columns =
        vec![id, Column::new("name", 2, Type::new(oid::VARCHAR, 14)), Column::new("rows", 3, Type::of(22000))];
    let constraint = |oid, kind| Constraint { oid, ..Constraint::new(format!("c{oid}"), kind) };
    let foreign_key = ConstraintKind::ForeignKey {
        columns: vec![2],
        referenced: 20000,
        referenced_columns: vec![2],
        referenced_index: 20001,
        on_update: ReferentialAction::NoAction,
        on_delete: ReferentialAction::Cascade,
        match_full: false,
        delete_columns: Vec::new(),
    };
    let constraints = vec![
        constraint(20011, ConstraintKind::PrimaryKey { index: 20001, columns: vec![2] }),
        constraint(20012, foreign_key),
        constraint(20013, ConstraintKind::Check { expression: "(id > 0)".to_owned(), columns: vec![1] }),
    ];
    put(20000, "t", columns, RelationKind::Table(Table { constraints, ..Table::new(20000) }));
    let index = Index {
        table: 20000,
        method: "btree".to_owned(),
        keys: vec![IndexKey { attnum: 2, expression: None, descending: true, nulls_first: true, operator_class: 0 }],
        include: vec![1],
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
    put(20001, "t_pkey", Vec::new(), RelationKind::Index(index));
    let sequence = Sequence {
        ty: oid::INT8,
        start: 1,
        increment: 1,
        min: 1,
        max: 9,
        cache: 1,
        cycle: false,
        owned_by: Some((20000, 1)),
        identity: false,
    };
    put(20002, "s", Vec::new(), RelationKind::Sequence(sequence));
    let view = View {
        query: "SELECT 1".to_owned(),
        search_path: Vec::new(),
        check_option: None,
        options: Vec::new(),
        window: None,
        rule: 20014,
    };
    put(20003, "v", vec![Column::new("n", 1, Type::of(oid::INT4))], RelationKind::View(view));
    catalog
}

#[test]
fn dependencies_are_found_from_either_end() {
    let catalog = populated();
    let count = |filters: &[Filter]| {
        // A copy, which has not shown all of them yet.
        let catalog = catalog.clone();
        let context = SystemContext::new(&catalog, &NoServer, filters);
        all_rows(2608, &context).unwrap().num_rows()
    };
    assert_eq!(count(&[]), catalog.dependencies().count() + built_in_extension::members().count());
    assert_eq!(count(&[Filter::oids("refobjid", vec![13_559])]), 4);
    assert_eq!(count(&[Filter::oids("objid", vec![20002])]), 2);
    assert_eq!(count(&[Filter::oids("refobjid", vec![20003])]), 2);
}

#[test]
fn every_oid_that_is_referred_to_exists() {
    let catalog = populated();
    let context = SystemContext::new(&catalog, &NoServer, &[]);
    let mut batches: HashMap<&str, RecordBatch> = HashMap::new();
    for relation in base_relations() {
        batches.insert(relation.name.as_str(), all_rows(relation.oid, &context).unwrap());
    }
    let mut checked = 0;
    for mut fields in tsv::rows(include_str!("../../data/references.tsv")) {
        let (table, columns) = (fields.text().into_owned(), fields.array().unwrap());
        let (target, target_columns) = (fields.text().into_owned(), fields.array().unwrap());
        let [column, target_column] = [&columns, &target_columns].map(|columns| columns.first().unwrap());
        if columns.len() > 1 {
            continue;
        }
        let values = oids(batches[&*table].column_by_name(column).unwrap()).unwrap();
        let existing = oids(batches[&*target].column_by_name(target_column).unwrap()).unwrap();
        let existing: HashSet<Oid> = existing.into_iter().collect();
        for value in values.into_iter().filter(|&value| value != 0) {
            assert!(existing.contains(&value), "{table}.{column} = {value} is not in {target}.{target_column}");
            checked += 1;
        }
    }
    assert!(checked > 30_000, "{checked}");
}
