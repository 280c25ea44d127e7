//! Queries of little: as the binder and rewrites of bound trees make them, and as they are recognized.

use super::tree::{Distinct, Expr, From, OutputColumn, Query, Select, SetExpr};

impl Query {
    /// Of nothing but a body.
    pub fn bare(body: SetExpr, columns: Vec<OutputColumn>) -> Self {
        Self {
            ctes: Vec::new(),
            body,
            order_by: Vec::new(),
            limit: None,
            with_ties: false,
            offset: None,
            columns,
            locking: Vec::new(),
        }
    }

    /// `SELECT targets FROM from`.
    pub fn select(from: From, targets: Vec<Expr>, columns: Vec<OutputColumn>) -> Self {
        Self::bare(SetExpr::Select(Box::new(Select::new(Some(from), targets))), columns)
    }

    /// `SELECT targets`, one row.
    pub fn one_row(targets: Vec<Expr>, columns: Vec<OutputColumn>) -> Self {
        Self::bare(SetExpr::Select(Box::new(Select::new(None, targets))), columns)
    }

    /// Without rows or columns: in the place of a query that is taken away.
    pub fn empty() -> Self {
        Self::bare(SetExpr::Values(Vec::new()), Vec::new())
    }

    /// Its SELECT, if it does nothing but filter and project what it reads.
    pub fn plain_select(&self) -> Option<&Select> {
        let SetExpr::Select(select) = &self.body else { return None };
        let plain = self.ctes.is_empty()
            && self.order_by.is_empty()
            && self.limit.is_none()
            && self.offset.is_none()
            && self.locking.is_empty()
            && self.columns.len() == select.targets.len()
            && select.is_row_by_row()
            && select.distinct == Distinct::None;
        plain.then_some(select)
    }
}

impl Select {
    /// `SELECT targets FROM from`.
    pub fn new(from: Option<From>, targets: Vec<Expr>) -> Self {
        Self {
            from,
            filter: None,
            grouping: None,
            having: None,
            windows: None,
            set_functions: None,
            targets,
            distinct: Distinct::None,
        }
    }

    /// Without groups, windows and sets: each row that WHERE keeps becomes one row.
    pub fn is_row_by_row(&self) -> bool {
        self.grouping.is_none() && self.having.is_none() && self.windows.is_none() && self.set_functions.is_none()
    }
}
