//! Aggregates and GROUPING.

use super::{Deparser, Node};
use crate::bind::tree::{AggregateCall, Expr, OrderKey, RelId};

impl<'t> Deparser<'t> {
    pub(super) fn aggregate(&mut self, call: &'t AggregateCall) {
        self.function_name(&call.function);
        self.push("(");
        if call.distinct {
            self.push("DISTINCT ");
        }
        match call.args.as_slice() {
            [] => self.push("*"),
            args if call.within_group => {
                self.exprs(&args[..call.direct_args.min(args.len())]);
                self.push(") WITHIN GROUP (");
            }
            args => self.arguments(&call.function, args, false),
        }
        if !call.order_by.is_empty() {
            self.push(if call.within_group { "ORDER BY " } else { " ORDER BY " });
            self.order_keys(&call.order_by);
        }
        self.filter(call.filter.as_ref());
        self.push(")");
    }

    /// Closes the arguments and opens FILTER's, if there is one.
    pub(super) fn filter(&mut self, filter: Option<&'t Expr>) {
        if let Some(filter) = filter {
            self.push(") FILTER (WHERE ");
            self.expr(filter, false);
        }
    }

    pub(super) fn order_keys(&mut self, keys: &'t [OrderKey]) {
        self.separated(keys, |out, key| {
            out.sort_expr(&key.expr);
            out.direction(key.descending, key.nulls_first);
        });
    }

    pub(super) fn grouping(&mut self, rel: RelId, keys: &[usize]) {
        let outputs = self.outputs.get(&rel).cloned().unwrap_or_default();
        let args: Vec<&'t Expr> = keys
            .iter()
            .filter_map(|&key| match outputs.get(key) {
                Some(Node::Expr(expr)) => Some(*expr),
                _ => None,
            })
            .collect();
        self.push("GROUPING(");
        self.exprs(args);
        self.push(")");
    }
}
