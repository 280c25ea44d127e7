//! GROUP BY, grouping sets and aggregates.

use std::collections::HashMap;
use std::sync::Arc;

use aegis_catalog::types::oid;
use aegis_catalog::{Error, Result, Type};
use arrow::compute::SortOptions;
use arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType};
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::functions_aggregate::min_max::{max_udaf, min_udaf};
use datafusion::functions_aggregate::sum::sum_udaf;
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::{AggregateUDF, Expr, LogicalPlan};
use datafusion::scalar::ScalarValue;

use super::build::{aggregate, integer, join_not_distinct, literal, project};
use super::expr::when;
use super::key::{exact_key, is_keyed, key, key_of_column};
use super::relation::{Binding, DomainColumn, Relation};
use super::set_operation::representative;
use super::value::{Value, cast};
use super::values::union_all;
use super::{Lowerer, is_numeric};
use crate::bind::tree::{self, AggregateCall, ExprKind, Grouping, OrderKey, RelId};
use crate::execute::aggregate::{Inner, Ordered, distinct_count};
use crate::execute::error::from_datafusion;
use crate::functions::{AggregateTypes, Body, Function};

/// Aggregates whose result does not depend on the order of rows.
const UNORDERED: [&str; 10] =
    ["count", "sum", "avg", "min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or"];
/// Aggregates that show their rows in the order in which they come, which a sub-query may have chosen.
const SEQUENTIAL: [&str; 6] =
    ["array_agg", "string_agg", "json_agg", "jsonb_agg", "json_object_agg", "jsonb_object_agg"];
/// Aggregates whose result does not depend on duplicates.
const IDEMPOTENT: [&str; 7] = ["min", "max", "bool_and", "bool_or", "every", "bit_and", "bit_or"];
/// Aggregates that read Decimal128 as it is, and sum products of two.
const TOTALS: [&str; 2] = ["sum", "avg"];
/// Digits of a Decimal128 that leave room for the sum of any number of rows.
const SUM_PRECISION: u8 = 28;

/// One aggregate as a call over columns, and where its result goes.
pub(super) struct Aggregated {
    call: Expr,
    result: Binding,
    /// Set if the result must be converted to the type's representation.
    convert: Option<DataType>,
    /// The value over no rows.
    pub empty: ScalarValue,
}

/// A column that rows are grouped by.
#[derive(Clone)]
pub(super) struct GroupKey {
    column: Binding,
    /// The column, or what makes it of constants and of other columns of the group: then the optimizer sees that rows need not be
    /// grouped by it too.
    by: Expr,
    /// The type of values that may look different and still be equal, as 1.0 and 1.00: they are grouped by their keys.
    unlike: Option<Type>,
}

impl GroupKey {
    /// Equal values of the column look the same.
    pub fn alike(column: &Binding) -> Self {
        Self { column: column.clone(), by: column.expr(), unlike: None }
    }

    /// `plain` are the columns among the keys, and what they are called as such.
    fn new(key: &tree::Expr, value: Expr, column: Binding, plain: &HashMap<Column, Expr>) -> Result<Self> {
        let unlike = is_keyed(key.ty, &column.data_type) && !has_one_scale(key);
        let follows = !matches!(value, Expr::Column(_))
            && !value.is_volatile()
            && value.column_refs().iter().all(|column| plain.contains_key(column));
        let by = match follows {
            true => renamed(value, plain)?.alias(&column.column.name),
            false => column.expr(),
        };
        Ok(Self { column, by, unlike: unlike.then_some(key.ty) })
    }
}

fn renamed(expr: Expr, names: &HashMap<Column, Expr>) -> Result<Expr> {
    let rename = |expr: Expr| {
        Ok(match expr.try_as_col().and_then(|column| names.get(column)) {
            Some(name) => Transformed::yes(name.clone()),
            None => Transformed::no(expr),
        })
    };
    Ok(expr.transform(rename).map_err(from_datafusion)?.data)
}

