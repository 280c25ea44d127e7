//! Which partition a row belongs to: all levels of a partitioned table, searched for a batch of rows at once.

use std::sync::Arc;

use aegis_catalog::object::{PartitionKey, Relation, Strategy};
use aegis_catalog::{Error, Oid, Result, Type};
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;

use super::bound::{Bounds, Key};
use super::{MAX_LEVELS, hash, key, partitions};
use crate::execute::error::from_arrow;
use crate::session::context::StatementContext;

/// The partitions below a partitioned table.
#[derive(Debug)]
pub struct Router {
    levels: Vec<Level>,
}

/// One partitioned table.
#[derive(Debug)]
pub struct Level {
    pub table: Arc<Relation>,
    strategy: Strategy,
    types: Vec<Type>,
    /// Its first key among those of all levels.
    first: usize,
    bounds: Bounds,
    targets: Vec<Target>,
}

#[derive(Debug, Clone, Copy)]
enum Target {
    Leaf(Oid),
    Level(usize),
}

/// Where the search for a row's partition ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    Leaf(Oid),
    /// The level that has no partition for it.
    Nothing(usize),
}

impl Router {
    pub fn new(root: &Arc<Relation>, context: &StatementContext) -> Result<Self> {
        let mut levels: Vec<Level> = Vec::new();
        let mut waiting = vec![root.clone()];
        let mut keys = 0;
        while let Some(table) = waiting.pop() {
            let partitioning = table.partitioning().ok_or_else(|| Error::internal("a level without partitions"))?;
            let (children, bounds) = partitions(&table, &context.catalog, &context.format)?;
            let types: Vec<Type> = partitioning.keys.iter().map(|key| key.ty).collect();
            let (strategy, first) = (partitioning.strategy, keys);
            keys += types.len();
            // Levels are found in the order in which they are pushed here.
            let mut targets = Vec::with_capacity(children.len());
            let mut below = Vec::new();
            for child in children {
                match child.partitioning() {
                    Some(_) => {
                        below.push((targets.len(), child.clone()));
                        targets.push(Target::Leaf(0));
                    }
                    None => targets.push(Target::Leaf(child.oid)),
                }
            }
            levels.push(Level { table, strategy, types, first, bounds, targets });
            waiting.extend(below.into_iter().rev().map(|(_, child)| child));
        }
        let mut router = Self { levels };
        router.link(context)?;
        Ok(router)
    }

    /// Lets levels know where those below them are.
    fn link(&mut self, context: &StatementContext) -> Result<()> {
        let places: Vec<(Oid, usize)> =
            self.levels.iter().enumerate().map(|(place, level)| (level.table.oid, place)).collect();
        for level in &mut self.levels {
            for (target, child) in level.targets.iter_mut().zip(context.catalog.children_of(level.table.oid)) {
                if let Some((_, place)) = places.iter().find(|(oid, _)| *oid == child.oid) {
                    *target = Target::Level(*place);
                }
            }
        }
        Ok(())
    }

    /// The keys of all levels, each with its table: what [`Router::route`] wants the values of.
    pub fn keys(&self) -> impl Iterator<Item = (&Arc<Relation>, &PartitionKey)> {
        self.levels.iter().flat_map(|level| {
            let keys = level.table.partitioning().into_iter().flat_map(|partitioning| &partitioning.keys);
            keys.map(|key| (&level.table, key))
        })
    }

    pub fn level(&self, place: usize) -> Option<&Level> {
        self.levels.get(place)
    }

    /// The partitions of rows; null for rows that have none. `keys` are in computed representation.
    pub fn route(&self, keys: &[ArrayRef], rows: usize) -> Result<UInt32Array> {
        let found = self.search(keys, rows)?;
        let leaf = |found: &Found| match found {
            Found::Leaf(oid) => (*oid, true),
            Found::Nothing(_) => (0, false),
        };
        let (leaves, valid): (Vec<u32>, Vec<bool>) = found.iter().map(leaf).unzip();
        Ok(UInt32Array::new(leaves.into(), Some(NullBuffer::from(valid))))
    }

    pub fn search(&self, keys: &[ArrayRef], rows: usize) -> Result<Vec<Found>> {
        let mut found = vec![Found::Nothing(0); rows];
        self.descend(0, None, keys, &mut found, 0)?;
        Ok(found)
    }

    /// Finds the partitions at one level of the chosen rows (None: of all).
    fn descend(
        &self,
        place: usize,
        chosen: Option<&UInt32Array>,
        keys: &[ArrayRef],
        found: &mut [Found],
        depth: usize,
    ) -> Result<()> {
        let level = self.levels.get(place).filter(|_| depth <= MAX_LEVELS);
        let level = level.ok_or_else(|| Error::internal("partitions nest too deep"))?;
        let own = keys.get(level.first..level.first + level.types.len());
        let own = own.ok_or_else(|| Error::internal("a partition key without value"))?;
        let own: Vec<ArrayRef> = match chosen {
            Some(chosen) => {
                own.iter().map(|column| take(column, chosen, None).map_err(from_arrow)).collect::<Result<_>>()?
            }
            None => own.to_vec(),
        };
        let rows = chosen.map_or(found.len(), |chosen| chosen.len());
        let mut below: Vec<Vec<u32>> = vec![Vec::new(); self.levels.len()];
        let located = level.locate(&own, rows)?;
        for (at, target) in located.into_iter().enumerate() {
            let row = chosen.map_or(at, |chosen| chosen.value(at) as usize);
            let Some(slot) = found.get_mut(row) else { continue };
            *slot = match target.and_then(|target| level.targets.get(target)) {
                Some(Target::Leaf(oid)) => Found::Leaf(*oid),
                Some(Target::Level(next)) => {
                    if let Some(rows) = below.get_mut(*next) {
                        rows.push(u32::try_from(row).unwrap_or(u32::MAX));
                    }
                    Found::Nothing(*next)
                }
                None => Found::Nothing(place),
            };
        }
        for (next, rows) in below.into_iter().enumerate().filter(|(_, rows)| !rows.is_empty()) {
            self.descend(next, Some(&UInt32Array::from(rows)), keys, found, depth + 1)?;
        }
        Ok(())
    }
}

impl Level {
    fn locate(&self, columns: &[ArrayRef], rows: usize) -> Result<Vec<Option<usize>>> {
        if self.strategy == Strategy::Hash {
            let hashes = hash::row_hashes(&self.types, columns, rows)?;
            return Ok(hashes.into_iter().map(|hash| self.bounds.locate(Key::Hash(hash))).collect());
        }
        let encoded = key::encode(&self.types, columns)?;
        let nulls: Vec<_> = columns.iter().filter_map(|column| column.logical_nulls()).collect();
        let locate = |row: usize| match nulls.iter().any(|nulls| nulls.is_null(row)) {
            true => self.bounds.locate(Key::Null),
            false => self.bounds.locate(Key::Bytes(encoded.row(row).data())),
        };
        Ok((0..rows).map(locate).collect())
    }
}
