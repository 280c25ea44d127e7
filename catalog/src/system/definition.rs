//! Names, OIDs and columns of the system relations, from PostgreSQL's own catalog.

use std::collections::HashMap;
use std::sync::Arc;

use crate::facts::tsv;
use crate::fixed_oid::BOOTSTRAP_SUPERUSER;
use crate::object::{Column, Persistence, Relation, RelationKind};
use crate::types::{Type, oid::Oid};

/// The system relations that exist, by OID.
pub(super) fn load() -> Vec<Arc<Relation>> {
    let mut columns = columns();
    let mut relations: Vec<_> = tsv::rows(include_str!("../../data/relations.tsv"))
        .filter_map(|mut fields| {
            let (oid, name, schema) = (fields.oid(), fields.text(), fields.oid());
            let (row_type, row_array_type) = (fields.oid(), fields.oid());
            if fields.character() != 'r' {
                return None;
            }
            Some(Arc::new(Relation {
                oid,
                schema,
                name: name.into_owned(),
                owner: BOOTSTRAP_SUPERUSER,
                persistence: Persistence::Permanent,
                row_type,
                row_array_type,
                columns: columns.remove(&oid).unwrap_or_default(),
                kind: RelationKind::System,
            }))
        })
        .collect();
    relations.sort_by_key(|relation| relation.oid);
    relations
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
