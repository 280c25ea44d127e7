//! SELECT … FOR UPDATE: which rows to lock. The plan yields their addresses after the visible columns.

use std::sync::Arc;

use aegis_catalog::object::{Relation as CatalogRelation, RelationKind};
use aegis_catalog::{Error, Result};
use aegis_storage::transaction::ADDRESS_COLUMN;
use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::logical_expr::Expr;

use super::Lowerer;
use super::relation::{Binding, Relation};
use crate::bind::tree::{From, Query, RelId, SetExpr};

impl Lowerer<'_> {
    /// Notes the relations that the query locks; their tables in the order of the address columns.
    pub fn lock(&mut self, query: &Query) -> Result<Vec<Arc<CatalogRelation>>> {
        let wanted: Vec<RelId> = query.locking.iter().flat_map(|locking| locking.rels.iter().copied()).collect();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let SetExpr::Select(select) = &query.body else {
            return Err(Error::unsupported("FOR UPDATE of a set operation"));
        };
        let mut tables = Vec::new();
        if let Some(from) = &select.from {
            collect(from, &wanted, &mut tables);
        }
        self.locked = tables.iter().map(|(rel, _)| *rel).collect();
        Ok(tables.into_iter().map(|(_, table)| table).collect())
    }

    /// The addresses of the locked rows as columns to add to the targets of the outermost SELECT.
    pub fn locked_addresses(&mut self, input: &Relation) -> Vec<(Expr, Binding)> {
        let locked = std::mem::take(&mut self.locked);
        let addresses = locked.into_iter().filter_map(|rel| {
            let qualifier = input.rels.get(&rel)?.iter().find_map(|binding| binding.column.relation.clone());
            let address = Expr::Column(Column::new(qualifier, ADDRESS_COLUMN));
            Some((address, self.binding("locked", DataType::UInt64)))
        });
        addresses.collect()
    }
}

/// The stored tables of FROM that are to be locked, those inside of sub-queries aside.
fn collect(from: &From, wanted: &[RelId], tables: &mut Vec<(RelId, Arc<CatalogRelation>)>) {
    match from {
        From::Table { rel, relation, .. }
            if wanted.contains(rel)
                && matches!(relation.kind, RelationKind::Table(_))
                && !tables.iter().any(|(found, _)| found == rel) =>
        {
            tables.push((*rel, relation.clone()));
        }
        From::Join { left, right, .. } => {
            collect(left, wanted, tables);
            collect(right, wanted, tables);
        }
        _ => {}
    }
}
