use super::*;
use crate::builtins::Builtins;
use crate::facts;
use crate::image::Catalog;
use crate::object::RelationKind;
use crate::types::arrow_type;

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

#[test]
fn every_base_relation_has_rows_of_its_columns() {
    let catalog = catalog();
    let context = SystemContext { catalog: &catalog, server: &NoServer, filters: &[] };
    for (name, _) in RELATIONS {
        let relation =
            relation_by_name(PG_CATALOG_SCHEMA, name).unwrap_or_else(|| panic!("{name} is not PostgreSQL's"));
        assert_eq!(relation.kind, RelationKind::System);
        let batch = rows(relation.oid, &context).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(batch.num_columns(), relation.columns.len(), "{name}");
        for (field, column) in batch.schema().fields().iter().zip(&relation.columns) {
            assert_eq!((field.name(), field.data_type()), (&column.name, &arrow_type(column.ty)), "{name}");
        }
    }
}

#[test]
fn the_system_describes_itself() {
    let catalog = catalog();
    let context = SystemContext { catalog: &catalog, server: &NoServer, filters: &[] };
    let count = |name: &str| {
        let relation = relation_by_name(PG_CATALOG_SCHEMA, name).unwrap();
        rows(relation.oid, &context).unwrap().num_rows()
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
    let context = SystemContext { catalog: &catalog, server: &NoServer, filters: &filters };
    assert_eq!(rows(1249, &context).unwrap().num_rows(), 33);
    let filters = [Filter::texts("relname", vec!["pg_class".to_owned()])];
    let context = SystemContext { filters: &filters, ..context };
    assert_eq!(rows(1259, &context).unwrap().num_rows(), 1);
}

#[test]
fn the_lists_of_views_are_the_folders() {
    for (schema, folder, views) in [
        (PG_CATALOG_SCHEMA, "src/pg_catalog", crate::pg_catalog::VIEWS),
        (INFORMATION_SCHEMA, "src/information_schema", crate::information_schema::VIEWS),
    ] {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
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
