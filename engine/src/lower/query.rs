//! Queries: WITH, the body, ORDER BY, OFFSET and LIMIT.

use aegis_catalog::Result;
use aegis_catalog::Type;
use datafusion::logical_expr::expr::Sort as SortExpr;

use super::Lowerer;
use super::key::{collated, key_of_column};
use super::relation::{Binding, Output, Relation};
use super::value::Value;
use crate::bind::tree::{Query, SetExpr, SortKey};
use crate::collation::Operation;

impl Lowerer<'_> {
    /// Lowers a query for each row of `base`, whose columns are the domain (see [`Relation::domain`]); without a base, once.
    pub fn query(&mut self, query: &Query, base: Option<&Relation>) -> Result<Output> {
        self.deeper(|lowerer| {
            lowerer.domains.extend(base.map(|base| base.plan.clone()));
            let output = lowerer.query_here(query, base);
            lowerer.domains.truncate(lowerer.domains.len() - usize::from(base.is_some()));
            output
        })
    }

    fn query_here(&mut self, query: &Query, base: Option<&Relation>) -> Result<Output> {
        let locked = std::mem::take(&mut self.locked);
        if locked.is_empty()
            && let Some(rows) = self.locked_rows(query, base)?
        {
            return Ok(rows);
        }
        for cte in &query.ctes {
            self.define_cte(cte)?;
        }
        self.locked = locked;
        if let Some(output) = self.late_select(query, base)? {
            return Ok(output);
        }
        let (output, types) = self.body(query, base)?;
        self.order_and_limit(query, output, &types)
    }

    /// The body's output (hidden columns included) and its types.
    fn body(&mut self, query: &Query, base: Option<&Relation>) -> Result<(Output, Vec<Type>)> {
        match &query.body {
            SetExpr::Select(select) => {
                let types = select.targets.iter().map(|target| target.ty).collect();
                Ok((self.select(select, query, base)?, types))
            }
            SetExpr::Values(rows) => {
                let types = rows.first().map(|row| row.iter().map(|expr| expr.ty).collect()).unwrap_or_default();
                Ok((self.values(rows, base)?, types))
            }
            SetExpr::Operation { op, all, legs } => {
                let types: Vec<Type> = query.columns.iter().map(|column| column.ty).collect();
                Ok((self.set_operation(*op, *all, legs, &types, base)?, types))
            }
        }
    }

    /// Sort expressions over output columns.
    pub fn sort_keys(&self, keys: &[SortKey], columns: &[Binding], types: &[Type]) -> Result<Vec<SortExpr>> {
        let mut sorts = Vec::with_capacity(keys.len());
        for key in keys {
            let (Some(binding), Some(ty)) = (columns.get(key.position), types.get(key.position)) else {
                return Err(aegis_catalog::Error::internal("ORDER BY points outside of the targets"));
            };
            let expr = match &key.collation {
                Some(collation) => {
                    let value = Value::new(binding.expr(), *ty, binding.data_type.clone());
                    collated(value, Operation::Key, collation, Operation::Key.result())?.expr
                }
                None => key_of_column(binding, *ty)?,
            };
            sorts.push(SortExpr::new(expr, !key.descending, key.nulls_first));
        }
        Ok(sorts)
    }
}

/// Types of a query's output, hidden columns included.
pub(super) fn output_types(query: &Query) -> Vec<Type> {
    match &query.body {
        SetExpr::Select(select) => select.targets.iter().map(|target| target.ty).collect(),
        SetExpr::Values(_) | SetExpr::Operation { .. } => query.columns.iter().map(|column| column.ty).collect(),
    }
}