/// Whether an expression yields numerics that all have the same number of decimal places.
fn has_one_scale(expr: &tree::Expr) -> bool {
    let ExprKind::Call { function, args, .. } = &expr.kind else { return false };
    // Of Julian dates the fraction is shown as far as it goes.
    let field = args.first().and_then(|field| match &field.kind {
        ExprKind::Constant(value) => value.try_as_str().flatten(),
        _ => None,
    });
    let is_ours = matches!(function.body, Body::Scalar(_)) && function.name == "extract";
    is_ours && field.is_some_and(|field| !field.eq_ignore_ascii_case("julian"))
}

/// The call with its input's order, if it has none of its own and shows one.
fn in_order_of(call: &AggregateCall, order: &[OrderKey]) -> Option<AggregateCall> {
    let sequential = match call.function.body {
        Body::UserAggregate(_) => true,
        _ => SEQUENTIAL.contains(&call.function.name.as_str()),
    };
    let open = sequential && !call.distinct && !call.within_group && call.order_by.is_empty() && !order.is_empty();
    open.then(|| AggregateCall { order_by: order.to_vec(), ..call.clone() })
}

impl Lowerer<'_> {
    /// `order` is the one that the input is in.
    pub fn grouping(&mut self, grouping: &Grouping, order: &[OrderKey], mut input: Relation) -> Result<Relation> {
        let keys = self.exprs(&grouping.keys, &mut input)?;
        // Keys become columns first, so that grouping sees nothing but columns, and what it need not look at.
        let columns: Vec<Binding> = keys.iter().map(|key| self.binding("key", key.data_type.clone())).collect();
        input.extend(keys.iter().map(|key| key.expr.clone()).zip(&columns).collect())?;
        let plain: HashMap<Column, Expr> = (keys.iter().zip(&columns))
            .filter_map(|(key, column)| Some((key.expr.try_as_col()?.clone(), column.expr())))
            .collect();
        let keys = grouping.keys.iter().zip(keys).zip(columns);
        let keys = keys.map(|((key, value), column)| GroupKey::new(key, value.expr, column, &plain));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let aggregates = grouping.aggregates.iter().map(|call| match in_order_of(call, order) {
            Some(call) => self.aggregate_call(&call, &mut input),
            None => self.aggregate_call(call, &mut input),
        });
        let aggregates = aggregates.collect::<Result<Vec<_>>>()?;
        let Some(sets) = &grouping.sets else {
            return self.group_once(grouping.rel, input, &keys, &aggregates);
        };
        self.group_by_sets(grouping.rel, sets, input, &keys, &aggregates)
    }

    fn group_once(
        &mut self,
        rel: RelId,
        input: Relation,
        keys: &[GroupKey],
        aggregates: &[Aggregated],
    ) -> Result<Relation> {
        let (plan, columns) = self.group_rows(input.plan, &input.domain, keys, aggregates)?;
        let mut output = Relation { plan, rels: [(rel, columns)].into(), domain: input.domain };
        if keys.is_empty() && !output.domain.is_empty() {
            self.fill_empty_groups(rel, &mut output, aggregates)?;
        }
        Ok(output)
    }

    /// Groups by the domain and the keys. Columns of the result: the keys, then the aggregates.
    pub(super) fn group_rows(
        &mut self,
        plan: LogicalPlan,
        domain: &[DomainColumn],
        keys: &[GroupKey],
        aggregates: &[Aggregated],
    ) -> Result<(LogicalPlan, Vec<Binding>)> {
        let mut group: Vec<Expr> = domain.iter().map(|column| column.binding.expr()).collect();
        let mut calls = Vec::new();
        let mut columns = Vec::new();
        for GroupKey { column, by, unlike } in keys {
            if let Some(ty) = *unlike {
                let kept = self.binding("key", column.data_type.clone());
                group.push(key_of_column(column, ty)?);
                calls.push(representative(column.expr(), ty, &column.data_type)?.alias(&kept.column.name));
                columns.push(kept);
            } else {
                group.push(by.clone());
                columns.push(column.clone());
            }
        }
        calls.extend(aggregates.iter().map(|aggregated| aggregated.call.clone().alias(&aggregated.result.column.name)));
        if group.is_empty() && calls.is_empty() {
            // `SELECT 1 … HAVING true`: one group of no interest.
            let count = self.binding("count", DataType::Int64);
            calls.push(count_udaf().call(vec![integer(1)]).alias(&count.column.name));
        }
        let plan = aggregate(plan, group, calls)?;
        let mut converted = Vec::new();
        for aggregated in aggregates {
            match &aggregated.convert {
                None => columns.push(aggregated.result.clone()),
                Some(data_type) => {
                    let binding = self.binding("result", data_type.clone());
                    converted.push((cast(aggregated.result.expr(), data_type), binding.clone()));
                    columns.push(binding);
                }
            }
        }
        let exprs = converted.iter().map(|(expr, binding)| (expr.clone(), binding)).collect();
        Ok((super::build::extend(plan, exprs)?, columns))
    }

    /// An aggregate without GROUP BY has a row even over no rows: also for those values of the domain that no row has.
    fn fill_empty_groups(&mut self, rel: RelId, output: &mut Relation, aggregates: &[Aggregated]) -> Result<()> {
        let Some(source) = self.domains.last().cloned() else {
            return Err(Error::internal("a domain of unknown origin"));
        };
        let grouped = std::mem::take(&mut output.plan);
        // The grouped rows' domain columns get other names; the domain itself keeps them.
        let renamed: Vec<Binding> =
            output.domain.iter().map(|column| self.binding("outer", column.binding.data_type.clone())).collect();
        let found = self.binding("found", DataType::Boolean);
        let columns = output.rels.get(&rel).cloned().unwrap_or_default();
        let exprs = output
            .domain
            .iter()
            .map(|column| column.binding.expr())
            .zip(&renamed)
            .chain(columns.iter().map(|column| (column.expr(), column)))
            .chain([(super::build::boolean(true), &found)])
            .collect();
        let grouped = project(grouped, exprs)?;
        let pairs = renamed.iter().zip(&output.domain).map(|(left, right)| (left.expr(), right.binding.expr()));
        let joined = join_not_distinct(grouped, source, JoinType::Right, pairs.collect(), None)?;
        let filled: Vec<Binding> =
            columns.iter().map(|column| self.binding("result", column.data_type.clone())).collect();
        let mut exprs: Vec<(Expr, &Binding)> =
            output.domain.iter().map(|column| (column.binding.expr(), &column.binding)).collect();
        for ((column, aggregated), filled) in columns.iter().zip(aggregates).zip(&filled) {
            let missing = Expr::IsNull(Box::new(found.expr()));
            let value = match aggregated.empty.is_null() {
                true => column.expr(),
                false => {
                    let empty = literal(aggregated.empty.cast_to(&column.data_type).map_err(from_datafusion)?);
                    when(vec![(missing, empty)], column.expr())
                }
            };
            exprs.push((value, filled));
        }
        output.plan = project(joined, exprs)?;
        output.rels.insert(rel, filled);
        Ok(())
    }

    /// GROUPING SETS: the union of one grouping per set over the same input.
    fn group_by_sets(
        &mut self,
        rel: RelId,
        sets: &[Vec<usize>],
        mut input: Relation,
        keys: &[GroupKey],
        aggregates: &[Aggregated],
    ) -> Result<Relation> {
        input.plan = self.shareable(input.plan)?;
        let results: Vec<Binding> = keys
            .iter()
            .map(|key| self.binding("key", key.column.data_type.clone()))
            .chain(aggregates.iter().map(|aggregated| {
                let data_type = aggregated.convert.as_ref().unwrap_or(&aggregated.result.data_type);
                Binding::named(format!("{}_set", aggregated.result.column.name), data_type.clone())
            }))
            .collect();
        // GROUPING() needs to know which keys a row is grouped by: one flag per key, 1 for a key that is left out.
        let flags: Vec<Binding> = keys.iter().map(|_| self.binding("grouping", DataType::Int32)).collect();
        let mut plans = Vec::new();
        for set in sets {
            let kept: Vec<usize> = (0..keys.len()).filter(|key| set.contains(key)).collect();
            let some_keys: Vec<GroupKey> = kept.iter().filter_map(|key| keys.get(*key).cloned()).collect();
            let output = self.group_once(rel, input.clone(), &some_keys, aggregates)?;
            let columns = output.rels.get(&rel).cloned().unwrap_or_default();
            let (found_keys, found_aggregates) = columns.split_at(kept.len().min(columns.len()));
            let mut exprs: Vec<(Expr, &Binding)> =
                output.domain.iter().map(|column| (column.binding.expr(), &column.binding)).collect();
            for (position, result) in results.iter().take(keys.len()).enumerate() {
                let found = kept.iter().position(|key| *key == position).and_then(|place| found_keys.get(place));
                let expr = match found {
                    Some(binding) => binding.expr(),
                    None => super::build::null(&result.data_type)?,
                };
                exprs.push((expr, result));
            }
            exprs.extend(found_aggregates.iter().map(Binding::expr).zip(results.iter().skip(keys.len())));
            for (position, flag) in flags.iter().enumerate() {
                let left_out = i32::from(!kept.contains(&position));
                exprs.push((literal(ScalarValue::Int32(Some(left_out))), flag));
            }
            plans.push(Arc::new(project(output.plan, exprs)?));
        }
        let mut output = Relation::new(union_all(plans)?);
        output.domain = input.domain;
        output.rels.insert(rel, results);
        output.rels.insert(grouping_flags(rel), flags);
        Ok(output)
    }

    /// `GROUPING(…)`: a bit per key, the last key lowest.
    pub fn grouping_function(&mut self, rel: RelId, keys: &[usize], input: &Relation) -> Result<Value> {
        use datafusion::logical_expr::Operator;
        let mut bits = literal(ScalarValue::Int32(Some(0)));
        for key in keys {
            let Some(flag) = input.find(grouping_flags(rel), *key) else { continue };
            let doubled = super::build::binary(bits, Operator::Multiply, literal(ScalarValue::Int32(Some(2))));
            bits = super::build::binary(doubled, Operator::Plus, flag.expr());
        }
        Ok(Value::computed(bits, Type::of(oid::INT4)))
    }

    pub(super) fn aggregate_call(&mut self, call: &AggregateCall, input: &mut Relation) -> Result<Aggregated> {
        let filter = call.filter.as_ref().map(|filter| self.condition(filter, input)).transpose()?;
        let mut args = self.exprs(&call.args, input)?;
        if let Some(filter) = &filter {
            args = args.into_iter().map(|arg| guarded(arg, filter)).collect::<Result<_>>()?;
        }
        // A user's aggregate may have the name of another one.
        let name = match call.function.body {
            Body::UserAggregate(_) => "",
            _ => call.function.name.as_str(),
        };
        let distinct = call.distinct && !IDEMPOTENT.contains(&name);
        let ordered = !call.order_by.is_empty() && !UNORDERED.contains(&name) && !is_hypothetical(call);
        let (udaf, args, native_distinct) = if name == "count" && args.len() <= 1 && !ordered {
            match args.first() {
                None => (count_udaf(), vec![integer(1)], false),
                Some(arg) if distinct => distinct_values(arg)?,
                Some(arg) => (count_udaf(), vec![arg.expr.clone()], false),
            }
        } else if let Some((udaf, arg)) = native_decimal(name, &args, distinct) {
            (udaf, vec![arg], false)
        } else {
            let args = if distinct || ordered { args } else { factors(name, args, input) };
            let (udaf, args) = self.aggregate_function(&call.function, args, call.ty, &call.order_by)?;
            if distinct || ordered {
                let (udaf, args) = self.ordered(udaf, args, &call.order_by, distinct, input)?;
                (udaf, args, false)
            } else {
                (udaf, args.into_iter().map(|arg| arg.expr).collect(), false)
            }
        };
        let filter = filter.map(Box::new);
        let function = AggregateFunction::new_udf(udaf, args, native_distinct, filter, Vec::new(), None);
        self.aggregated(Expr::AggregateFunction(function), call.ty, input)
    }

    /// The DataFusion aggregate of a function for concrete types.
    pub fn aggregate_function(
        &mut self,
        function: &Arc<Function>,
        args: Vec<Value>,
        ty: Type,
        order_by: &[OrderKey],
    ) -> Result<(Arc<AggregateUDF>, Vec<Value>)> {
        let make = match &function.body {
            Body::Aggregate(make) => make,
            Body::UserAggregate(routine) => return self.user_aggregate_call(routine, args, ty),
            _ => return Err(Error::internal(format!("function {} is no aggregate", function.name))),
        };
        let reads_decimals = TOTALS.contains(&function.name.as_str());
        let args = args.into_iter().map(|arg| match arg.data_type {
            DataType::Decimal128(..) if reads_decimals => Ok(arg),
            _ => arg.into_computed(),
        });
        let args = args.collect::<Result<Vec<_>>>()?;
        let types: Vec<Type> = args.iter().map(|arg| arg.ty).collect();
        let context = self.statement().clone();
        let order: Vec<SortOptions> = order_by
            .iter()
            .map(|key| SortOptions { descending: key.descending, nulls_first: key.nulls_first })
            .collect();
        let data_types: Vec<DataType> = args.iter().map(|arg| arg.data_type.clone()).collect();
        let uses =
            AggregateTypes { context: &context, args: &types, data_types: &data_types, result: ty, order: &order };
        let udaf = make(&uses)?;
        Ok((udaf, args))
    }

    /// Wraps an aggregate so that its input is sorted or without duplicates.
    fn ordered(
        &mut self,
        udaf: Arc<AggregateUDF>,
        args: Vec<Value>,
        order_by: &[OrderKey],
        distinct: bool,
        input: &mut Relation,
    ) -> Result<(Arc<AggregateUDF>, Vec<Expr>)> {
        let mut options = Vec::new();
        let mut keys = Vec::new();
        for sort in order_by {
            let value = self.expr(&sort.expr, input)?;
            keys.push(key(&value)?);
            options.push(SortOptions { descending: sort.descending, nulls_first: sort.nulls_first });
        }
        let mut distinct_keys = 0;
        if distinct {
            for arg in &args {
                keys.push(exact_key(arg)?);
                options.push(SortOptions { descending: false, nulls_first: false });
                distinct_keys += 1;
            }
        }
        let fields: Vec<_> =
            args.iter().map(|arg| Arc::new(arrow::datatypes::Field::new("arg", arg.data_type.clone(), true))).collect();
        let result = udaf.return_field(&fields).map_err(from_datafusion)?.data_type().clone();
        let wrapped = Ordered::udaf(Inner::Aggregate(udaf), args.len(), options, distinct_keys, result);
        let args = args.into_iter().map(|arg| arg.expr).chain(keys).collect();
        Ok((Arc::new(wrapped), args))
    }

    /// Names the result, and says how to bring it into its type's representation.
    fn aggregated(&mut self, call: Expr, ty: Type, input: &Relation) -> Result<Aggregated> {
        use datafusion::logical_expr::ExprSchemable;
        let schema = input.plan.schema();
        let found = call.get_type(schema).map_err(from_datafusion)?;
        let expected = self.representation(ty);
        let convert = match (&found, &expected) {
            (DataType::Decimal128(..), _) | (DataType::Struct(_), _) => None,
            _ if found == expected => None,
            _ => Some(expected),
        };
        let empty = empty_value(&call, input)?;
        let result = self.binding("aggregate", found);
        Ok(Aggregated { call, result, convert, empty })
    }
}

