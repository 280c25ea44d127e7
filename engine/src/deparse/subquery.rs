//! Sub-queries in expressions.

use super::Deparser;
use super::expr::row_operator;
use crate::bind::tree::{CallForm, Expr, ExprKind, Query, Subquery, SubqueryKind};

/// The left side of a comparison with a sub-query, and its operator.
struct Comparison<'t> {
    left: Vec<&'t Expr>,
    row: bool,
    operator: &'t str,
}

impl<'t> Deparser<'t> {
    pub(super) fn subquery(&mut self, subquery: &'t Subquery) {
        match &subquery.kind {
            SubqueryKind::Exists => self.enclosed("(EXISTS (", &subquery.query, "))"),
            SubqueryKind::Scalar | SubqueryKind::Row => self.enclosed("(", &subquery.query, ")"),
            SubqueryKind::Array => self.enclosed("ARRAY(", &subquery.query, ")"),
            SubqueryKind::Any { condition, .. } => {
                let Some(comparison) = comparison(condition) else { return self.fail("a comparison with a sub-query") };
                let word = match comparison.operator {
                    "=" => "IN".to_owned(),
                    operator => format!("{operator} ANY"),
                };
                self.compared(&comparison, &word, &subquery.query);
            }
            SubqueryKind::All { condition, .. } => {
                let Some(comparison) = comparison(condition) else { return self.fail("a comparison with a sub-query") };
                self.compared(&comparison, &format!("{} ALL", comparison.operator), &subquery.query);
            }
        }
    }

    fn compared(&mut self, comparison: &Comparison<'t>, word: &str, query: &'t Query) {
        self.push("(");
        self.left_side(comparison);
        self.enclosed(&format!(" {word} ("), query, "))");
    }

    fn left_side(&mut self, comparison: &Comparison<'t>) {
        if comparison.row {
            self.push("(");
        }
        self.exprs(comparison.left.iter().copied());
        if comparison.row {
            self.push(")");
        }
    }

    fn enclosed(&mut self, open: &str, query: &'t Query, close: &str) {
        self.push(open);
        self.query(query, None, false);
        self.push(close);
    }

    /// `(a, b) = (SELECT …)`, if that is what the comparisons are; false if not.
    pub(super) fn row_of_subquery(&mut self, parts: &'t [Expr]) -> bool {
        let mut left = Vec::with_capacity(parts.len());
        let mut found: Option<(&'t str, &'t Query)> = None;
        for part in parts {
            let ExprKind::Call { form: CallForm::Operator(operator), args, .. } = &part.kind else { return false };
            let [own, other] = args.as_slice() else { return false };
            let ExprKind::Field { arg, .. } = &uncast(other).kind else { return false };
            let ExprKind::Subquery(subquery) = &arg.kind else { return false };
            if subquery.kind != SubqueryKind::Row {
                return false;
            }
            left.push(own);
            found.get_or_insert((operator, &subquery.query));
        }
        let Some((operator, query)) = found else { return false };
        let comparison = Comparison { left, row: true, operator };
        self.push("(");
        self.left_side(&comparison);
        self.enclosed(&format!(" {operator} ("), query, "))");
        true
    }
}

/// The expression without casts that nobody wrote.
pub(super) fn uncast(expr: &Expr) -> &Expr {
    match &expr.kind {
        ExprKind::Cast { arg, implicit: true, .. } => uncast(arg),
        _ => expr,
    }
}

fn comparison(condition: &Expr) -> Option<Comparison<'_>> {
    match &uncast(condition).kind {
        ExprKind::Call { form: CallForm::Operator(operator), args, .. } => {
            Some(Comparison { left: vec![args.first()?], row: false, operator })
        }
        ExprKind::And(parts) | ExprKind::Or(parts) => {
            let mut left = Vec::with_capacity(parts.len());
            let mut name = None;
            for part in parts {
                let ExprKind::Call { form: CallForm::Operator(operator), args, .. } = &uncast(part).kind else {
                    return None;
                };
                left.push(args.first()?);
                name.get_or_insert(operator.as_str());
            }
            Some(Comparison { left, row: true, operator: name? })
        }
        ExprKind::RowCompare { op, left, .. } => {
            Some(Comparison { left: left.iter().collect(), row: true, operator: row_operator(*op) })
        }
        _ => None,
    }
}
