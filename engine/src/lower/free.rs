//! Outer references: which columns a part of the tree mentions that it does not produce itself.

use std::collections::{HashMap, HashSet};

use aegis_catalog::types::oid;
use aegis_catalog::{Oid, Type};

use super::{ColumnRef, Lowerer, lock_key};
use crate::bind::tree::{
    CastMethod, Cte, CteBody, CteId, Delete, Expr, ExprKind, FrameBound, From, Insert, Merge, Query, RelId, Select,
    SetCall, SetExpr, Statement, Subquery, SubqueryKind, Update,
};
use crate::bind::walk;
use crate::functions::{Function, Volatility};

/// Collects references; relations are unique within a statement, so what is produced anywhere inside is not free.
struct Walk<'a> {
    used: Vec<ColumnRef>,
    seen: HashSet<ColumnRef>,
    produced: HashSet<RelId>,
    /// Free columns of the CTEs that are defined outside.
    ctes: &'a HashMap<CteId, Vec<ColumnRef>>,
    volatile: bool,
    /// Queries that lock rows, the innermost first; only if they are looked for.
    locking: Option<Vec<Query>>,
}

impl<'a> Walk<'a> {
    fn new(ctes: &'a HashMap<CteId, Vec<ColumnRef>>) -> Self {
        Self { used: Vec::new(), seen: HashSet::new(), produced: HashSet::new(), ctes, volatile: false, locking: None }
    }

    /// The columns that are mentioned and not produced anywhere inside.
    fn free(&self) -> impl Iterator<Item = ColumnRef> {
        self.used.iter().copied().filter(|(rel, _)| !self.produced.contains(rel))
    }

    fn has_free_columns(&self) -> bool {
        self.free().next().is_some()
    }
}

impl Lowerer<'_> {
    pub fn free_in_query(&self, query: &Query) -> Vec<ColumnRef> {
        self.walk(|walk| walk.query(query))
    }

    pub fn free_in_from(&self, from: &From) -> Vec<ColumnRef> {
        self.walk(|walk| walk.from(from))
    }

    pub fn free_in_expr(&self, expr: &Expr) -> Vec<ColumnRef> {
        self.walk(|walk| walk.expr(expr))
    }

    /// Of a sub-query with what its kind says (the comparison of ANY and ALL).
    pub fn free_in_subquery(&self, subquery: &Subquery) -> Vec<ColumnRef> {
        self.walk(|walk| walk.subquery(subquery))
    }

    pub fn free_in_cte(&self, body: &CteBody) -> Vec<ColumnRef> {
        self.walk(|walk| walk.cte_body(body))
    }

    fn walk(&self, start: impl FnOnce(&mut Walk<'_>)) -> Vec<ColumnRef> {
        let ctes = self.ctes.iter().map(|(id, definition)| (*id, definition.free.clone())).collect();
        let mut walk = Walk::new(&ctes);
        start(&mut walk);
        walk.free().collect()
    }
}

/// Does the query call a volatile function or change rows?
pub fn is_volatile(query: &Query) -> bool {
    let ctes = HashMap::new();
    let mut walk = Walk::new(&ctes);
    walk.query(query);
    walk.volatile
}

/// Does the expression call a volatile function?
pub fn calls_volatile(expr: &Expr) -> bool {
    over_expr(expr, |walk| walk.volatile)
}

/// Is its value the same whenever it is computed, whoever asks? Sub-queries are not looked into.
pub fn is_immutable(expr: &Expr) -> bool {
    let immutable = |function: &Function| function.volatility == Volatility::Immutable;
    let here = match &expr.kind {
        // Stable as any type's text may be; that of these arguments need not.
        ExprKind::Call { function, args, .. } if CONCATENATIONS.contains(&function.oid) => {
            let text = Type::of(aegis_catalog::types::oid::TEXT);
            !args.iter().any(|arg| is_read_by_settings(arg.ty, text))
        }
        ExprKind::Call { function, .. } => immutable(function),
        ExprKind::Cast { arg, method: CastMethod::InputOutput, .. } => !is_read_by_settings(arg.ty, expr.ty),
        ExprKind::Cast { method: CastMethod::Function(function), .. } => immutable(function),
        _ => true,
    };
    let mut all = here;
    walk::parts(expr, &mut |child| all &= is_immutable(child));
    all
}

/// `textanycat` and `anytextcat`.
const CONCATENATIONS: [Oid; 2] = [2003, 2004];