/// A hypothetical-set aggregate counts rows, and needs no order of them.
fn is_hypothetical(call: &AggregateCall) -> bool {
    call.within_group && aegis_catalog::facts::aggregate(call.function.oid).is_some_and(|row| row.kind == 'h')
}

/// Where the flags of GROUPING() are kept in a relation's columns.
fn grouping_flags(rel: RelId) -> RelId {
    RelId(rel.0 | 1 << 31)
}

/// What counts the distinct values of an argument: DataFusion if they are integers, as dates and times are too, and whether it is told so.
fn distinct_values(arg: &Value) -> Result<(Arc<AggregateUDF>, Vec<Expr>, bool)> {
    let key = exact_key(arg)?;
    let integer = match &arg.data_type {
        DataType::Date32 => Some(cast(key.clone(), &DataType::Int32)),
        DataType::Timestamp(..) | DataType::Time64(_) => Some(cast(key.clone(), &DataType::Int64)),
        data_type if data_type.is_integer() => Some(key.clone()),
        _ => None,
    };
    Ok(match integer {
        Some(integer) => (count_udaf(), vec![integer], true),
        None => (Arc::new(distinct_count()), vec![key], false),
    })
}

/// An argument that is computed only where the aggregate's FILTER holds.
fn guarded(arg: Value, filter: &Expr) -> Result<Value> {
    if !arg.is_pinned() {
        return Ok(arg);
    }
    let null = super::build::null(&arg.data_type)?;
    Ok(Value { expr: when(vec![(filter.clone(), arg.expr)], null), ..arg })
}

