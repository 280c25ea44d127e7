//! A plan together with what its columns mean in the bound tree.

use std::collections::HashMap;

use aegis_catalog::{Error, Result};
use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan};

use crate::bind::tree::RelId;

/// A column of a plan.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Binding {
    pub column: Column,
    pub data_type: DataType,
}

impl Binding {
    pub fn named(name: impl Into<String>, data_type: DataType) -> Self {
        Self { column: Column::new_unqualified(name), data_type }
    }

    pub fn expr(&self) -> Expr {
        Expr::Column(self.column.clone())
    }
}

/// A column of an outer query that an inner plan carries along, so that its rows say for which outer values they hold.
#[derive(Debug, Clone)]
pub(crate) struct DomainColumn {
    pub rel: RelId,
    pub position: usize,
    pub binding: Binding,
}

/// A plan and its columns by (relation of the bound tree, position).
#[derive(Debug, Clone)]
pub(crate) struct Relation {
    pub plan: LogicalPlan,
    pub rels: HashMap<RelId, Vec<Binding>>,
    /// The distinct outer values ("domain") that a correlated sub-query is computed for, all at once
    /// (Neumann and Kemper, "Unnesting Arbitrary Queries", 2015). Empty outside correlated sub-queries.
    pub domain: Vec<DomainColumn>,
}

impl Relation {
    pub fn new(plan: LogicalPlan) -> Self {
        Self { plan, rels: HashMap::new(), domain: Vec::new() }
    }

    pub fn find(&self, rel: RelId, position: usize) -> Option<&Binding> {
        let own = self.rels.get(&rel).and_then(|columns| columns.get(position));
        own.or_else(|| {
            let carried = self.domain.iter().find(|column| column.rel == rel && column.position == position);
            carried.map(|column| &column.binding)
        })
    }

    pub fn get(&self, rel: RelId, position: usize) -> Result<&Binding> {
        self.find(rel, position).ok_or_else(|| Error::internal(format!("column {position} of {rel:?} is not in scope")))
    }

    pub fn domain_bindings(&self) -> impl Iterator<Item = &Binding> {
        self.domain.iter().map(|column| &column.binding)
    }
}

/// A lowered query: its output columns in order (hidden ones included) and the domain it was computed for.
#[derive(Debug, Clone)]
pub(crate) struct Output {
    pub plan: LogicalPlan,
    pub columns: Vec<Binding>,
    pub domain: Vec<DomainColumn>,
}

impl Output {
    /// The output as columns of a relation.
    pub fn into_relation(self, rel: RelId) -> Relation {
        Relation { plan: self.plan, rels: HashMap::from([(rel, self.columns)]), domain: self.domain }
    }
}
