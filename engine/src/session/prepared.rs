//! Prepared statements: parsed once, bound once per catalog version.

use std::sync::Arc;

use aegis_catalog::{Error, Oid, Result, sqlstate};
use parking_lot::Mutex;

use super::context::StatementContext;
use super::protocol::OutputColumn;
use crate::bind::tree::BoundStatement;
use crate::parse::ast::{ParsedStatement, Statement};

/// A statement ready to run with parameters.
pub struct Prepared {
    pub name: String,
    /// The query string the statement's spans point into.
    pub sql: Arc<str>,
    /// None for an empty query string.
    pub statement: Option<Arc<ParsedStatement>>,
    pub parameters: Vec<Oid>,
    /// Made by SQL PREPARE rather than by the protocol.
    pub from_sql: bool,
    /// µs since 1970-01-01 UTC.
    pub prepared_at: i64,
    declared: Vec<Oid>,
    columns: Option<Vec<OutputColumn>>,
    bound: Mutex<Option<CachedTree>>,
}

/// A bound tree and the circumstances it holds under.
struct CachedTree {
    tree: Arc<BoundStatement>,
    catalog_version: u64,
    search_path: aegis_catalog::SearchPath,
}

impl CachedTree {
    fn new(tree: Arc<BoundStatement>, context: &StatementContext) -> Self {
        let (catalog_version, search_path) = (context.catalog.version(), context.search_path.clone());
        Self { tree, catalog_version, search_path }
    }

    fn holds(&self, context: &StatementContext) -> bool {
        self.catalog_version == context.catalog.version() && self.search_path == context.search_path
    }
}

impl Prepared {
    /// Binds the statement. `declared` has 0 for parameters whose type is to be inferred.
    pub fn new(
        name: &str,
        sql: &Arc<str>,
        statement: Option<Arc<ParsedStatement>>,
        declared: &[Oid],
        context: &StatementContext,
    ) -> Result<Self> {
        let mut prepared = Self {
            name: name.to_owned(),
            sql: Arc::clone(sql),
            statement,
            parameters: declared.to_vec(),
            from_sql: false,
            prepared_at: super::clock::now(),
            declared: declared.to_vec(),
            columns: None,
            bound: Mutex::new(None),
        };
        if let Some(statement) = &prepared.statement {
            match &statement.statement {
                Statement::Utility(utility) => {
                    prepared.columns = crate::statement::output_columns(utility);
                }
                planned => {
                    let tree = Arc::new(crate::bind::bind(planned, sql, declared, context)?);
                    prepared.parameters.clone_from(&tree.parameters);
                    prepared.columns.clone_from(&tree.columns);
                    prepared.bound = Mutex::new(Some(CachedTree::new(tree, context)));
                }
            }
        }
        Ok(prepared)
    }

    /// Result columns as Describe told them; None for statements without rows.
    pub fn columns(&self) -> Option<&Vec<OutputColumn>> {
        self.columns.as_ref()
    }

    /// The bound tree under the present catalog. 0A000 if the result would have other columns than Describe told.
    pub fn tree(&self, context: &StatementContext) -> Result<Arc<BoundStatement>> {
        let mut bound = self.bound.lock();
        if let Some(cached) = bound.as_ref().filter(|cached| cached.holds(context)) {
            return Ok(Arc::clone(&cached.tree));
        }
        let Some(statement) = &self.statement else {
            return Err(Error::internal("an empty statement has no plan"));
        };
        let tree = Arc::new(crate::bind::bind(&statement.statement, &self.sql, &self.declared, context)?);
        let types = |columns: &Option<Vec<OutputColumn>>| {
            columns.as_ref().map(|all| all.iter().map(|c| (c.name.clone(), c.ty)).collect::<Vec<_>>())
        };
        if types(&tree.columns) != types(&self.columns) {
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "cached plan must not change result type"));
        }
        *bound = Some(CachedTree::new(Arc::clone(&tree), context));
        Ok(tree)
    }
}