/// The arguments of the sum of a product that has too many digits for a Decimal128, while its factors have not: the two of them.
fn factors(name: &str, args: Vec<Value>, input: &Relation) -> Vec<Value> {
    use datafusion::logical_expr::ExprSchemable;
    let [Value { expr: Expr::ScalarFunction(product), ty, .. }] = args.as_slice() else { return args };
    if !TOTALS.contains(&name) || product.func.name() != "numeric_mul" {
        return args;
    }
    let factor = |expr: &Expr| match expr.get_type(input.plan.schema()) {
        Ok(data_type @ DataType::Decimal128(..)) => Some(Value::new(expr.clone(), *ty, data_type)),
        _ => None,
    };
    let factors: Option<Vec<Value>> = product.args.iter().map(factor).collect();
    factors.unwrap_or(args)
}

/// Sum, minimum and maximum of a stored numeric stay Decimal128; their scale is PostgreSQL's.
fn native_decimal(name: &str, args: &[Value], distinct: bool) -> Option<(Arc<AggregateUDF>, Expr)> {
    let [arg] = args else { return None };
    let DataType::Decimal128(precision, _) = arg.data_type else { return None };
    if !is_numeric(arg.ty.oid) || distinct {
        return None;
    }
    let udaf = match name {
        "sum" if precision <= SUM_PRECISION => sum_udaf(),
        "min" => min_udaf(),
        "max" => max_udaf(),
        _ => return None,
    };
    Some((udaf, arg.expr.clone()))
}

