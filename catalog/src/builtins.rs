//! The functions that the engine implements, as it hands them over when it opens the catalog.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::facts::{self, FunctionRow};
use crate::types::oid::Oid;

/// The functions that exist: `pg_proc` shows exactly these, `pg_operator`, `pg_cast` and `pg_aggregate` those of
/// PostgreSQL's rows that rest on them.
#[derive(Debug, Default)]
pub struct Builtins {
    /// By name, then OID.
    functions: Vec<Arc<FunctionRow>>,
    by_oid: HashMap<Oid, usize>,
}

impl Builtins {
    pub fn new(functions: Vec<FunctionRow>) -> Self {
        let mut seen = HashSet::new();
        let mut functions: Vec<_> = functions.into_iter().filter(|row| seen.insert(row.oid)).map(Arc::new).collect();
        functions.sort_by(|a, b| (&a.name, a.oid).cmp(&(&b.name, b.oid)));
        let by_oid = functions.iter().enumerate().map(|(position, row)| (row.oid, position)).collect();
        Self { functions, by_oid }
    }

    /// PostgreSQL's own functions by OID, and functions that only Aegis has.
    pub fn from_oids(implemented: impl IntoIterator<Item = Oid>, own: Vec<FunctionRow>) -> Self {
        let rows = implemented.into_iter().filter_map(facts::proc).cloned().chain(own).collect();
        Self::new(rows)
    }

    /// By name, then OID.
    pub fn functions(&self) -> &[Arc<FunctionRow>] {
        &self.functions
    }

    /// Functions of that name, by OID.
    pub fn named(&self, name: &str) -> &[Arc<FunctionRow>] {
        let start = self.functions.partition_point(|row| *row.name < *name);
        let end = self.functions.partition_point(|row| *row.name <= *name);
        self.functions.get(start..end).unwrap_or_default()
    }

    pub fn get(&self, oid: Oid) -> Option<&Arc<FunctionRow>> {
        self.by_oid.get(&oid).and_then(|&position| self.functions.get(position))
    }

    pub fn contains(&self, oid: Oid) -> bool {
        self.by_oid.contains_key(&oid)
    }
}
