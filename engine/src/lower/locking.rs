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
use crate::bind::tree::{From, Locking, Query, RelId, SetExpr};
use crate::parse::ast::{LockStrength, LockWait};

/// A table whose rows a query locks.
#[derive(Debug, Clone)]
pub struct LockedTable {
    pub table: Arc<CatalogRelation>,
    pub strength: LockStrength,
    pub wait: LockWait,
}

impl Lowerer<'_> {
    /// Notes the relations that the query locks; their tables in the order of the address columns.
    pub fn lock(&mut self, query: &Query) -> Result<Vec<LockedTable>> {
        if query.locking.iter().all(|locking| locking.rels.is_empty()) {
            return Ok(Vec::new());
        }
        let SetExpr::Select(select) = &query.body else {
            return Err(Error::unsupported("FOR UPDATE of a set operation"));
        };
        let mut tables = Vec::new();
        if let Some(from) = &select.from {
            collect(from, &query.locking, &mut tables);
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

/// How a relation is locked, by all clauses that name it: the strongest mode, and the least patience.
fn locking_of(rel: RelId, clauses: &[Locking]) -> Option<(LockStrength, LockWait)> {
    let mut clauses = clauses.iter().filter(|clause| clause.rels.contains(&rel));
    let first = clauses.next()?;
    Some(clauses.fold((first.strength, first.wait), |(strength, wait), clause| {
        let stronger = if rank(clause.strength) > rank(strength) { clause.strength } else { strength };
        let wait = match (wait, clause.wait) {
            (LockWait::NoWait, _) | (_, LockWait::NoWait) => LockWait::NoWait,
            (LockWait::SkipLocked, _) | (_, LockWait::SkipLocked) => LockWait::SkipLocked,
            _ => LockWait::Block,
        };
        (stronger, wait)
    }))
}

fn rank(strength: LockStrength) -> u8 {
    match strength {
        LockStrength::KeyShare => 0,
        LockStrength::Share => 1,
        LockStrength::NoKeyUpdate => 2,
        LockStrength::Update => 3,
    }
}

/// The stored tables of FROM that are to be locked, those inside of sub-queries aside.
fn collect(from: &From, clauses: &[Locking], tables: &mut Vec<(RelId, LockedTable)>) {
    match from {
        From::Table { rel, relation, .. } if matches!(relation.kind, RelationKind::Table(_)) => {
            let Some((strength, wait)) = locking_of(*rel, clauses) else { return };
            if !tables.iter().any(|(found, _)| found == rel) {
                tables.push((*rel, LockedTable { table: relation.clone(), strength, wait }));
            }
        }
        From::Join { left, right, .. } => {
            collect(left, clauses, tables);
            collect(right, clauses, tables);
        }
        _ => {}
    }
}
