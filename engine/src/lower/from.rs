//! FROM: tables, sub-queries, functions, CTEs and joins, plain and lateral.
//!
//! Everything is lowered *onto* a base: the relation to the left, whose columns a lateral item may use. In a correlated sub-query the
//! leftmost base is the domain, so outer references are nothing but lateral references.

use std::collections::HashSet;
use std::sync::Arc;

use aegis_catalog::object::Relation as CatalogRelation;
use aegis_catalog::{Error, Result};
use datafusion::common::{Column, JoinType, TableReference};
use datafusion::logical_expr::{Expr, LogicalPlan, TableScanBuilder, TableSource};

use super::build::{all, boolean, cross, join, join_not_distinct, project};
use super::free::has_subquery;
use super::relation::{Binding, Relation};
use super::{ColumnRef, Lowerer};
use crate::bind::tree::{self, From, JoinForm, RelId, SYSTEM_COLUMNS};
use crate::execute::error::from_datafusion;
use crate::parse::ast::JoinKind;

impl Lowerer<'_> {
    pub fn from(&mut self, from: &From, base: Option<&Relation>) -> Result<Relation> {
        self.deeper(|lowerer| match base {
            None => lowerer.item(from),
            Some(base) => lowerer.onto(base.clone(), from),
        })
    }

    /// An item that refers to nothing outside.
    pub(super) fn item(&mut self, from: &From) -> Result<Relation> {
        match from {
            From::Table { rel, relation, only, sample, .. } => {
                let mut table = self.table(*rel, relation, *only, sample.is_some())?;
                if let Some(sample) = sample {
                    self.sample(*rel, sample, &mut table)?;
                }
                Ok(table)
            }
            From::Subquery { rel, query, view, .. } => {
                self.locked = self.locked_within.remove(rel).unwrap_or_default();
                let barrier = view.and_then(|view| self.catalog().relation(view)?.view()).is_some_and(is_barrier);
                if barrier && self.locked.is_empty() {
                    // No condition of the query around it is asked of rows that the view does not show.
                    let output = self.query(query, None)?;
                    let rows = self.share(output)?;
                    return self.scan_cte(*rel, rows);
                }
                if barrier {
                    return Err(Error::unsupported("FOR UPDATE of a security barrier view"));
                }
                Ok(self.query(query, None)?.into_relation(*rel))
            }
            From::Function { rel, calls, ordinality, .. } => self.function_item(*rel, calls, *ordinality),
            From::Cte { rel, cte, .. } => self.cte_reference(*rel, *cte, None),
            From::Join { kind, left, right, condition, form } => {
                let left = self.from(left, None)?;
                self.join((*kind, form), left, right, condition.as_ref())
            }
        }
    }

    /// The rows of `base` joined with an item that may refer to them.
    fn onto(&mut self, base: Relation, from: &From) -> Result<Relation> {
        if !self.refers_to(from, &base) {
            let item = self.item(from)?;
            return combine(base, item, JoinType::Inner, None);
        }
        match from {
            From::Table { rel, relation, only, sample, .. } => {
                let table = self.table(*rel, relation, *only, sample.is_some())?;
                let mut combined = combine(base, table, JoinType::Inner, None)?;
                if let Some(sample) = sample {
                    self.sample(*rel, sample, &mut combined)?;
                }
                Ok(combined)
            }
            From::Function { rel, calls, ordinality, .. } => self.function_onto(base, *rel, calls, *ordinality, false),
            From::Subquery { rel, query, .. } => {
                let free = self.free_in_query(query);
                self.lateral(base, free, JoinType::Inner, None, |lowerer, domain| {
                    Ok(lowerer.query(query, Some(domain))?.into_relation(*rel))
                })
            }
            From::Cte { rel, cte, .. } if base.rels.is_empty() && self.carries_domain(*cte) => {
                self.cte_reference(*rel, *cte, Some(&base))
            }
            From::Cte { rel, cte, .. } => {
                let free = self.free_in_from(from);
                self.lateral(base, free, JoinType::Inner, None, |lowerer, domain| {
                    lowerer.cte_reference(*rel, *cte, Some(domain))
                })
            }
            From::Join {
                kind: kind @ (JoinKind::Inner | JoinKind::Cross | JoinKind::Left),
                left,
                right,
                condition,
                form,
            } => {
                // The rows of a round are of the domain already: the others are joined to them, not to all of the domain.
                let inner = !matches!(kind, JoinKind::Left) && form.as_of.is_none();
                if let From::Cte { cte, .. } = right.as_ref()
                    && inner
                    && base.rels.is_empty()
                    && self.carries_domain(*cte)
                    && !self.refers_to(left, &base)
                {
                    let joined = self.onto(base, right)?;
                    let mut joined = self.onto(joined, left)?;
                    if let Some(condition) = condition {
                        self.filter_by(condition, &mut joined)?;
                    }
                    return Ok(joined);
                }
                let left = self.onto(base, left)?;
                self.join((*kind, form), left, right, condition.as_ref())
            }
            // The preserved side is on the right (or both are): lower the join for the domain of what it refers to.
            From::Join { kind, left, right, condition, form } => {
                let free = self.free_in_from(from);
                self.lateral(base, free, JoinType::Inner, None, |lowerer, domain| {
                    let mut right = lowerer.from(right, Some(domain))?;
                    let mut left = lowerer.from(left, Some(domain))?;
                    lowerer.mark_present(form.present.left, &mut left)?;
                    lowerer.mark_present(form.present.right, &mut right)?;
                    lowerer.join_in_domain(*kind, left, right, condition.as_ref())
                })
            }
        }
    }

    /// RIGHT and FULL joins of sides that both carry the domain.
    fn join_in_domain(
        &mut self,
        kind: JoinKind,
        mut left: Relation,
        right: Relation,
        condition: Option<&tree::Expr>,
    ) -> Result<Relation> {
        if kind == JoinKind::Full {
            return Err(Error::unsupported("FULL JOIN inside a correlated sub-query"));
        }
        let renamed: Vec<Binding> =
            left.domain.iter().map(|column| self.binding("outer", column.binding.data_type.clone())).collect();
        let pairs = renamed.iter().zip(&right.domain).map(|(left, right)| (left.expr(), right.binding.expr()));
        let pairs: Vec<_> = pairs.collect();
        let has = |binding: &&Binding| left.plan.schema().has_column(&binding.column);
        let kept = left.rels.values().flatten().filter(has).map(|binding| (binding.expr(), binding));
        let exprs = left.domain.iter().map(|column| column.binding.expr()).zip(&renamed).chain(kept).collect();
        left.plan = project(std::mem::take(&mut left.plan), exprs)?;
        let domain = right.domain.clone();
        let mut scope = Relation { plan: LogicalPlan::default(), rels: left.rels.clone(), domain: domain.clone() };
        scope.rels.extend(right.rels.clone());
        let condition = condition.map(|condition| self.plain_condition(condition, &mut scope)).transpose()?;
        let plan = join_not_distinct(left.plan, right.plan, JoinType::Right, pairs, condition)?;
        Ok(Relation { plan, rels: scope.rels, domain })
    }

    /// Does the item mention columns of the relation?
    pub(super) fn refers_to(&self, from: &From, base: &Relation) -> bool {
        self.free_in_from(from).iter().any(|(rel, position)| base.find(*rel, *position).is_some())
    }

    /// Joins `base` with something computed for each distinct value of the columns it refers to.
    pub fn lateral(
        &mut self,
        base: Relation,
        free: Vec<ColumnRef>,
        kind: JoinType,
        condition: Option<&tree::Expr>,
        lower: impl FnOnce(&mut Self, &Relation) -> Result<Relation>,
    ) -> Result<Relation> {
        let (base, domain, pairs) = self.domain(base, &free)?;
        let right = lower(self, &domain)?;
        let mut scope = Relation { plan: LogicalPlan::default(), rels: base.rels.clone(), domain: base.domain.clone() };
        scope.rels.extend(right.rels.clone());
        let condition = condition.map(|condition| self.plain_condition(condition, &mut scope)).transpose()?;
        scope.plan = join_not_distinct(base.plan, right.plan, kind, pairs, condition)?;
        Ok(scope)
    }

    fn join(
        &mut self,
        (kind, form): (JoinKind, &JoinForm),
        mut left: Relation,
        right: &From,
        condition: Option<&tree::Expr>,
    ) -> Result<Relation> {
        let present = form.present;
        if form.as_of.is_some() {
            return self.as_of_join((kind, present), left, right, condition);
        }
        let join_type = match kind {
            JoinKind::Inner | JoinKind::Cross => JoinType::Inner,
            JoinKind::Left => JoinType::Left,
            JoinKind::Right => JoinType::Right,
            JoinKind::Full => JoinType::Full,
        };
        if join_type == JoinType::Inner {
            let mut joined = self.onto(left, right)?;
            if let Some(condition) = condition {
                self.filter_by(condition, &mut joined)?;
            }
            return Ok(joined);
        }
        if self.refers_to(right, &left) {
            if join_type != JoinType::Left {
                return Err(Error::internal("a lateral reference to the nullable side of a join"));
            }
            if let From::Function { rel, calls, ordinality, .. } = right
                && condition.is_none_or(is_true)
                && present.right.is_none()
            {
                return self.function_onto(left, *rel, calls, *ordinality, true);
            }
            let free = self.free_in_from(right);
            return self.lateral(left, free, JoinType::Left, condition, |lowerer, domain| {
                let mut right = lowerer.from(right, Some(domain))?;
                lowerer.mark_present(present.right, &mut right)?;
                Ok(right)
            });
        }
        let mut right = self.item(right)?;
        self.mark_present(present.left, &mut left)?;
        self.mark_present(present.right, &mut right)?;
        self.outer_join(join_type, left, right, condition)
    }

    /// A column that is true in every row: null where an outer join leaves the row out.
    pub(super) fn mark_present(&mut self, rel: Option<RelId>, side: &mut Relation) -> Result<()> {
        let Some(rel) = rel else { return Ok(()) };
        let binding = self.binding("present", arrow::datatypes::DataType::Boolean);
        side.extend(vec![(boolean(true), &binding)])?;
        side.rels.insert(rel, vec![binding]);
        Ok(())
    }

    fn outer_join(
        &mut self,
        join_type: JoinType,
        mut left: Relation,
        mut right: Relation,
        condition: Option<&tree::Expr>,
    ) -> Result<Relation> {
        let Some(condition) = condition.filter(|condition| !is_true(condition)) else {
            return combine(left, right, join_type, Some(boolean(true)));
        };
        let mut conjuncts = Vec::new();
        super::select::flatten(condition, &mut conjuncts);
        let mut conditions = Vec::new();
        for conjunct in conjuncts {
            conditions.push(self.join_condition(conjunct, &mut left, &mut right)?);
        }
        combine(left, right, join_type, all(conditions))
    }

    /// A condition over both sides. A sub-query in it is computed on the side it refers to.
    fn join_condition(&mut self, condition: &tree::Expr, left: &mut Relation, right: &mut Relation) -> Result<Expr> {
        if has_subquery(condition) {
            let free = self.free_in_expr(condition);
            let within = |side: &Relation| free.iter().all(|(rel, position)| side.find(*rel, *position).is_some());
            if within(left) {
                return self.condition(condition, left);
            }
            if within(right) {
                return self.condition(condition, right);
            }
            return self.split_join_condition(condition, left, right);
        }
        let mut scope = Relation { plan: LogicalPlan::default(), rels: left.rels.clone(), domain: left.domain.clone() };
        scope.rels.extend(right.rels.clone());
        scope.domain.extend(right.domain.clone());
        self.condition(condition, &mut scope)
    }

    /// A condition whose sub-queries each refer to one side only: computes them there, then the whole over both.
    fn split_join_condition(
        &mut self,
        condition: &tree::Expr,
        left: &mut Relation,
        right: &mut Relation,
    ) -> Result<Expr> {
        let mut condition = condition.clone();
        let mut computed: Vec<(RelId, Binding)> = Vec::new();
        self.replace_subqueries(&mut condition, left, right, &mut computed)?;
        let mut scope = Relation { plan: LogicalPlan::default(), rels: left.rels.clone(), domain: left.domain.clone() };
        scope.rels.extend(right.rels.clone());
        scope.domain.extend(right.domain.clone());
        scope.rels.extend(computed.into_iter().map(|(rel, binding)| (rel, vec![binding])));
        self.condition(&condition, &mut scope)
    }

    fn replace_subqueries(
        &mut self,
        expr: &mut tree::Expr,
        left: &mut Relation,
        right: &mut Relation,
        computed: &mut Vec<(RelId, Binding)>,
    ) -> Result<()> {
        use crate::bind::tree::ExprKind;
        if let ExprKind::Subquery(_) = &expr.kind {
            let free = self.free_in_expr(expr);
            let within = |side: &Relation| free.iter().all(|(rel, position)| side.find(*rel, *position).is_some());
            let side = if within(left) {
                left
            } else if within(right) {
                right
            } else {
                return Err(Error::unsupported(
                    "a sub-query that refers to both sides of an outer join in its condition",
                ));
            };
            let value = self.expr(expr, side)?;
            let binding = self.binding("subquery", value.data_type);
            side.extend(vec![(value.expr, &binding)])?;
            self.next += 1;
            let rel = RelId(u32::MAX - self.next);
            computed.push((rel, binding));
            expr.kind = ExprKind::Column { rel, column: 0 };
            return Ok(());
        }
        match &mut expr.kind {
            ExprKind::And(args) | ExprKind::Or(args) | ExprKind::Coalesce(args) | ExprKind::Call { args, .. } => {
                args.iter_mut().try_for_each(|arg| self.replace_subqueries(arg, left, right, computed))
            }
            ExprKind::Not(arg)
            | ExprKind::Cast { arg, .. }
            | ExprKind::Collate { arg, .. }
            | ExprKind::Collated { arg, .. }
            | ExprKind::IsNull { arg, .. } => self.replace_subqueries(arg, left, right, computed),
            _ => Ok(()),
        }
    }

    /// A condition over a scope that is no plan yet.
    fn plain_condition(&mut self, condition: &tree::Expr, scope: &mut Relation) -> Result<Expr> {
        if has_subquery(condition) {
            return Err(Error::unsupported("a sub-query in the condition of a lateral outer join"));
        }
        self.condition(condition, scope)
    }

    /// The rows of a table; with all columns if they are `sampled`, which goes by their addresses.
    pub fn table(
        &mut self,
        rel: RelId,
        relation: &Arc<CatalogRelation>,
        only: bool,
        sampled: bool,
    ) -> Result<Relation> {
        if relation.partitioning().is_some() && only || aegis_catalog::system::is_empty(relation.oid) {
            return self.no_rows(rel, relation);
        }
        if !only && super::inherit::is_spread(relation, self.catalog()) {
            return self.spread_table(rel, relation);
        }
        let source = match self.keyed_source(rel, relation)? {
            Some(source) => source,
            None => self.table_source(rel, relation)?,
        };
        let wanted = self.mentioned.as_ref().filter(|_| !sampled).map(|all| places_of(rel, relation, all));
        let (plan, columns) = self.scan_of(&relation.name, source, wanted)?;
        let mut live = columns.iter();
        let mut bindings = Vec::with_capacity(columns.len());
        for column in &relation.columns {
            match column.dropped {
                // Never referred to; keeps the positions right.
                true => bindings.push(Binding::named("dropped", arrow::datatypes::DataType::Null)),
                false => bindings.extend(live.next().cloned()),
            }
        }
        bindings.extend(live.cloned());
        let mut table = Relation::new(plan);
        table.rels.insert(rel, bindings);
        Ok(table)
    }

    /// All rows, or those that are enough.
    fn table_source(&mut self, rel: RelId, relation: &Arc<CatalogRelation>) -> Result<Arc<dyn TableSource>> {
        let last = self.reduced.remove(&rel).map(|last| self.context.tables.last_rows(relation, &last));
        match last.transpose()?.flatten() {
            Some(source) => Ok(source),
            None => self.context.tables.source(relation),
        }
    }

    /// The row that WHERE names by a unique key.
    fn keyed_source(&self, rel: RelId, relation: &Arc<CatalogRelation>) -> Result<Option<Arc<dyn TableSource>>> {
        let demanded = self.demanded.iter().filter(|((of, _), _)| *of == rel);
        let values: Vec<_> = demanded
            .filter_map(|((_, position), value)| Some((relation.columns.get(*position)?.attnum, value.clone())))
            .collect();
        if values.is_empty() {
            return Ok(None);
        }
        self.context.tables.keyed(relation, &values)
    }

    /// A scan of all columns of a source, under a name of its own.
    pub fn scan(&mut self, hint: &str, source: Arc<dyn TableSource>) -> Result<(LogicalPlan, Vec<Binding>)> {
        self.scan_of(hint, source, None)
    }

    /// The same of the columns at these places alone. The bindings are those of all columns.
    fn scan_of(
        &mut self,
        hint: &str,
        source: Arc<dyn TableSource>,
        places: Option<Vec<usize>>,
    ) -> Result<(LogicalPlan, Vec<Binding>)> {
        let name = TableReference::bare(self.name(hint));
        let columns = source
            .schema()
            .fields()
            .iter()
            .map(|field| Binding {
                column: Column::new(Some(name.clone()), field.name()),
                data_type: field.data_type().clone(),
            })
            .collect();
        let scan = TableScanBuilder::new(name, source).with_projection(places).build().map_err(from_datafusion)?;
        Ok((LogicalPlan::TableScan(scan), columns))
    }
}

