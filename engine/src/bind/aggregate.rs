//! Aggregate calls (PostgreSQL's parse_agg.c): to which query they belong, what they may contain.

use aegis_catalog::facts;
use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, sqlstate};

use super::Binder;
use super::function::{Resolved, shown_name};
use super::scope::{AGGREGATES, Clause};
use super::tree::{AggregateCall, CastMethod, Expr, ExprKind, OrderKey};
use super::walk;
use crate::functions::{Body, Function};
use crate::parse::ast::{self, Span};

impl Binder<'_> {
    pub(super) fn aggregate_call(&mut self, call: &ast::Call, resolved: Resolved, span: Span) -> Result<Expr> {
        let name = shown_name(&call.name);
        if kind_of(&resolved.function).is_some_and(|kind| kind != 'n') {
            let message = format!("WITHIN GROUP is required for ordered-set aggregate {name}");
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start));
        }
        if call.args.is_empty() && !call.star {
            let message = format!("{name}(*) must be used to call a parameterless aggregate function");
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start));
        }
        let order_by = self.order_keys(&call.order_by)?;
        if call.distinct {
            self.check_distinct_arguments(&resolved.args, &order_by, &name)?;
        }
        let args = self.collected(&resolved.function, resolved.args, resolved.variadic);
        let aggregate = AggregateCall {
            function: resolved.function,
            args,
            direct_args: 0,
            distinct: call.distinct,
            order_by,
            within_group: false,
            filter: self.filter_clause(call)?,
            ty: resolved.ty,
        };
        self.add_aggregate(aggregate, span)
    }

    /// The arguments of a user's aggregate: those of a variadic parameter as one array.
    pub(super) fn collected(&self, function: &Function, args: Vec<Expr>, variadic: bool) -> Vec<Expr> {
        match function.body {
            Body::UserAggregate(_) => super::inline::parameters_of(function, args, variadic, &self.catalog),
            _ => args,
        }
    }

    /// `f(direct) WITHIN GROUP (ORDER BY …)`.
    pub(super) fn ordered_set_call(&mut self, call: &ast::Call, direct: Vec<Expr>, span: Span) -> Result<Expr> {
        let name = shown_name(&call.name);
        let refuse = |message: String| Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message).at(span.start));
        if call.over.is_some() {
            let message = format!("OVER is not supported for ordered-set aggregate {name}");
            return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).at(span.start));
        }
        let direct_args = direct.len();
        let mut keys = Vec::new();
        for key in call.within_group.iter().flatten() {
            let expr = self.expr(&key.expr)?;
            keys.push((expr, direction(key)?));
        }
        let mut args = direct;
        args.extend(keys.iter().map(|(expr, _)| expr.clone()));
        let written = args.clone();
        let resolved = self.choose_ordered_set(call, args, span)?;
        let kind = kind_of(&resolved.function);
        let mut args = resolved.args;
        match kind {
            Some('o') => {}
            Some('h') => {
                if direct_args != keys.len() {
                    let message = format!("function {name} does not exist");
                    let hint = format!(
                        "To use the hypothetical-set aggregate {name}, the number of hypothetical direct arguments (here {direct_args}) must match the number of ordering columns (here {}).",
                        keys.len()
                    );
                    return Err(Error::new(sqlstate::UNDEFINED_FUNCTION, message).with_hint(hint).at(span.start));
                }
                for position in 0..direct_args {
                    // A literal takes the type of what it is compared with.
                    let arg = |at: usize| match written[at].ty.oid {
                        oid::UNKNOWN => written[at].clone(),
                        _ => args[at].clone(),
                    };
                    let pair = vec![arg(direct_args + position), arg(position)];
                    let (pair, _) = self.unify(pair, "WITHIN GROUP")?;
                    for (slot, expr) in [direct_args + position, position].into_iter().zip(pair) {
                        args[slot] = expr;
                    }
                }
            }
            Some(_) => {
                return refuse(format!("{name} is not an ordered-set aggregate, so it cannot have WITHIN GROUP"));
            }
            None => return refuse(format!("WITHIN GROUP specified, but {name} is not an aggregate function")),
        }
        let mut order_by = Vec::with_capacity(keys.len());
        for (arg, (_, (descending, nulls_first))) in args.iter().skip(direct_args).zip(keys) {
            self.ordering(arg.ty.oid, arg.span)?;
            order_by.push(OrderKey { expr: arg.clone(), descending, nulls_first });
        }
        let aggregate = AggregateCall {
            function: resolved.function,
            args,
            direct_args,
            distinct: false,
            order_by,
            within_group: true,
            filter: self.filter_clause(call)?,
            ty: resolved.ty,
        };
        self.add_aggregate(aggregate, span)
    }

    /// `FILTER (WHERE …)`.
    pub(super) fn filter_clause(&mut self, call: &ast::Call) -> Result<Option<Expr>> {
        let Some(filter) = &call.filter else { return Ok(None) };
        self.in_clause(Clause::Filter, |binder| {
            let filter = binder.expr(filter)?;
            binder.coerce_to_boolean(filter, "FILTER").map(Some)
        })
    }

    /// Sort keys that are plain expressions, as in aggregates and windows (no ordinals, no output names).
    pub(super) fn order_keys(&mut self, keys: &[ast::OrderBy]) -> Result<Vec<OrderKey>> {
        keys.iter()
            .map(|key| {
                let (descending, nulls_first) = direction(key)?;
                let expr = self.expr(&key.expr)?;
                let expr = self.resolve_unknown(expr)?;
                self.ordering(expr.ty.oid, expr.span)?;
                Ok(OrderKey { expr, descending, nulls_first })
            })
            .collect()
    }

    fn check_distinct_arguments(&self, args: &[Expr], order_by: &[OrderKey], name: &str) -> Result<()> {
        for arg in args {
            if arg.ty.oid != oid::UNKNOWN {
                self.equality(arg.ty.oid, arg.span)?;
            }
        }
        let listed = |key: &Expr| args.iter().any(|arg| arg == key || without_relabel(arg) == key);
        match order_by.iter().find(|key| !listed(&key.expr)) {
            Some(key) => {
                let message = "in an aggregate with DISTINCT, ORDER BY expressions must appear in argument list";
                Err(Error::new(sqlstate::INVALID_COLUMN_REFERENCE, message).at(key.expr.span.start))
            }
            None if args.is_empty() => {
                let message = format!("DISTINCT specified, but {name} has no arguments");
                Err(Error::new(sqlstate::SYNTAX_ERROR, message))
            }
            None => Ok(()),
        }
    }

    /// Adds the call to the query it belongs to: the innermost one whose columns its arguments mention, or else the current one.
    fn add_aggregate(&mut self, mut call: AggregateCall, span: Span) -> Result<Expr> {
        let current = self.levels.len();
        let mut deepest = 0;
        walk::aggregate(&mut call, &mut |expr| {
            walk::columns(expr, &mut |rel, _| {
                let depth = self.depth_of(rel);
                if depth <= current {
                    deepest = deepest.max(depth);
                }
            });
        });
        let depth = if deepest == 0 { current } else { deepest };
        let index = depth.saturating_sub(1);
        let Some(level) = self.levels.get(index) else {
            return Err(Error::internal("an aggregate outside any query"));
        };
        if !level.clause.allows_aggregates() {
            let message = format!("aggregate functions are not allowed in {}", level.clause.place());
            return Err(Error::new(sqlstate::GROUPING_ERROR, message).at(span.start));
        }
        let (grouping, windows, sets) = (level.grouping_rel, level.windows_rel, level.sets_rel);
        let refused = [
            (grouping, sqlstate::GROUPING_ERROR, "aggregate function calls cannot be nested"),
            (windows, sqlstate::GROUPING_ERROR, "aggregate function calls cannot contain window function calls"),
            (
                sets,
                sqlstate::FEATURE_NOT_SUPPORTED,
                "aggregate function calls cannot contain set-returning function calls",
            ),
        ];
        for (rel, code, message) in refused {
            let mut place = None;
            walk::aggregate(&mut call, &mut |expr| place = place.or_else(|| walk::place_of(expr, rel)));
            if let Some(place) = place {
                return Err(Error::new(code, message).at(place.start));
            }
        }
        let ty = call.ty;
        let level = &mut self.levels[index];
        let position = match level.aggregates.iter().position(|other| *other == call) {
            Some(position) => position,
            None => {
                level.aggregates.push(call);
                level.aggregates.len() - 1
            }
        };
        Ok(Expr { kind: ExprKind::Column { rel: grouping, column: AGGREGATES + position }, ty, span })
    }
}

/// n normal, o ordered-set, h hypothetical-set; None for what is no aggregate.
pub(super) fn kind_of(function: &Function) -> Option<char> {
    match &function.body {
        Body::UserAggregate(routine) => routine.aggregate.as_ref().map(|row| row.kind),
        _ => facts::aggregate(function.oid).map(|row| row.kind),
    }
}

/// An argument as it is written, if it only counts as another type.
fn without_relabel(arg: &Expr) -> &Expr {
    match &arg.kind {
        ExprKind::Cast { arg, method: CastMethod::Relabel, implicit: true } => arg,
        _ => arg,
    }
}

/// (descending, nulls first) of a sort key.
pub(super) fn direction(key: &ast::OrderBy) -> Result<(bool, bool)> {
    let descending = match key.using.as_ref().map(|op| (op.name.as_str(), op.span)) {
        None => key.descending,
        Some(("<" | "~<~", _)) => false,
        Some((">" | "~>~", _)) => true,
        Some((name, span)) => {
            let message = format!("operator {name} is not a valid ordering operator");
            return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
                .with_hint("Ordering operators must be \"<\" or \">\" members of btree operator families.")
                .at(span.start));
        }
    };
    Ok((descending, key.nulls_first.unwrap_or(descending)))
}
