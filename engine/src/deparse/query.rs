//! Queries: WITH, set operations, SELECT and what follows.

use datafusion::scalar::ScalarValue;

use super::constant::Label;
use super::{Deparser, INDENT_INNER, INDENT_STEP, Node};
use crate::bind::tree::{
    Cte, CteBody, Distinct, Expr, ExprKind, From, Grouping, GroupingElement, Locking, Query, Select, SetExpr, SortKey,
};
use crate::parse::ast::{LockStrength, LockWait, SetOperator};

impl<'t> Deparser<'t> {
    /// A query with a level of names of its own. `columns` are names that its output has for others; `visible` says whether they count.
    pub(super) fn query(&mut self, query: &'t Query, columns: Option<&[String]>, visible: bool) {
        let outer = (self.indent, self.qualified, self.columns_visible, self.named.len());
        self.taken.push(Default::default());
        (self.qualified, self.columns_visible) = (true, visible);
        self.name_ctes(&query.ctes);
        if let SetExpr::Select(select) = &query.body {
            self.prepare(select);
        }
        self.with_clause(&query.ctes);
        let body = match &query.body {
            SetExpr::Select(select) => {
                self.select(select, query, columns);
                Some(&**select)
            }
            SetExpr::Values(rows) => {
                self.values_query(rows, query, columns);
                None
            }
            SetExpr::Operation { .. } => {
                self.operation(query, columns);
                None
            }
        };
        self.tail(query, body);
        self.taken.pop();
        self.named.truncate(outer.3);
        (self.indent, self.qualified, self.columns_visible) = (outer.0, outer.1, outer.2);
    }

    fn name_ctes(&mut self, ctes: &[Cte]) {
        self.ctes.extend(ctes.iter().map(|cte| (cte.id, cte.name.clone())));
    }

    fn with_clause(&mut self, ctes: &'t [Cte]) {
        if ctes.is_empty() {
            return;
        }
        if self.target.layout.indent {
            self.indent += INDENT_STEP;
            self.push(" ");
        }
        let recursive = ctes.iter().any(|cte| matches!(cte.body, CteBody::Recursive { .. }));
        self.push(if recursive { "WITH RECURSIVE " } else { "WITH " });
        self.separated(ctes, |out, cte| out.cte(cte));
        if self.target.layout.indent {
            self.indent -= INDENT_STEP;
        } else {
            self.push(" ");
        }
        self.keyword("", 0, 0, 0);
    }

    fn cte(&mut self, cte: &'t Cte) {
        self.quoted(&cte.name);
        if cte.renamed {
            self.push("(");
            self.separated(&cte.columns, |out, column| out.quoted(&column.name));
            self.push(")");
        }
        self.push(match cte.materialized {
            None => " AS (",
            Some(true) => " AS MATERIALIZED (",
            Some(false) => " AS NOT MATERIALIZED (",
        });
        self.keyword("", 0, 0, 0);
        match &cte.body {
            CteBody::Query(query) => self.query(query, None, true),
            CteBody::Recursive { seed, step, all } => {
                let outer = (self.indent, self.qualified, self.columns_visible);
                self.taken.push(Default::default());
                self.name_ctes(&seed.ctes);
                self.with_clause(&seed.ctes);
                self.legs(SetOperator::Union, *all, &[(seed, true), (step, false)], None);
                self.taken.pop();
                (self.indent, self.qualified, self.columns_visible) = outer;
            }
            CteBody::Change(_) | CteBody::Given => self.fail("a data-modifying WITH query"),
        }
        self.keyword("", 0, 0, 0);
        self.push(")");
    }

    /// A set operation, or the side of one.
    fn operation(&mut self, query: &'t Query, columns: Option<&[String]>) {
        if let SetExpr::Operation { op, all, legs } = &query.body {
            let sides: Vec<_> = legs.iter().map(|leg| (leg, false)).collect();
            self.legs(*op, *all, &sides, columns);
        }
    }