/// Where the columns of a relation that are mentioned lie in its rows (as [`super::Tables::source`] has them). Narrow rows make all that
/// is done with the plan afterwards quicker.
fn places_of(rel: RelId, relation: &CatalogRelation, mentioned: &HashSet<ColumnRef>) -> Vec<usize> {
    let live = relation.columns.iter().enumerate().filter(|(_, column)| !column.dropped).map(|(position, _)| position);
    let behind = (0..=SYSTEM_COLUMNS.len()).map(|system| relation.columns.len() + system);
    let places = live.chain(behind).enumerate().filter(|(_, position)| mentioned.contains(&(rel, *position)));
    places.map(|(place, _)| place).collect()
}

/// Joins two relations that do not refer to each other.
pub(super) fn combine(left: Relation, right: Relation, kind: JoinType, condition: Option<Expr>) -> Result<Relation> {
    let plan = match (&condition, kind) {
        (None, JoinType::Inner) => cross(left.plan, right.plan)?,
        _ => join(left.plan, right.plan, kind, condition)?,
    };
    let mut rels = left.rels;
    rels.extend(right.rels);
    let mut domain = left.domain;
    domain.extend(right.domain);
    Ok(Relation { plan, rels, domain })
}

fn is_barrier(view: &aegis_catalog::object::View) -> bool {
    view.has_option("security_barrier")
}

fn is_true(condition: &tree::Expr) -> bool {
    use datafusion::scalar::ScalarValue;
    matches!(&condition.kind, tree::ExprKind::Constant(ScalarValue::Boolean(Some(true))))
}