/// What an aggregate yields over no rows: asked of the aggregate itself.
fn empty_value(call: &Expr, input: &Relation) -> Result<ScalarValue> {
    use datafusion::logical_expr::ExprSchemable;
    use datafusion::logical_expr::function::AccumulatorArgs;
    use datafusion::physical_expr::create_physical_exprs;
    let Expr::AggregateFunction(function) = call else {
        return Err(Error::internal("an aggregate that is none"));
    };
    let schema = input.plan.schema();
    let props = datafusion::logical_expr::execution_props::ExecutionProps::new();
    let planning = datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext::default();
    let args = &function.params.args;
    let exprs = create_physical_exprs(args, schema, &props, &planning).map_err(from_datafusion)?;
    let fields = args
        .iter()
        .map(|arg| arg.to_field(schema).map(|(_, field)| field))
        .collect::<datafusion::error::Result<Vec<_>>>()
        .map_err(from_datafusion)?;
    let return_field = function.func.return_field(&fields).map_err(from_datafusion)?;
    let accumulator = function.func.accumulator(AccumulatorArgs {
        return_field,
        schema: schema.as_arrow(),
        ignore_nulls: false,
        order_bys: &[],
        is_reversed: false,
        name: "",
        is_distinct: function.params.distinct,
        exprs: &exprs,
        expr_fields: &fields,
    });
    accumulator.and_then(|mut accumulator| accumulator.evaluate()).map_err(from_datafusion)
}
