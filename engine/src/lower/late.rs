//! Targets that are computed after ORDER BY: volatile ones and set-returning functions that it does not sort by, so that `nextval` counts
//! in the order of the result, only for rows within LIMIT, and the rows of a set stay in their order (PostgreSQL's
//! `make_sort_input_target`).

use aegis_catalog::types::oid;
use aegis_catalog::{Result, Type};

use super::Lowerer;
use super::free::{calls_volatile, reads_column};
use super::relation::{Binding, Output, Relation};
use super::value::Value;
use crate::bind::tree::{Distinct, Query, Select, SetExpr, SortKey};

impl Lowerer<'_> {
    /// The query if it is such a one.
    pub(super) fn late_select(&mut self, query: &Query, base: Option<&Relation>) -> Result<Option<Output>> {
        let SetExpr::Select(select) = &query.body else { return Ok(None) };
        let locks = !self.locked.is_empty() || !query.locking.is_empty();
        if base.is_some() || locks || query.order_by.is_empty() || select.distinct != Distinct::None {
            return Ok(None);
        }
        let sorted: Vec<usize> = query.order_by.iter().map(|key| key.position).collect();
        let (early, late): (Vec<usize>, Vec<usize>) =
            (0..select.targets.len()).partition(|position| sorted.contains(position));
        if super::transform::of(select)?.is_some() {
            return Ok(None);
        }
        let volatile = late.iter().any(|&position| select.targets.get(position).is_some_and(calls_volatile));
        let sets = select.set_functions.as_ref().is_some_and(|sets| {
            let mut columns = (0..sets.calls.len()).map(|column| (sets.rel, column));
            !columns.any(|column| {
                early.iter().any(|&position| select.targets.get(position).is_some_and(|e| reads_column(e, column)))
            })
        });
        // Sets that ORDER BY looks at come before it, and with them everything.
        if !(sets && !query.with_ties || volatile && select.set_functions.is_none()) {
            return Ok(None);
        }
        let mut input = self.select_input(select, None, None)?;
        if !input.domain.is_empty() {
            return Ok(None);
        }
        let columns = self.sort_input(query, select, &early, &mut input)?;
        let order = sorting(query, &early);
        let types = early.iter().filter_map(|&position| select.targets.get(position)).map(|target| target.ty);
        let mut types: Vec<_> = types.collect();
        let plan = std::mem::take(&mut input.plan);
        // The rows' numbers, and those of the rows that sets make of each.
        let mut numbers = Vec::new();
        match &select.set_functions {
            Some(functions) => {
                let keys = self.sort_keys(&order.order_by, &columns, &types)?;
                let (plan, number) = self.number_rows(plan, Vec::new(), keys, false)?;
                input.plan = plan;
                numbers.push(number);
                self.numbered_sets(functions, &mut input, Some(&mut numbers))?;
            }
            None => {
                let output = Output { plan, columns: columns.clone(), domain: Vec::new() };
                input.plan = self.order_and_limit(&order, output, &types)?.plan;
            }
        }
        let mut values = Vec::with_capacity(select.targets.len());
        for (position, target) in select.targets.iter().enumerate() {
            let known = early.iter().position(|&place| place == position).and_then(|place| columns.get(place));
            values.push(match known {
                Some(binding) => Value::new(binding.expr(), target.ty, binding.data_type.clone()),
                None => self.expr(target, &mut input)?,
            });
        }
        if numbers.is_empty() {
            return self.targets(values, query, input).map(Some);
        }
        types = select.targets.iter().map(|target| target.ty).collect();
        let mut limit = Query { with_ties: false, ..order };
        limit.order_by.clear();
        for number in numbers {
            let key = SortKey { position: values.len(), collation: None, descending: false, nulls_first: false };
            limit.order_by.push(key);
            values.push(Value::new(number.expr(), Type::of(oid::INT8), number.data_type.clone()));
            types.push(Type::of(oid::INT8));
        }
        let output = self.targets(values, query, input)?;
        self.order_and_limit(&limit, output, &types).map(Some)
    }

    /// Adds the targets that ORDER BY sorts by as columns.
    fn sort_input(
        &mut self,
        query: &Query,
        select: &Select,
        early: &[usize],
        input: &mut Relation,
    ) -> Result<Vec<Binding>> {
        let mut exprs = Vec::new();
        for &position in early {
            let Some(target) = select.targets.get(position) else { continue };
            let value = self.expr(target, input)?;
            let name = query.columns.get(position).map_or("hidden", |column| column.name.as_str());
            exprs.push((value.expr, self.binding(name, value.data_type)));
        }
        input.extend(exprs.iter().map(|(expr, binding)| (expr.clone(), binding)).collect())?;
        Ok(exprs.into_iter().map(|(_, binding)| binding).collect())
    }
}

/// What sorts and limits the early targets.
fn sorting(query: &Query, early: &[usize]) -> Query {
    let keys = query.order_by.iter().filter_map(|key| {
        let position = early.iter().position(|&position| position == key.position)?;
        Some(SortKey { position, ..key.clone() })
    });
    Query {
        order_by: keys.collect(),
        limit: query.limit.clone(),
        with_ties: query.with_ties,
        offset: query.offset.clone(),
        ..Query::empty()
    }
}