    /// The sides; the flag says that the side's WITH is already written.
    fn legs(&mut self, op: SetOperator, all: bool, sides: &[(&'t Query, bool)], columns: Option<&[String]>) {
        let Some(((left, left_done), rest)) = sides.split_first() else { return };
        let left = own(left);
        let enclosed = nested(left).is_some_and(|inner| inner != (op, all));
        if enclosed {
            self.push("(");
            if self.target.layout.indent {
                self.indent += INDENT_STEP;
                self.new_line(0);
            }
        }
        self.leg(left, *left_done, columns);
        if enclosed {
            self.keyword(") ", INDENT_STEP, 0, 0);
        }
        for (position, (right, _)) in rest.iter().enumerate() {
            self.next_leg((op, all), own(right), enclosed && position == 0, columns);
        }
    }

    /// The operator and the side behind it; the flag says that a bracket has just been closed.
    fn next_leg(&mut self, (op, all): (SetOperator, bool), right: &'t Query, closed: bool, columns: Option<&[String]>) {
        if closed {
            // The bracket has brought its own blank.
        } else if self.target.layout.indent {
            self.keyword("", 0, 0, 0);
        } else {
            self.push(" ");
        }
        self.push(match op {
            SetOperator::Union => "UNION ",
            SetOperator::Intersect => "INTERSECT ",
            SetOperator::Except => "EXCEPT ",
        });
        if all {
            self.push("ALL ");
        }
        let enclosed = nested(right).is_some();
        let step = if enclosed { INDENT_STEP } else { 0 };
        if enclosed {
            self.push("(");
        }
        if self.target.layout.indent {
            self.indent += step;
            self.new_line(0);
        }
        let visible = std::mem::replace(&mut self.columns_visible, false);
        self.leg(right, false, columns);
        self.columns_visible = visible;
        if self.target.layout.indent {
            self.indent -= step;
        }
        if enclosed {
            self.keyword(")", 0, 0, 0);
        }
    }

    fn leg(&mut self, query: &'t Query, with_done: bool, columns: Option<&[String]>) {
        if nested(query).is_some() {
            return self.operation(query, columns);
        }
        let has_tail =
            !query.order_by.is_empty() || query.limit.is_some() || query.offset.is_some() || !query.locking.is_empty();
        let enclosed =
            (!query.ctes.is_empty() && !with_done) || has_tail || matches!(query.body, SetExpr::Operation { .. });
        if enclosed {
            self.push("(");
        }
        let visible = self.columns_visible;
        match (&query.body, with_done) {
            (SetExpr::Select(select), true) => {
                let outer = (self.indent, self.qualified, self.named.len());
                self.taken.push(Default::default());
                self.qualified = true;
                self.prepare(select);
                self.select(select, query, columns);
                self.taken.pop();
                self.named.truncate(outer.2);
                (self.indent, self.qualified) = (outer.0, outer.1);
            }
            _ => self.query(query, columns, visible),
        }
        if enclosed {
            self.push(")");
        }
    }

    /// Notes what the columns above grouping, windows and set-returning functions stand for, and names the FROM items.
    fn prepare(&mut self, select: &'t Select) {
        if let Some(from) = &select.from {
            self.name_items(from);
        }
        if let Some(grouping) = &select.grouping {
            let keys = grouping.keys.iter().map(Node::Expr);
            let outputs = keys.chain(grouping.aggregates.iter().map(Node::Aggregate)).collect();
            self.outputs.insert(grouping.rel, outputs);
        }
        if let Some(windows) = &select.windows {
            self.outputs.insert(windows.rel, windows.calls.iter().map(Node::Window).collect());
        }
        if let Some(sets) = &select.set_functions {
            self.outputs.insert(sets.rel, sets.calls.iter().map(|(_, call)| Node::Set(call)).collect());
        }
    }

    fn select(&mut self, select: &'t Select, query: &'t Query, columns: Option<&[String]>) {
        if self.target.layout.indent {
            self.indent += INDENT_STEP;
            self.push(" ");
        }
        if let Some(rows) = sorted_values(select) {
            return self.values(rows);
        }
        self.push("SELECT");
        match &select.distinct {
            Distinct::None => {}
            Distinct::All => self.push(" DISTINCT"),
            Distinct::On(positions) => {
                self.push(" DISTINCT ON (");
                let keys = positions.iter().filter_map(|&position| select.targets.get(position));
                self.separated(keys, |out, key| out.sort_expr(key));
                self.push(")");
            }
        }
        self.targets(select, query, columns);
        if let Some(from) = &select.from {
            self.from_clause(from);
        }
        if let Some(filter) = &select.filter {
            self.keyword(" WHERE ", INDENT_STEP, INDENT_STEP, 1);
            self.expr(filter, false);
        }
        if let Some(grouping) = &select.grouping {
            self.group_by(grouping);
        }
        if let Some(having) = &select.having {
            self.keyword(" HAVING ", INDENT_STEP, INDENT_STEP, 0);
            self.expr(having, false);
        }
        if let Some(windows) = &select.windows {
            self.window_clause(windows);
        }
    }

    fn targets(&mut self, select: &'t Select, query: &'t Query, columns: Option<&[String]>) {
        let mut multiline = false;
        let targets = select.targets.iter().take(query.columns.len());
        for (position, (target, column)) in targets.zip(&query.columns).enumerate() {
            self.push(if position == 0 { " " } else { ", " });
            let name = columns.and_then(|columns| columns.get(position)).unwrap_or(&column.name);
            let text = self.aside(|out| out.target_entry(target, name));
            if self.target.layout.indent {
                if text.starts_with('\n') {
                    self.out.truncate(self.out.trim_end_matches(' ').len());
                } else {
                    let line = self.out.len() - self.out.rfind('\n').map_or(0, |end| end + 1);
                    if position > 0 && (line + text.len() > self.target.layout.width || multiline) {
                        self.keyword("", INDENT_STEP, INDENT_STEP, INDENT_INNER);
                    }
                }
                multiline = text.get(1..).is_some_and(|rest| rest.contains('\n'));
            }
            self.push(&text);
        }
    }

    fn target_entry(&mut self, target: &'t Expr, name: &str) {
        // Casts that set operations put here come back by themselves.
        let target = super::subquery::uncast(target);
        let written = match self.resolve(target) {
            Node::Expr(expr) => match (self.column_name(expr), self.whole_row(expr)) {
                (Some((_, column)), _) => Some(column.to_owned()),
                (None, Some(_)) => None,
                (None, None) => (!self.columns_visible).then(|| "?column?".to_owned()),
            },
            _ => (!self.columns_visible).then(|| "?column?".to_owned()),
        };
        self.top(target, true);
        let unseen = self.target.layout.stored && !self.columns_visible;
        if written.as_deref() != Some(name) && !unseen {
            self.push(" AS ");
            self.quoted(name);
        }
    }

    fn group_by(&mut self, grouping: &'t Grouping) {
        let keys = &grouping.keys[..grouping.written.min(grouping.keys.len())];
        if keys.is_empty() && grouping.elements.is_empty() {
            return;
        }
        self.keyword(" GROUP BY ", INDENT_STEP, INDENT_STEP, 1);
        if grouping.distinct {
            self.push("DISTINCT ");
        }
        if grouping.elements.is_empty() {
            self.separated(keys, |out, key| out.sort_expr(key));
        } else {
            self.separated(&grouping.elements, |out, element| out.grouping_element(element, keys, true));
        }
    }

    fn grouping_element(&mut self, element: &'t GroupingElement, keys: &'t [Expr], bare: bool) {
        match element {
            GroupingElement::Keys(positions) => self.grouping_keys(positions, keys, bare),
            GroupingElement::Rollup(items) | GroupingElement::Cube(items) => {
                self.push(if matches!(element, GroupingElement::Rollup(_)) { "ROLLUP(" } else { "CUBE(" });
                self.separated(items, |out, item| out.grouping_keys(item, keys, true));
                self.push(")");
            }
            GroupingElement::Sets(elements) => {
                self.push("GROUPING SETS (");
                self.separated(elements, |out, element| out.grouping_element(element, keys, false));
                self.push(")");
            }
        }
    }

    fn grouping_keys(&mut self, positions: &'t [usize], keys: &'t [Expr], bare: bool) {
        let enclosed = !bare || positions.len() != 1;
        if enclosed {
            self.push("(");
        }
        self.separated(positions.iter().filter_map(|&position| keys.get(position)), |out, key| out.sort_expr(key));
        if enclosed {
            self.push(")");
        }
    }

    /// An expression of ORDER BY, GROUP BY and the like, where a number or a name by itself might mean an output column.
    pub(super) fn sort_expr(&mut self, expr: &'t Expr) {
        let node = self.resolve(expr);
        let Node::Expr(plain) = node else {
            self.push("(");
            self.expr(expr, true);
            return self.push(")");
        };
        if let ExprKind::Constant(value) = &plain.kind {
            return self.constant(value, plain.ty, Label::Always);
        }
        if self.column_name(plain).is_some() {
            return self.expr(plain, true);
        }
        let enclosed = self.target.layout.pretty || is_function(plain);
        if enclosed {
            self.push("(");
        }
        self.expr(plain, true);
        if enclosed {
            self.push(")");
        }
    }

    pub(super) fn direction(&mut self, descending: bool, nulls_first: bool) {
        self.push(match (descending, nulls_first) {
            (false, false) => "",
            (false, true) => " NULLS FIRST",
            (true, true) => " DESC",
            (true, false) => " DESC NULLS LAST",
        });
    }

    /// ORDER BY, OFFSET, LIMIT and locks.
    fn tail(&mut self, query: &'t Query, select: Option<&'t Select>) {
        if !query.order_by.is_empty() {
            self.keyword(" ORDER BY ", INDENT_STEP, INDENT_STEP, 1);
            self.separated(&query.order_by, |out, SortKey { position, descending, nulls_first, .. }| {
                match select.and_then(|select| select.targets.get(*position)) {
                    Some(expr) => out.sort_expr(expr),
                    None => out.push(&(position + 1).to_string()),
                }
                out.direction(*descending, *nulls_first);
            });
        }
        if let Some(offset) = &query.offset {
            self.keyword(" OFFSET ", INDENT_STEP, INDENT_STEP, 0);
            self.count(offset);
        }
        if let Some(limit) = &query.limit {
            if query.with_ties {
                self.keyword(" FETCH FIRST ", INDENT_STEP, INDENT_STEP, 0);
                self.push("(");
                self.count(limit);
                self.push(") ROWS WITH TIES");
            } else {
                self.keyword(" LIMIT ", INDENT_STEP, INDENT_STEP, 0);
                self.count(limit);
            }
        }
        for locking in &query.locking {
            self.locking(locking);
        }
    }

    /// A number of rows; the binder has made constants int8.
    fn count(&mut self, expr: &'t Expr) {
        match &expr.kind {
            ExprKind::Constant(ScalarValue::Int64(None)) if !self.target.layout.stored => self.push("ALL"),
            ExprKind::Constant(ScalarValue::Int64(Some(count))) if (0..=i64::from(i32::MAX)).contains(count) => {
                self.push(&count.to_string());
            }
            _ => self.expr(expr, false),
        }
    }

    fn locking(&mut self, locking: &Locking) {
        let names: Vec<String> =
            locking.rels.iter().filter_map(|rel| self.names.get(rel)).map(|n| n.name.clone()).collect();
        for name in names {
            let strength = match locking.strength {
                LockStrength::Update => " FOR UPDATE",
                LockStrength::NoKeyUpdate => " FOR NO KEY UPDATE",
                LockStrength::Share => " FOR SHARE",
                LockStrength::KeyShare => " FOR KEY SHARE",
            };
            self.keyword(strength, INDENT_STEP, INDENT_STEP, 0);
            self.push(" OF ");
            self.quoted(&name);
            self.push(match locking.wait {
                LockWait::Block => "",
                LockWait::NoWait => " NOWAIT",
                LockWait::SkipLocked => " SKIP LOCKED",
            });
        }
    }

    /// VALUES as a query; with other names for its columns it must be a sub-query.
    fn values_query(&mut self, rows: &'t [Vec<Expr>], query: &'t Query, columns: Option<&[String]>) {
        if self.target.layout.indent {
            self.indent += INDENT_STEP;
            self.push(" ");
        }
        let renamed =
            columns.is_some_and(|names| names.iter().zip(&query.columns).any(|(name, column)| *name != column.name));
        let Some(names) = columns.filter(|_| renamed) else { return self.values(rows) };
        self.push("SELECT");
        for (position, (name, column)) in names.iter().zip(&query.columns).enumerate() {
            self.push(if position == 0 { " " } else { ", " });
            if position > 0 && self.target.layout.indent {
                self.keyword("", INDENT_STEP, INDENT_STEP, INDENT_INNER);
            }
            self.push("\"*VALUES*\".");
            self.quoted(&column.name);
            if *name != column.name {
                self.push(" AS ");
                self.quoted(name);
            }
        }
        self.keyword(" FROM ", INDENT_STEP, INDENT_STEP, 2);
        self.push("(");
        self.values(rows);
        self.push(") \"*VALUES*\"");
    }

    pub(super) fn values(&mut self, rows: &'t [Vec<Expr>]) {
        self.push("VALUES ");
        self.separated(rows, |out, row| {
            out.push("(");
            for (position, expr) in row.iter().enumerate() {
                if position > 0 {
                    out.push(",");
                }
                out.top(expr, false);
            }
            out.push(")");
        });
    }
}

/// The rows of `VALUES … ORDER BY …`, which the binder makes a sub-query.
fn sorted_values(select: &Select) -> Option<&[Vec<Expr>]> {
    let Some(From::Subquery { query, alias: Some(alias), .. }) = &select.from else { return None };
    let SetExpr::Values(rows) = &query.body else { return None };
    (alias.name == "*VALUES*" && alias.columns.is_empty()).then_some(rows)
}

/// A side of a set operation without the query that the binder put around it to convert its columns.
fn own(query: &Query) -> &Query {
    if let SetExpr::Select(select) = &query.body
        && let Some(From::Subquery { query: inner, alias: None, view: None, .. }) = &select.from
    {
        return own(inner);
    }
    query
}

/// The operation, if the query is nothing but one.
fn nested(query: &Query) -> Option<(SetOperator, bool)> {
    let SetExpr::Operation { op, all, .. } = &query.body else { return None };
    let bare = query.ctes.is_empty()
        && query.order_by.is_empty()
        && query.limit.is_none()
        && query.offset.is_none()
        && query.locking.is_empty();
    bare.then_some((*op, *all))
}

fn is_function(expr: &Expr) -> bool {
    use crate::bind::tree::{CallForm, CastMethod};
    match &expr.kind {
        ExprKind::Call { form, .. } => matches!(form, CallForm::Function | CallForm::Syntax),
        ExprKind::Cast { arg, method: CastMethod::Function(_), .. } => !super::simple::is_keyword(arg),
        _ => false,
    }
}
