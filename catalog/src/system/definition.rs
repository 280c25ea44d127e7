//! Names, OIDs and columns of the system relations, from PostgreSQL's own catalog.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::RELATIONS;
use crate::facts::tsv;
use crate::fixed_oid::{BOOTSTRAP_SUPERUSER, PG_CATALOG_SCHEMA};
use crate::object::{Column, Persistence, Relation, RelationKind, View};
use crate::types::{Type, oid::Oid};
use crate::{information_schema, pg_catalog};

/// The system relations that exist, by OID, and which of them are shared by all databases.
pub(super) fn load() -> (Vec<Arc<Relation>>, HashSet<Oid>) {
    let mut columns = columns();
    let mut shared = HashSet::new();
    let mut relations = Vec::new();
    for mut fields in tsv::rows(include_str!("../../data/relations.tsv")) {
        let (oid, name, schema) = (fields.oid(), fields.text(), fields.oid());
        let (row_type, row_array_type) = (fields.oid(), fields.oid());
        let (is_view, is_shared, rule) = (fields.character() == 'v', fields.boolean(), fields.oid());
        let kind = if is_view {
            view(schema, &name, rule)
        } else {
            RELATIONS.iter().any(|(listed, _)| *listed == name).then_some(RelationKind::System)
        };
        let Some(kind) = kind else { continue };
        if is_shared {
            shared.insert(oid);
        }
        relations.push(Arc::new(Relation {
            oid,
            schema,
            name: name.into_owned(),
            owner: BOOTSTRAP_SUPERUSER,
            persistence: Persistence::Permanent,
            row_type,
            row_array_type,
            columns: columns.remove(&oid).unwrap_or_default(),
            kind,
        }));
    }
    relations.sort_by_key(|relation| relation.oid);
    (relations, shared)
}

/// A view of the two lists. Its query names everything as if only `pg_catalog` were searched.
fn view(schema: Oid, name: &str, rule: Oid) -> Option<RelationKind> {
    let list = if schema == PG_CATALOG_SCHEMA { pg_catalog::VIEWS } else { information_schema::VIEWS };
    let (_, query) = list.iter().find(|(listed, _)| *listed == name)?;
    Some(RelationKind::View(View {
        query: (*query).to_owned(),
        search_path: vec!["pg_catalog".to_owned()],
        check_option: None,
        options: Vec::new(),
        window: None,
        rule,
    }))
}

/// The columns of every system relation of PostgreSQL, by relation.
fn columns() -> HashMap<Oid, Vec<Column>> {
    let mut columns: HashMap<Oid, Vec<Column>> = HashMap::new();
    for mut fields in tsv::rows(include_str!("../../data/columns.tsv")) {
        let (relation, attnum, name) = (fields.oid(), fields.parse(), fields.text());
        let ty = Type::new(fields.oid(), fields.parse());
        let mut column = Column::new(name, attnum, ty);
        column.not_null = fields.boolean();
        column.collation = fields.oid();
        columns.entry(relation).or_default().push(column);
    }
    columns
}
