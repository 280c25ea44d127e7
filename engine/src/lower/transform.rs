//! Transforms of groups: a key of GROUP BY whose function makes other rows of the groups (`extension::transform`).

use std::sync::Arc;

use aegis_catalog::{Error, Result, Type, sqlstate};
use datafusion::common::Column;
use datafusion::logical_expr::Expr;

use super::Lowerer;
use super::build::{one_row, project};
use super::call::result_representation;
use super::key::exact_key_of;
use super::relation::{Binding, Relation};
use super::select::flatten;
use super::value::Value;
use crate::bind::tree::{self, CallForm, ExprKind, Grouping, RelId, Select};
use crate::bind::walk;
use crate::execute::error::from_datafusion;
use crate::execute::node::node;
use crate::execute::transform::{Call, Place, Plan, TransformNode};
use crate::extension::transform::{Comparison, Part};
use crate::functions::Body;

/// A transform that a query asks for.
pub(super) struct Transform {
    /// Position of its key.
    key: usize,
    /// The calls that it computes.
    calls: Vec<tree::Expr>,
}

/// Where the calls' results are kept in a relation's columns.
fn results_of(grouping: RelId) -> RelId {
    RelId(grouping.0 | 3 << 30)
}

fn part(expr: &tree::Expr) -> Option<Part> {
    let ExprKind::Call { function, .. } = &expr.kind else { return None };
    match function.body {
        Body::Transform { part, .. } => Some(part),
        _ => None,
    }
}

fn name(expr: &tree::Expr) -> &str {
    match &expr.kind {
        ExprKind::Call { function, .. } => &function.name,
        _ => "",
    }
}

/// The transform of a SELECT, if it has one, and the SELECT with the results of its calls in their place.
pub(super) fn of(select: &Select) -> Result<Option<(Transform, Select)>> {
    let Some(grouping) = &select.grouping else { return Ok(None) };
    let mut found = None;
    for (position, key) in grouping.keys.iter().enumerate() {
        if let Some(Part::Key { .. }) = part(key) {
            if found.replace(position).is_some() {
                let message = format!("multiple {} calls not allowed", name(key));
                return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message));
            }
        } else if let Some(inner) = key_within(key) {
            let message = format!("no top level {inner} in group by clause");
            return Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message));
        }
    }
    let Some(key) = found else { return Ok(None) };
    if grouping.sets.is_some() {
        return Err(Error::unsupported(format!("{} in grouping sets", grouping.keys.get(key).map_or("", name))));
    }
    let mut select = select.clone();
    let mut calls = Vec::new();
    let mut failed = Ok(());
    let rel = results_of(grouping.rel);
    let mut visit = |expr: &mut tree::Expr| {
        if failed.is_ok() {
            failed = replace(expr, rel, &mut calls);
        }
    };
    select.targets.iter_mut().for_each(&mut visit);
    for call in select.windows.iter_mut().flat_map(|windows| &mut windows.calls) {
        walk::window(call, &mut visit);
    }
    let sets = select.set_functions.iter_mut().flat_map(|sets| &mut sets.calls);
    sets.flat_map(|(_, call)| &mut call.args).for_each(&mut visit);
    failed?;
    Ok(Some((Transform { key, calls }, select)))
}

/// The name of a key's function somewhere within an expression.
fn key_within(expr: &tree::Expr) -> Option<String> {
    fn visit(expr: &mut tree::Expr, found: &mut Option<String>) {
        if let Some(Part::Key { .. }) = part(expr) {
            *found = Some(name(expr).to_owned());
        }
        walk::children(expr, &mut |child| visit(child, found));
    }
    let mut found = None;
    visit(&mut expr.clone(), &mut found);
    found
}

