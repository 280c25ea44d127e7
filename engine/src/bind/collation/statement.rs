//! Collations in queries and changes: which columns have which, and what sorts, groups and unites by them.

use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::{Error, Result};

use super::super::tree::*;
use super::{Collations, Derived, Source, Strength, function, is_text, to_key, to_reversible_key};
use crate::collation::Collation;
use crate::parse::ast::SetOperator;

/// `min(text)` and `max(text)`.
const MIN: aegis_catalog::Oid = 2145;
const MAX: aegis_catalog::Oid = 2129;

impl Collations<'_> {
    /// The collations of what the statement returns.
    pub(super) fn statement(&mut self, statement: &mut Statement) -> Result<Vec<Derived>> {
        match statement {
            Statement::Query(query) => self.query(query),
            Statement::Insert(insert) => {
                self.ctes(&mut insert.ctes)?;
                let columns = self.query(&mut insert.source)?;
                self.sources.insert(insert.source_rel, Source::Columns(columns));
                self.table(insert.rel, &insert.table);
                self.values(&mut insert.values)?;
                self.rules(&mut insert.row_rules)?;
                if let Some(update) = insert.on_conflict.as_mut().and_then(|conflict| conflict.update.as_mut()) {
                    self.table(update.existing, &insert.table);
                    self.table(update.excluded, &insert.table);
                    self.values(&mut update.set)?;
                    self.each(&mut update.filter)?;
                }
                self.returning(&mut insert.returning)
            }
            Statement::Update(update) => {
                self.ctes(&mut update.ctes)?;
                self.table(update.rel, &update.table);
                self.table(update.new_rel, &update.table);
                self.from(update.from.as_mut())?;
                self.each(&mut update.filter)?;
                self.values(&mut update.set)?;
                self.rules(&mut update.row_rules)?;
                self.returning(&mut update.returning)
            }
            Statement::Delete(delete) => {
                self.ctes(&mut delete.ctes)?;
                self.table(delete.rel, &delete.table);
                self.from(delete.using.as_mut())?;
                self.each(&mut delete.filter)?;
                self.returning(&mut delete.returning)
            }
            Statement::Merge(merge) => {
                self.ctes(&mut merge.ctes)?;
                self.table(merge.rel, &merge.table);
                self.table(merge.new_rel, &merge.table);
                self.from(Some(&mut merge.source))?;
                self.expr(&mut merge.condition)?;
                self.each(merge.actions.iter_mut().flat_map(MergeAction::exprs_mut))?;
                self.rules(&mut merge.row_rules)?;
                Ok(Vec::new())
            }
        }
    }

    fn table(&mut self, rel: RelId, table: &Arc<Relation>) {
        self.sources.insert(rel, Source::Table(table.clone()));
    }

    fn each<'e>(&mut self, exprs: impl IntoIterator<Item = &'e mut Expr>) -> Result<()> {
        exprs.into_iter().try_for_each(|expr| self.expr(expr).map(drop))
    }

    fn values(&mut self, values: &mut [(i16, Expr)]) -> Result<()> {
        self.each(values.iter_mut().map(|(_, value)| value))
    }

    fn rules(&mut self, rules: &mut RowRules) -> Result<()> {
        self.each(rules.generated.iter_mut().map(|(_, expr)| expr))?;
        self.each(rules.checks.iter_mut().map(|(_, expr)| expr))
    }

    fn returning(&mut self, returning: &mut Option<Returning>) -> Result<Vec<Derived>> {
        let targets = returning.iter_mut().flat_map(|returning| &mut returning.targets);
        targets.map(|target| self.expr(target)).collect()
    }

    fn ctes(&mut self, ctes: &mut [Cte]) -> Result<()> {
        for cte in ctes {
            let columns = match &mut cte.body {
                CteBody::Query(query) => self.query(query)?,
                CteBody::Recursive { seed, step, .. } => {
                    let columns = self.query(seed)?;
                    self.ctes.insert(cte.id, columns.clone());
                    self.query(step)?;
                    columns
                }
                CteBody::Change(statement) => self.statement(statement)?,
                CteBody::Given => {
                    let columns = cte.columns.iter();
                    columns.map(|column| Derived::implicit(self.of_type(column.ty), 0)).collect()
                }
            };
            self.ctes.insert(cte.id, columns);
        }
        Ok(())
    }

    /// The collations of a query's columns.
    pub(super) fn query(&mut self, query: &mut Query) -> Result<Vec<Derived>> {
        self.ctes(&mut query.ctes)?;
        let mut columns = match &mut query.body {
            SetExpr::Select(select) => {
                let columns = self.select(select)?;
                if !matches!(select.distinct, Distinct::None) {
                    self.distinct(&select.distinct, query.columns.len(), &columns)?;
                }
                columns
            }
            SetExpr::Values(rows) => {
                let mut columns = Vec::new();
                for row in rows {
                    columns.resize(row.len(), Derived::NONE);
                    for (column, expr) in columns.iter_mut().zip(row) {
                        let derived = self.expr(expr)?;
                        *column = self.merge(*column, derived)?;
                    }
                }
                columns
            }
            SetExpr::Operation { op, all, legs } => {
                let united = *op == SetOperator::Union && *all;
                let mut legs = legs.iter_mut();
                let mut columns = legs.next().map_or(Ok(Vec::new()), |first| self.query(first))?;
                for leg in legs {
                    let pairs = columns.into_iter().zip(self.query(leg)?);
                    columns = pairs.map(|pair| self.united(pair, united)).collect::<Result<_>>()?;
                }
                columns
            }
        };
        for key in &mut query.order_by {
            let derived = columns.get(key.position).copied().unwrap_or(Derived::NONE);
            let derived = self.settled(derived)?;
            key.collation = self.by_locale(derived)?;
        }
        self.each(query.limit.iter_mut().chain(&mut query.offset))?;
        columns.truncate(query.columns.len());
        Ok(columns.into_iter().map(Derived::column).collect())
    }

    /// Columns of one name of the two sides of a set operation.
    fn united(&mut self, (left, right): (Derived, Derived), all: bool) -> Result<Derived> {
        let merged = self.merge(left, right)?;
        if all {
            return Ok(merged.column());
        }
        let settled = self.settled(merged)?;
        self.require_bytes(settled, "UNION, INTERSECT and EXCEPT")?;
        Ok(settled)
    }

    /// What is the same for a nondeterministic collation is not found by grouping bytes.
    fn require_bytes(&mut self, derived: Derived, what: &str) -> Result<()> {
        match self.by_locale(derived)? {
            Some(collation) if !collation.deterministic => {
                Err(Error::unsupported(format!("{what} under a nondeterministic collation")))
            }
            _ => Ok(()),
        }
    }

    fn distinct(&mut self, distinct: &Distinct, visible: usize, columns: &[Derived]) -> Result<()> {
        let positions: Vec<usize> = match distinct {
            Distinct::None => Vec::new(),
            Distinct::All => (0..visible).collect(),
            Distinct::On(positions) => positions.clone(),
        };
        for derived in positions.into_iter().filter_map(|position| columns.get(position)) {
            let derived = self.settled(*derived)?;
            self.require_bytes(derived, "DISTINCT")?;
        }
        Ok(())
    }

    /// The collations of all targets, hidden ones included.
    fn select(&mut self, select: &mut Select) -> Result<Vec<Derived>> {
        self.from(select.from.as_mut())?;
        self.each(&mut select.filter)?;
        if let Some(grouping) = &mut select.grouping {
            self.grouping(grouping)?;
        }
        self.each(&mut select.having)?;
        if let Some(windows) = &mut select.windows {
            let calls = windows.calls.iter_mut().enumerate();
            let rel = windows.rel;
            let columns = calls.map(|(at, call)| self.window(rel, at, call)).collect::<Result<_>>()?;
            self.sources.insert(rel, Source::Columns(columns));
        }
        if let Some(sets) = &mut select.set_functions {
            let mut columns = Vec::new();
            for (_, call) in &mut sets.calls {
                let own = self.set_call(call)?;
                columns.push(if let [only] = own.as_slice() { *only } else { Derived::NONE });
                // Later calls may use the results of earlier ones.
                self.sources.insert(sets.rel, Source::Columns(columns.clone()));
            }
        }
        select.targets.iter_mut().map(|target| self.expr(target)).collect()
    }

    /// The collations of a set-returning function's columns.
    fn set_call(&mut self, call: &mut SetCall) -> Result<Vec<Derived>> {
        let merged = self.merged(&mut call.args)?;
        let alone = call.columns.len() == 1;
        let columns = call.columns.iter().map(|column| match self.of_type(column.ty) {
            0 => Derived::NONE,
            _ if alone && merged.strength != Strength::None => merged.column(),
            own => Derived::implicit(own, 0),
        });
        Ok(columns.collect())
    }

    fn grouping(&mut self, grouping: &mut Grouping) -> Result<()> {
        let mut columns = Vec::with_capacity(grouping.keys.len() + grouping.aggregates.len());
        for key in &mut grouping.keys {
            let derived = self.expr(key)?;
            let derived = self.settled(derived)?;
            if grouping.sets.is_some() {
                self.require_bytes(derived, "GROUPING SETS")?;
            }
            columns.push(derived.column());
        }
        for call in &mut grouping.aggregates {
            let at = columns.len();
            let (derived, collation) = self.aggregate(call)?;
            if let Some(collation) = collation {
                self.keys.insert((grouping.rel, at), collation);
            }
            columns.push(derived);
        }
        for at in 0..grouping.keys.len() {
            let collation = columns.get(at).map(|&derived| self.by_locale(derived)).transpose()?.flatten();
            if let Some(collation) = collation.filter(|collation| !collation.deterministic) {
                self.group_by_key(grouping, at, collation)?;
            }
        }
        self.sources.insert(grouping.rel, Source::Columns(columns));
        Ok(())
    }

    /// Groups by the key of a text, with one text of the group behind the aggregates.
    fn group_by_key(&mut self, grouping: &mut Grouping, at: usize, collation: Arc<Collation>) -> Result<()> {
        let column = grouping.keys.len() + grouping.aggregates.len();
        let Some(key) = grouping.keys.get_mut(at) else { return Ok(()) };
        let mut arg = key.clone();
        to_key(key, &collation);
        to_reversible_key(&mut arg, &collation);
        let ty = arg.ty;
        grouping.aggregates.push(AggregateCall {
            function: function(MIN)?,
            args: vec![arg],
            direct_args: 0,
            distinct: false,
            order_by: Vec::new(),
            within_group: false,
            filter: None,
            ty,
        });
        self.representatives.insert((grouping.rel, at), (column, collation));
        Ok(())
    }

    /// The collation of an aggregate's result, which is a reversible key if there is a second one.
    fn aggregate(&mut self, call: &mut AggregateCall) -> Result<(Derived, Option<Arc<Collation>>)> {
        let merged = self.merged(&mut call.args)?;
        self.each(&mut call.filter)?;
        let collation = self.by_locale(merged)?.filter(|collation| call.distinct && !collation.deterministic);
        match (collation, call.args.as_mut_slice()) {
            (None, _) => {}
            (Some(collation), [arg]) if call.function.name == "count" => to_key(arg, &collation),
            (Some(_), _) => self.require_bytes(merged, "DISTINCT")?,
        }
        for key in &mut call.order_by {
            let derived = self.expr(&mut key.expr)?;
            let derived = self.settled(derived)?;
            if let Some(collation) = self.by_locale(derived)? {
                if call.within_group {
                    return Err(Error::unsupported("WITHIN GROUP under an ICU collation"));
                }
                to_key(&mut key.expr, &collation);
            }
        }
        let derived = self.result(merged, call.ty);
        let collation = self.extreme(&mut call.function, &mut call.args, &mut call.ty, merged)?;
        Ok((derived, collation))
    }

    /// The minimum or maximum of texts becomes that of their keys.
    fn extreme(
        &mut self,
        called: &mut Arc<crate::functions::Function>,
        args: &mut [Expr],
        ty: &mut aegis_catalog::Type,
        merged: Derived,
    ) -> Result<Option<Arc<Collation>>> {
        let replacement = match called.name.as_str() {
            "min" => MIN,
            "max" => MAX,
            _ => return Ok(None),
        };
        let [arg] = args else { return Ok(None) };
        if !is_text(arg.ty, self.catalog) {
            return Ok(None);
        }
        let derived = self.settled(merged)?;
        let Some(collation) = self.by_locale(derived)? else { return Ok(None) };
        *called = function(replacement)?;
        to_reversible_key(arg, &collation);
        *ty = arg.ty;
        Ok(Some(collation))
    }

    fn result(&self, merged: Derived, ty: aegis_catalog::Type) -> Derived {
        match self.of_type(ty) {
            0 => Derived::NONE,
            own if merged.strength == Strength::None => Derived::implicit(own, 0),
            _ => merged.column(),
        }
    }

    fn window(&mut self, rel: RelId, at: usize, call: &mut WindowCall) -> Result<Derived> {
        let merged = self.merged(&mut call.args)?;
        self.each(&mut call.filter)?;
        for key in &mut call.partition_by {
            let derived = self.expr(key)?;
            let derived = self.settled(derived)?;
            if let Some(collation) = self.by_locale(derived)?.filter(|collation| !collation.deterministic) {
                to_key(key, &collation);
            }
        }
        for key in &mut call.order_by {
            let derived = self.expr(&mut key.expr)?;
            let derived = self.settled(derived)?;
            if let Some(collation) = self.by_locale(derived)? {
                to_key(&mut key.expr, &collation);
            }
        }
        for bound in [&mut call.frame.start, &mut call.frame.end] {
            if let FrameBound::Preceding(offset) | FrameBound::Following(offset) = bound {
                self.expr(offset)?;
            }
        }
        let derived = self.result(merged, call.ty);
        if let Some(collation) = self.extreme(&mut call.function, &mut call.args, &mut call.ty, merged)? {
            self.keys.insert((rel, at), collation);
        }
        Ok(derived)
    }

    fn from(&mut self, from: Option<&mut From>) -> Result<()> {
        match from {
            None => Ok(()),
            Some(From::Table { rel, relation, sample, .. }) => {
                self.table(*rel, relation);
                self.each(sample.iter_mut().flat_map(|sample| sample.exprs_mut()))
            }
            Some(From::Subquery { rel, query, .. }) => {
                let columns = self.query(query)?;
                self.sources.insert(*rel, Source::Columns(columns));
                Ok(())
            }
            Some(From::Function { rel, calls, .. }) => {
                let mut columns = Vec::new();
                for call in calls {
                    columns.extend(self.set_call(call)?);
                }
                self.sources.insert(*rel, Source::Columns(columns));
                Ok(())
            }
            Some(From::Cte { rel, cte, columns, .. }) => {
                let known = self.ctes.get(cte).cloned().unwrap_or_else(|| {
                    columns.iter().map(|column| Derived::implicit(self.of_type(column.ty), 0)).collect()
                });
                self.sources.insert(*rel, Source::Columns(known));
                Ok(())
            }
            Some(From::Join { left, right, condition, .. }) => {
                self.from(Some(left))?;
                self.from(Some(right))?;
                self.each(condition)
            }
        }
    }
}
