//! SELECT … FOR UPDATE: which rows to lock. The plan yields their addresses after the visible columns.

use std::sync::Arc;

use aegis_catalog::object::{Relation as CatalogRelation, RelationKind};
use aegis_catalog::{Error, Result};
use arrow::datatypes::DataType;
use datafusion::logical_expr::Expr;

use super::Lowerer;
use super::build::cross;
use super::relation::{Binding, Output, Relation};
use crate::bind::tree::{From, Locking, Query, RelId, SYSTEM_COLUMNS, SetExpr};
use crate::parse::ast::{LockStrength, LockWait};

/// A table whose rows a query locks.
#[derive(Debug, Clone)]
pub struct LockedTable {
    pub table: Arc<CatalogRelation>,
    /// Its rows are in several tables: their OIDs follow the addresses.
    pub spread: bool,
    pub strength: LockStrength,
    pub wait: LockWait,
}

/// Where the address of a locked row comes from at one level of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Place {
    /// The column of a table's addresses.
    Table(RelId, usize),
    /// The column of the tables that rows are in.
    Source(RelId, usize),
    /// A column of a sub-query, behind those that it has of its own.
    Within(RelId, usize),
}

impl Lowerer<'_> {
    /// Notes the relations that the query locks, those of its sub-queries too; their tables in the order of the address columns.
    pub fn lock(&mut self, query: &Query) -> Result<Vec<LockedTable>> {
        let mut tables = Vec::new();
        let SetExpr::Select(select) = &query.body else { return Ok(tables) };
        if let (Some(from), false) = (&select.from, query.locking.is_empty()) {
            let mut places = Vec::new();
            self.collect(from, &|rel| locking_of(rel, &query.locking), &mut places, &mut tables);
            self.locked = places;
        }
        Ok(tables)
    }

    /// The stored tables of FROM that are to be locked.
    fn collect(
        &mut self,
        from: &From,
        how: &dyn Fn(RelId) -> Option<(LockStrength, LockWait)>,
        places: &mut Vec<Place>,
        tables: &mut Vec<LockedTable>,
    ) {
        match from {
            From::Table { rel, relation, only, .. } if matches!(relation.kind, RelationKind::Table(_)) => {
                let Some((strength, wait)) = how(*rel) else { return };
                places.push(Place::Table(*rel, relation.columns.len() + SYSTEM_COLUMNS.len()));
                let spread = !only && super::inherit::is_spread(relation, self.catalog());
                if spread {
                    places.push(Place::Source(*rel, relation.columns.len()));
                }
                tables.push(LockedTable { table: relation.clone(), spread, strength, wait });
            }
            // What a sub-query locks itself is locked before.
            From::Subquery { rel, query, .. } if query.locking.is_empty() => {
                let (Some(how), SetExpr::Select(select)) = (how(*rel), &query.body) else { return };
                let Some(from) = &select.from else { return };
                let mut within = Vec::new();
                self.collect(from, &|_| Some(how), &mut within, tables);
                places.extend((0..within.len()).map(|at| Place::Within(*rel, select.targets.len() + at)));
                self.locked_within.insert(*rel, within);
            }
            From::Join { left, right, .. } => {
                self.collect(left, how, places, tables);
                self.collect(right, how, places, tables);
            }
            _ => {}
        }
    }

    /// The addresses of the locked rows as columns to add to the targets of a SELECT.
    pub fn locked_addresses(&mut self, input: &Relation) -> Result<Vec<(Expr, Binding)>> {
        let locked = std::mem::take(&mut self.locked);
        let mut addresses = Vec::with_capacity(locked.len());
        for place in locked {
            let mut is_source = matches!(place, Place::Source(..));
            let address = match place {
                Place::Table(rel, column) | Place::Source(rel, column) => input.get(rel, column)?.expr(),
                Place::Within(rel, column) => match input.find(rel, column) {
                    Some(binding) => {
                        is_source = binding.data_type == DataType::UInt32;
                        binding.expr()
                    }
                    None => return Err(Error::unsupported("FOR UPDATE of a lateral sub-query")),
                },
            };
            let data_type = if is_source { DataType::UInt32 } else { DataType::UInt64 };
            addresses.push((address, self.binding("locked", data_type)));
        }
        Ok(addresses)
    }

    /// The rows of a sub-query that locks them itself, which ran before; None if there is no such sub-query here.
    pub fn locked_rows(&mut self, query: &Query, base: Option<&Relation>) -> Result<Option<Output>> {
        let source = lock_key(query).and_then(|rel| self.context.locked.get(&rel).cloned());
        let Some(source) = source else { return Ok(None) };
        let (plan, columns) = self.scan("locked", source)?;
        Ok(Some(match base {
            Some(base) => Output { plan: cross(base.plan.clone(), plan)?, columns, domain: base.domain.clone() },
            None => Output { plan, columns, domain: Vec::new() },
        }))
    }
}

/// What names a query that locks rows: the first of the relations, which are unique within a statement.
pub fn lock_key(query: &Query) -> Option<RelId> {
    query.locking.iter().find_map(|locking| locking.rels.first().copied())
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