/// Puts the column of its result in the place of each call.
fn replace(expr: &mut tree::Expr, rel: RelId, calls: &mut Vec<tree::Expr>) -> Result<()> {
    let Some(Part::Value(_)) = part(expr) else {
        let mut result = Ok(());
        walk::children(expr, &mut |child| {
            if result.is_ok() {
                result = replace(child, rel, calls);
            }
        });
        return result;
    };
    let mut nested = Vec::new();
    let mut inner = Ok(());
    walk::children(&mut expr.clone(), &mut |child| {
        if inner.is_ok() {
            inner = replace(child, rel, &mut nested);
        }
    });
    inner?;
    if let Some(inner) = nested.first() {
        return Err(Error::unsupported(format!("{} within {}", name(inner), name(expr))));
    }
    let column = calls.iter().position(|call| call == expr).unwrap_or_else(|| {
        calls.push(expr.clone());
        calls.len() - 1
    });
    expr.kind = ExprKind::Column { rel, column };
    Ok(())
}

/// The one row of constants that a transform is defined by.
struct Constants {
    row: Relation,
    columns: Vec<(Expr, Binding)>,
}

impl Constants {
    fn add(&mut self, value: Value, binding: Binding) -> usize {
        self.columns.push((value.expr, binding));
        self.columns.len() - 1
    }
}

