//! One SELECT: FROM → WHERE → GROUP BY → HAVING → transform of groups → windows → set-returning functions → targets → DISTINCT.

use aegis_catalog::types::oid;
use aegis_catalog::{Result, Type};
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, Operator};

use super::Lowerer;
use super::build::{binary, filter, integer, one_row, project};
use super::free::has_subquery;
use super::key::exact_key_of;
use super::relation::{Binding, Output, Relation};
use super::transform::{self, Transform};
use super::value::Value;
use crate::bind::tree::{self, Distinct, ExprKind, From, OrderKey, Query, Select};
use crate::collation::Operation;
use crate::parse::ast::Span;
use crate::partition::prune::Comparison;

impl Lowerer<'_> {
    pub fn select(&mut self, select: &Select, query: &Query, base: Option<&Relation>) -> Result<Output> {
        // Only the outermost SELECT locks.
        let locked = std::mem::take(&mut self.locked);
        let transformed = transform::of(select)?;
        let (transform, select) = match &transformed {
            Some((transform, select)) => (Some(transform), select),
            None => (None, select),
        };
        if transform.is_none() && locked.is_empty() {
            self.reduce_to_last_rows(query, select, base.is_some())?;
        }
        let mut input = self.select_input(select, transform, base)?;
        if let Some(set_functions) = &select.set_functions {
            self.set_functions(set_functions, &mut input)?;
        }
        let values = self.exprs(&select.targets, &mut input)?;
        self.locked = locked;
        let output = self.targets(values, query, input)?;
        let types: Vec<Type> = select.targets.iter().map(|target| target.ty).collect();
        match &select.distinct {
            Distinct::None => Ok(output),
            Distinct::All => {
                let mut output = output;
                output.columns.truncate(query.columns.len());
                self.distinct_rows(output, &types)
            }
            Distinct::On(positions) => self.distinct_on(positions, query, output, &types),
        }
    }

    /// What the targets are computed from: FROM to windows.
    pub(super) fn select_input(
        &mut self,
        select: &Select,
        transform: Option<&Transform>,
        base: Option<&Relation>,
    ) -> Result<Relation> {
        if let Some(condition) = &select.filter {
            self.demand(condition)?;
        }
        let mut input = match &select.from {
            Some(from) => self.from(from, base)?,
            None => base.cloned().unwrap_or_else(|| Relation::new(one_row())),
        };
        if let Some(condition) = &select.filter {
            self.filter_by(condition, &mut input)?;
        }
        if let Some(grouping) = &select.grouping {
            let order = self.order_of(select.from.as_ref(), &input);
            input = self.grouping(grouping, &order, input)?;
        }
        if let Some(condition) = &select.having {
            self.filter_by(condition, &mut input)?;
        }
        if let Some(transform) = transform {
            input = self.transform(transform, select, input)?;
        }
        if let Some(windows) = &select.windows {
            self.windows(windows, &mut input)?;
        }
        Ok(input)
    }

    /// The order of the rows, if all of them are those of one sub-query with ORDER BY.
    fn order_of(&self, from: Option<&From>, input: &Relation) -> Vec<OrderKey> {
        let (rel, query) = match from {
            Some(From::Subquery { rel, query, .. }) => (*rel, query.as_ref()),
            Some(From::Cte { rel, cte, .. }) => match self.query_of_cte(*cte) {
                Some(query) => (*rel, query),
                None => return Vec::new(),
            },
            _ => return Vec::new(),
        };
        let types = super::query::output_types(query);
        let key = |sort: &tree::SortKey| {
            let kind = ExprKind::Column { rel, column: sort.position };
            let column = tree::Expr { kind, ty: *types.get(sort.position)?, span: Span::default() };
            let expr = match &sort.collation {
                Some(collation) => tree::Expr {
                    ty: Operation::Key.result(),
                    span: column.span,
                    kind: ExprKind::Collated {
                        arg: Box::new(column),
                        operation: Operation::Key,
                        collation: collation.clone(),
                    },
                },
                None => column,
            };
            input.find(rel, sort.position)?;
            Some(OrderKey { expr, descending: sort.descending, nulls_first: sort.nulls_first })
        };
        query.order_by.iter().map_while(key).collect()
    }

    /// Projects to the domain and the targets.
    pub(super) fn targets(&mut self, values: Vec<Value>, query: &Query, mut input: Relation) -> Result<Output> {
        let source = std::mem::take(&mut input.plan);
        let mut columns: Vec<Binding> = Vec::with_capacity(values.len());
        for (position, value) in values.iter().enumerate() {
            let used = |column: &Column| {
                columns.iter().any(|binding| binding.column == *column)
                    || input.domain_bindings().any(|binding| binding.column == *column)
            };
            let binding = match &value.expr {
                Expr::Column(column) if !used(column) => {
                    Binding { column: column.clone(), data_type: value.data_type.clone() }
                }
                _ => {
                    let hint = query.columns.get(position).map_or("hidden", |column| column.name.as_str());
                    self.binding(hint, value.data_type.clone())
                }
            };
            columns.push(binding);
        }
        let addresses = self.locked_addresses(&input)?;
        let carried = input.domain_bindings().map(|binding| (binding.expr(), binding));
        let exprs = carried
            .chain(values.into_iter().map(|value| value.expr).zip(&columns))
            .chain(addresses.iter().map(|(expr, binding)| (expr.clone(), binding)))
            .collect();
        let plan = project(source, exprs)?;
        columns.extend(addresses.iter().map(|(_, binding)| binding.clone()));
        Ok(Output { plan, columns, domain: input.domain })
    }

    /// DISTINCT ON: the first row of each group in ORDER BY's order.
    fn distinct_on(&mut self, on: &[usize], query: &Query, mut output: Output, types: &[Type]) -> Result<Output> {
        let mut partition: Vec<Expr> = output.domain.iter().map(|column| column.binding.expr()).collect();
        for position in on {
            if let (Some(binding), Some(ty)) = (output.columns.get(*position), types.get(*position)) {
                partition.push(exact_key_of(binding.expr(), *ty, &binding.data_type)?);
            }
        }
        let order = self.sort_keys(&query.order_by, &output.columns, types)?;
        let (plan, number) = self.number_rows(output.plan, partition, order, false)?;
        output.plan = filter(plan, Some(binary(number.expr(), Operator::Eq, integer(1))))?;
        Ok(output)
    }

    /// Remembers the columns that a condition compares with a constant, so that a table may be read by key, and partitions left out.
    pub fn demand(&mut self, condition: &tree::Expr) -> Result<()> {
        let mut conjuncts = Vec::new();
        flatten(condition, &mut conjuncts);
        for conjunct in conjuncts {
            let ExprKind::Call { form: tree::CallForm::Operator(operator), args, .. } = &conjunct.kind else {
                continue;
            };
            let [left, right] = args.as_slice() else { continue };
            // Blank-padded equality is not that of the representations, also where the column is a varchar.
            let comparison = comparison_of(operator);
            if comparison.is_none() || left.ty.oid == oid::BPCHAR {
                continue;
            }
            for (column, value, turned) in [(left, right, false), (right, left, true)] {
                let Some(column) = plain_column(column) else { continue };
                if has_subquery(value) || !self.free_in_expr(value).is_empty() {
                    continue;
                }
                let value = self.expr(value, &mut Relation::new(one_row()))?;
                let Some(constant) = value.constant() else { continue };
                match comparison {
                    Some(Comparison::Equal) => drop(self.demanded.insert(column, constant.clone())),
                    Some(other) => {
                        let other = if turned { other.turned() } else { other };
                        self.compared.push((column, other, constant.clone()));
                    }
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// WHERE and HAVING. Conditions without sub-queries go first; EXISTS and IN among the others become semi joins.
    pub fn filter_by(&mut self, condition: &tree::Expr, input: &mut Relation) -> Result<()> {
        let mut conjuncts = Vec::new();
        flatten(condition, &mut conjuncts);
        let (later, first): (Vec<_>, Vec<_>) = conjuncts.into_iter().partition(|conjunct| has_subquery(conjunct));
        if !first.is_empty() {
            let ty = condition.ty;
            let plain =
                tree::Expr { kind: ExprKind::And(first.into_iter().cloned().collect()), ty, span: condition.span };
            let plain = self.condition(&plain, input)?;
            input.filter(Some(plain))?;
        }
        for conjunct in later {
            if !self.filter_by_subquery(conjunct, input)? {
                let condition = self.condition(conjunct, input)?;
                input.filter(Some(condition))?;
            }
        }
        Ok(())
    }
}

pub(super) fn comparison_of(operator: &str) -> Option<Comparison> {
    Some(match operator {
        "=" => Comparison::Equal,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">=" => Comparison::GreaterOrEqual,
        ">" => Comparison::Greater,
        _ => return None,
    })
}

/// The column behind an expression that is nothing else (but perhaps under another type name).
pub(super) fn plain_column(expr: &tree::Expr) -> Option<super::ColumnRef> {
    match &expr.kind {
        ExprKind::Column { rel, column } => Some((*rel, *column)),
        ExprKind::Cast { arg, method: tree::CastMethod::Relabel, .. } => plain_column(arg),
        _ => None,
    }
}

/// The operands of nested ANDs.
pub fn flatten<'e>(condition: &'e tree::Expr, out: &mut Vec<&'e tree::Expr>) {
    match &condition.kind {
        ExprKind::And(operands) => operands.iter().for_each(|operand| flatten(operand, out)),
        _ => out.push(condition),
    }
}