/// Text of these types depends on DateStyle and TimeZone, both ways; that of types that users made on their definitions.
fn is_read_by_settings(from: Type, to: Type) -> bool {
    const TYPES: [Oid; 4] = [oid::DATE, oid::TIMESTAMP, oid::TIMESTAMPTZ, oid::TIMETZ];
    let varies = |ty: Type| TYPES.contains(&ty.oid) || ty.oid >= aegis_catalog::fixed_oid::FIRST_NORMAL;
    varies(from) || varies(to)
}

/// Does the expression read the column?
pub fn reads_column(expr: &Expr, column: ColumnRef) -> bool {
    over_expr(expr, |walk| walk.seen.contains(&column))
}

/// Does the expression read columns that none of its sub-queries produces?
pub fn has_free_columns(expr: &Expr) -> bool {
    over_expr(expr, |walk| walk.has_free_columns())
}

fn over_expr<T>(expr: &Expr, result: impl FnOnce(&Walk<'_>) -> T) -> T {
    let ctes = HashMap::new();
    let mut walk = Walk::new(&ctes);
    walk.expr(expr);
    result(&walk)
}

/// The queries inside of a statement that lock rows (those of its CTEs aside), the innermost first.
pub fn locking_in_statement(part: StatementPart<'_>) -> Vec<Query> {
    let ctes = HashMap::new();
    let mut walk = Walk::new(&ctes);
    walk.locking = Some(Vec::new());
    match part {
        StatementPart::Query(query) => walk.body(query),
        StatementPart::Insert(insert) => walk.insert(insert),
        StatementPart::Update(update) => walk.update(update),
        StatementPart::Delete(delete) => walk.delete(delete),
        StatementPart::Merge(merge) => walk.merge(merge),
        StatementPart::Cte(cte) => walk.ctes(std::slice::from_ref(cte)),
    }
    walk.locking.unwrap_or_default()
}

/// A part of a statement that is executed as one.
#[derive(Clone, Copy)]
pub enum StatementPart<'a> {
    Query(&'a Query),
    Insert(&'a Insert),
    Update(&'a Update),
    Delete(&'a Delete),
    Merge(&'a Merge),
    Cte(&'a Cte),
}

/// All columns that a query or the CTEs that it may refer to mention.
pub fn mentioned(query: &Query, ctes: &[Cte]) -> HashSet<ColumnRef> {
    let outer = HashMap::new();
    let mut walk = Walk::new(&outer);
    walk.ctes(ctes);
    walk.query(query);
    walk.seen
}

/// Does the query mention columns that it does not produce?
pub fn is_correlated(query: &Query) -> bool {
    let ctes = HashMap::new();
    let mut walk = Walk::new(&ctes);
    walk.query(query);
    walk.has_free_columns()
}

/// Does the expression contain a sub-query?
pub fn has_subquery(expr: &Expr) -> bool {
    let mut found = false;
    walk::parts(expr, &mut |child| found |= has_subquery(child));
    found || matches!(expr.kind, ExprKind::Subquery(_))
}

impl Walk<'_> {
    fn exprs<'e>(&mut self, exprs: impl IntoIterator<Item = &'e Expr>) {
        exprs.into_iter().for_each(|expr| self.expr(expr));
    }

    fn expr(&mut self, expr: &Expr) {
        match &expr.kind {
            ExprKind::Column { rel, column } => self.reference((*rel, *column)),
            ExprKind::Grouping { rel, keys } => keys.iter().for_each(|key| self.reference((*rel, *key))),
            ExprKind::Subquery(subquery) => self.subquery(subquery),
            ExprKind::Call { function, .. } => {
                self.volatile |= function.volatility == crate::functions::Volatility::Volatile;
            }
            _ => {}
        }
        walk::parts(expr, &mut |child| self.expr(child));
    }

    fn reference(&mut self, column: ColumnRef) {
        if self.seen.insert(column) {
            self.used.push(column);
        }
    }

    fn subquery(&mut self, subquery: &Subquery) {
        match &subquery.kind {
            SubqueryKind::Any { output, condition } | SubqueryKind::All { output, condition } => {
                self.produced.insert(*output);
                self.expr(condition);
            }
            SubqueryKind::Exists | SubqueryKind::Scalar | SubqueryKind::Row | SubqueryKind::Array => {}
        }
        self.query(&subquery.query);
    }

    fn query(&mut self, query: &Query) {
        self.ctes(&query.ctes);
        self.body(query);
        if let (Some(locking), Some(_)) = (&mut self.locking, lock_key(query)) {
            locking.push(query.clone());
        }
    }

    /// A query without its CTEs.
    fn body(&mut self, query: &Query) {
        match &query.body {
            SetExpr::Select(select) => self.select(select),
            SetExpr::Values(rows) => self.exprs(rows.iter().flatten()),
            SetExpr::Operation { legs, .. } => legs.iter().for_each(|leg| self.query(leg)),
        }
        self.exprs(&query.limit);
        self.exprs(&query.offset);
    }

    fn ctes(&mut self, ctes: &[Cte]) {
        for cte in ctes {
            match &cte.body {
                // What nobody refers to does not run.
                CteBody::Query(_) if self.locking.is_some() && cte.references == 0 => {}
                CteBody::Change(statement) if self.locking.is_some() => match statement.as_ref() {
                    Statement::Query(query) => self.query(query),
                    Statement::Insert(insert) => self.insert(insert),
                    Statement::Update(update) => self.update(update),
                    Statement::Delete(delete) => self.delete(delete),
                    Statement::Merge(merge) => self.merge(merge),
                },
                body => self.cte_body(body),
            }
        }
    }

    fn insert(&mut self, insert: &Insert) {
        self.query(&insert.source);
        self.exprs(insert.values.iter().map(|(_, value)| value));
        self.exprs(insert.returning.iter().flat_map(|returning| &returning.targets));
    }

    fn update(&mut self, update: &Update) {
        update.from.iter().for_each(|from| self.from(from));
        self.exprs(update.filter.iter().chain(update.set.iter().map(|(_, value)| value)));
        self.exprs(update.returning.iter().flat_map(|returning| &returning.targets));
    }

    fn merge(&mut self, merge: &Merge) {
        self.from(&merge.source);
        self.exprs(merge.exprs());
    }

    fn delete(&mut self, delete: &Delete) {
        delete.using.iter().for_each(|from| self.from(from));
        self.exprs(delete.filter.iter());
        self.exprs(delete.returning.iter().flat_map(|returning| &returning.targets));
    }

    fn cte_body(&mut self, body: &CteBody) {
        match body {
            CteBody::Query(query) => self.query(query),
            CteBody::Recursive { seed, step, .. } => {
                self.query(seed);
                self.query(step);
            }
            CteBody::Given => self.volatile = true,
            CteBody::Change(statement) => {
                self.volatile = true;
                if let Statement::Query(query) = statement.as_ref() {
                    self.query(query);
                }
            }
        }
    }

    fn select(&mut self, select: &Select) {
        if let Some(from) = &select.from {
            self.from(from);
        }
        self.exprs(&select.filter);
        if let Some(grouping) = &select.grouping {
            self.produced.insert(grouping.rel);
            self.exprs(&grouping.keys);
            for call in &grouping.aggregates {
                self.exprs(call.args.iter().chain(&call.filter).chain(call.order_by.iter().map(|key| &key.expr)));
            }
        }
        self.exprs(&select.having);
        if let Some(windows) = &select.windows {
            self.produced.insert(windows.rel);
            for call in &windows.calls {
                self.exprs(call.args.iter().chain(&call.filter).chain(&call.partition_by));
                self.exprs(call.order_by.iter().map(|key| &key.expr));
                for bound in [&call.frame.start, &call.frame.end] {
                    if let FrameBound::Preceding(offset) | FrameBound::Following(offset) = bound {
                        self.expr(offset);
                    }
                }
            }
        }
        if let Some(set_functions) = &select.set_functions {
            self.produced.insert(set_functions.rel);
            set_functions.calls.iter().for_each(|(_, call)| self.set_call(call));
        }
        self.exprs(&select.targets);
    }

    fn set_call(&mut self, call: &SetCall) {
        self.volatile |= call.function.volatility == crate::functions::Volatility::Volatile;
        self.exprs(&call.args);
    }

    fn from(&mut self, from: &From) {
        match from {
            From::Table { rel, sample, .. } => {
                self.produced.insert(*rel);
                if let Some(sample) = sample {
                    self.volatile = true;
                    self.expr(&sample.percentage);
                    sample.seed.iter().for_each(|seed| self.expr(seed));
                }
            }
            From::Subquery { rel, query, .. } => {
                self.produced.insert(*rel);
                self.query(query);
            }
            From::Function { rel, calls, .. } => {
                self.produced.insert(*rel);
                calls.iter().for_each(|call| self.set_call(call));
            }
            From::Cte { rel, cte, .. } => {
                self.produced.insert(*rel);
                for column in self.ctes.get(cte).into_iter().flatten() {
                    self.reference(*column);
                }
            }
            From::Join { left, right, condition, form, .. } => {
                self.produced.extend(form.present.left.into_iter().chain(form.present.right));
                self.from(left);
                self.from(right);
                self.exprs(condition);
            }
        }
    }
}