impl Lowerer<'_> {
    /// The node above the groups (after HAVING).
    pub(super) fn transform(
        &mut self,
        transform: &Transform,
        select: &Select,
        mut input: Relation,
    ) -> Result<Relation> {
        let Some((grouping, key)) = select.grouping.as_ref().and_then(|of| Some((of, of.keys.get(transform.key)?)))
        else {
            return Err(Error::internal("a transform without its key"));
        };
        let (ExprKind::Call { function, args, .. }, Some(Part::Key { argument, open })) = (&key.kind, part(key)) else {
            return Err(Error::internal("a transform without its function"));
        };
        let mut constants = Constants { row: Relation::new(one_row()), columns: Vec::new() };
        let mut arguments = Vec::with_capacity(args.len());
        for (position, arg) in args.iter().enumerate() {
            let place = if position == argument { None } else { self.constant(arg, &mut constants)? };
            arguments.push(place.map(|place| (place, arg.ty)));
        }
        let bounds = match (&select.filter, args.get(argument)) {
            (Some(filter), Some(bounded)) => self.bounds(bounded, filter, &mut constants)?,
            _ => Vec::new(),
        };
        let mut calls = Vec::with_capacity(transform.calls.len());
        let mut results = Vec::with_capacity(transform.calls.len());
        for call in &transform.calls {
            let (call, result) = self.transform_call(call, &mut input, &mut constants)?;
            calls.push(call);
            results.push(result);
        }
        let order = self.series_columns(grouping, transform.key, &mut input)?;
        let keys = (0..grouping.keys.len()).filter(|&position| position != transform.key);
        let keys = keys.filter_map(|position| input.find(grouping.rel, position)).chain(&order);
        let last = order.last().map(|key| key.column.clone());
        let series =
            keys.map(|binding| binding.column.clone()).filter(|column| Some(column) != last.as_ref()).collect();
        let plan = Plan {
            name: function.name.clone(),
            context: self.statement().clone(),
            open,
            key: key.ty,
            series,
            has_series: order.len() > 1,
            order: order.into_iter().map(|binding| binding.column).collect(),
            arguments,
            bounds,
            calls,
            results: results.iter().map(|result| result.column.clone()).collect(),
        };
        let columns = constants.columns.iter().map(|(expr, binding)| (expr.clone(), binding)).collect();
        let definition = project(constants.row.plan, columns)?;
        let groups = std::mem::take(&mut input.plan);
        input.plan = node(Arc::new(TransformNode(plan)), vec![definition, groups]).map_err(from_datafusion)?;
        input.rels.insert(results_of(grouping.rel), results);
        Ok(input)
    }

    /// An expression that depends on no row; None if it does.
    fn constant(&mut self, expr: &tree::Expr, constants: &mut Constants) -> Result<Option<usize>> {
        if !self.free_in_expr(expr).is_empty() {
            return Ok(None);
        }
        let value = self.expr(expr, &mut constants.row)?.into_computed()?;
        let binding = self.binding("constant", value.data_type.clone());
        Ok(Some(constants.add(value, binding)))
    }

    /// Conditions that compare `bounded` with what depends on no row.
    fn bounds(
        &mut self,
        bounded: &tree::Expr,
        filter: &tree::Expr,
        constants: &mut Constants,
    ) -> Result<Vec<(Comparison, usize, Type)>> {
        let mut conjuncts = Vec::new();
        flatten(filter, &mut conjuncts);
        let mut bounds = Vec::new();
        for conjunct in conjuncts {
            let ExprKind::Call { form: CallForm::Operator(operator), args, .. } = &conjunct.kind else { continue };
            let [left, right] = args.as_slice() else { continue };
            let Some(comparison) = comparison_of(operator) else { continue };
            let (value, comparison) = match (left == bounded, right == bounded) {
                (true, false) => (right, comparison),
                (false, true) => (left, turned(comparison)),
                _ => continue,
            };
            if let Some(place) = self.constant(value, constants)? {
                bounds.push((comparison, place, value.ty));
            }
        }
        Ok(bounds)
    }

    /// A call that the transform computes, and where its result goes.
    fn transform_call(
        &mut self,
        call: &tree::Expr,
        input: &mut Relation,
        constants: &mut Constants,
    ) -> Result<(Call<Column>, Binding)> {
        let (ExprKind::Call { function, args, .. }, Some(Part::Value(name))) = (&call.kind, part(call)) else {
            return Err(Error::internal("a call that is none of the transform"));
        };
        let mut arguments = Vec::with_capacity(args.len());
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            let (value, place) = match self.constant(arg, constants)? {
                Some(place) => {
                    let (expr, binding) =
                        constants.columns.get(place).ok_or_else(|| Error::internal("a constant that is not there"))?;
                    (Value::new(expr.clone(), arg.ty, binding.data_type.clone()), Place::Definition(place))
                }
                None => {
                    let value = self.expr(arg, input)?.into_computed()?;
                    let binding = self.binding("argument", value.data_type.clone());
                    input.extend(vec![(value.expr.clone(), &binding)])?;
                    (value, Place::Groups(binding.column))
                }
            };
            values.push(value);
            arguments.push((place, arg.ty));
        }
        let data_type = result_representation(self.catalog(), function, &values, call.ty);
        let result = self.binding(name, data_type.clone());
        Ok((Call { name, arguments, data_type }, result))
    }

    /// The columns that the groups are sorted by: what tells series apart, then the key.
    fn series_columns(&mut self, grouping: &Grouping, key: usize, input: &mut Relation) -> Result<Vec<Binding>> {
        let mut order: Vec<Binding> = input.domain_bindings().cloned().collect();
        let mut last = None;
        for (position, expr) in grouping.keys.iter().enumerate().take(grouping.written) {
            let binding = input.get(grouping.rel, position)?.clone();
            if position == key {
                last = Some(binding);
                continue;
            }
            let exact = exact_key_of(binding.expr(), expr.ty, &binding.data_type)?;
            if exact == binding.expr() {
                order.push(binding);
                continue;
            }
            use datafusion::logical_expr::ExprSchemable;
            let data_type = exact.get_type(input.plan.schema()).map_err(from_datafusion)?;
            let told_apart = self.binding("series", data_type);
            input.extend(vec![(exact, &told_apart)])?;
            order.push(told_apart);
        }
        order.push(last.ok_or_else(|| Error::internal("a transform without its key"))?);
        Ok(order)
    }
}

fn comparison_of(operator: &str) -> Option<Comparison> {
    Some(match operator {
        "=" => Comparison::Equal,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        ">=" => Comparison::GreaterOrEqual,
        _ => return None,
    })
}

/// With the sides exchanged.
fn turned(comparison: Comparison) -> Comparison {
    match comparison {
        Comparison::Equal => Comparison::Equal,
        Comparison::Less => Comparison::Greater,
        Comparison::LessOrEqual => Comparison::GreaterOrEqual,
        Comparison::Greater => Comparison::Less,
        Comparison::GreaterOrEqual => Comparison::LessOrEqual,
    }
}
