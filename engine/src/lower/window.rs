//! Window functions.

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::{Sort as SortExpr, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, Window, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition,
};
use datafusion::scalar::ScalarValue;

use super::Lowerer;
use super::key::exact_key;
use super::relation::{Binding, Relation};
use super::value::{Value, cast};
use crate::bind::tree::{Frame, FrameBound, WindowCall, Windows};
use crate::execute::error::from_datafusion;
use crate::functions::{AggregateTypes, Body};
use crate::parse::ast::{FrameExclude, FrameUnit};

impl Lowerer<'_> {
    /// Adds a column per call. Calls over the same partitions and order share one node.
    pub fn windows(&mut self, windows: &Windows, input: &mut Relation) -> Result<()> {
        let mut calls = Vec::new();
        for call in &windows.calls {
            calls.push(self.window_call(call, input)?);
        }
        let mut results = vec![None; calls.len()];
        let mut groups: Vec<(&[Expr], &[SortExpr], Vec<usize>)> = Vec::new();
        for (index, call) in calls.iter().enumerate() {
            let (partition, order) = (call.params.partition_by.as_slice(), call.params.order_by.as_slice());
            match groups.iter_mut().find(|group| group.0 == partition && group.1 == order) {
                Some(group) => group.2.push(index),
                None => groups.push((partition, order, vec![index])),
            }
        }
        for (_, _, members) in groups {
            let mut exprs = Vec::new();
            let mut converted = Vec::new();
            // Equal calls are made once: the optimizer must find nothing in common among the node's expressions.
            let mut made: Vec<(&WindowFunction, Binding)> = Vec::new();
            for index in members {
                let (Some(function), Some(call)) = (calls.get(index), windows.calls.get(index)) else { continue };
                let expr = Expr::WindowFunction(Box::new(function.clone()));
                if let Some((_, binding)) = made.iter().find(|(other, _)| *other == function && !expr.is_volatile()) {
                    if let Some(slot) = results.get_mut(index) {
                        *slot = Some(binding.clone());
                    }
                    continue;
                }
                let found = expr.get_type(input.plan.schema()).map_err(from_datafusion)?;
                let result = self.binding("window", found.clone());
                exprs.push(expr.alias(&result.column.name));
                let expected = self.representation(call.ty);
                let keep = found == expected || matches!(found, DataType::Decimal128(..) | DataType::Struct(_));
                let binding = if keep {
                    result
                } else {
                    let binding = self.binding("window", expected.clone());
                    converted.push((cast(result.expr(), &expected), binding.clone()));
                    binding
                };
                made.push((function, binding.clone()));
                if let Some(slot) = results.get_mut(index) {
                    *slot = Some(binding);
                }
            }
            let plan = std::mem::take(&mut input.plan);
            let window = Window::try_new(exprs, Arc::new(plan)).map_err(from_datafusion)?;
            input.plan = LogicalPlan::Window(window);
            input.extend(converted.iter().map(|(expr, binding)| (expr.clone(), binding)).collect())?;
        }
        let columns: Vec<Binding> = results.into_iter().flatten().collect();
        input.rels.insert(windows.rel, columns);
        Ok(())
    }

    fn window_call(&mut self, call: &WindowCall, input: &mut Relation) -> Result<WindowFunction> {
        let args = self.exprs(&call.args, input)?;
        let args = args.into_iter().map(Value::into_computed).collect::<Result<Vec<_>>>()?;
        let types: Vec<_> = args.iter().map(|arg| arg.ty).collect();
        let context = self.statement().clone();
        let uses = AggregateTypes { context: &context, args: &types, result: call.ty };
        let count_all = call.function.name == "count" && args.is_empty();
        let fun = match &call.function.body {
            Body::Window(make) => WindowFunctionDefinition::WindowUDF(make(&uses)?),
            Body::Aggregate(_) if count_all => {
                WindowFunctionDefinition::AggregateUDF(datafusion::functions_aggregate::count::count_udaf())
            }
            Body::Aggregate(make) => WindowFunctionDefinition::AggregateUDF(make(&uses)?),
            _ => return Err(Error::internal(format!("{} is no window function", call.function.name))),
        };
        let mut args: Vec<Expr> = args.into_iter().map(|arg| arg.expr).collect();
        if count_all {
            args.push(super::build::integer(1));
        }
        let mut partition_by: Vec<Expr> = input.domain_bindings().map(Binding::expr).collect();
        for partition in &call.partition_by {
            let value = self.expr(partition, input)?;
            partition_by.push(exact_key(&value)?);
        }
        let mut order_by = Vec::new();
        let mut order_types = Vec::new();
        let ranged = call.frame.unit == FrameUnit::Range
            && [&call.frame.start, &call.frame.end]
                .iter()
                .any(|bound| matches!(bound, FrameBound::Preceding(_) | FrameBound::Following(_)));
        for sort in &call.order_by {
            let value = self.expr(&sort.expr, input)?;
            let mut sort_key = exact_key(&value)?;
            if let Some(wider) = wider(&value.data_type).filter(|_| ranged) {
                sort_key = cast(sort_key, &wider);
            }
            // The type that RANGE offsets must have.
            order_types.push(sort_key.get_type(input.plan.schema()).map_err(from_datafusion)?);
            order_by.push(SortExpr::new(sort_key, !sort.descending, sort.nulls_first));
        }
        let filter = call.filter.as_ref().map(|filter| self.condition(filter, input)).transpose()?.map(Box::new);
        let window_frame = self.frame(&call.frame, order_types.first(), order_by.len(), input)?;
        Ok(WindowFunction {
            fun,
            params: WindowFunctionParams {
                args,
                partition_by,
                order_by,
                window_frame,
                filter,
                null_treatment: None,
                distinct: false,
            },
        })
    }

    fn frame(
        &mut self,
        frame: &Frame,
        order_type: Option<&DataType>,
        order_keys: usize,
        input: &mut Relation,
    ) -> Result<WindowFrame> {
        if frame.exclude != FrameExclude::NoOthers {
            return Err(Error::unsupported("EXCLUDE in a window frame"));
        }
        let units = match frame.unit {
            FrameUnit::Rows => WindowFrameUnits::Rows,
            FrameUnit::Range => WindowFrameUnits::Range,
            FrameUnit::Groups => WindowFrameUnits::Groups,
        };
        let start = self.bound(&frame.start, frame.unit, order_type, input, true)?;
        let end = self.bound(&frame.end, frame.unit, order_type, input, false)?;
        let whole = |bound: &WindowFrameBound| bound.is_unbounded();
        let peers = matches!(start, WindowFrameBound::Preceding(_))
            && whole(&start)
            && matches!(end, WindowFrameBound::CurrentRow);
        if frame.unit == FrameUnit::Range && order_keys != 1 && peers {
            // Several keys (or none): rows up to the last peer.
            return Ok(WindowFrame::new(if order_keys == 0 { None } else { Some(false) }));
        }
        if frame.unit == FrameUnit::Range && order_keys != 1 && !(whole(&start) && whole(&end)) {
            return Ok(WindowFrame::new_bounds(WindowFrameUnits::Groups, start, end));
        }
        Ok(WindowFrame::new_bounds(units, start, end))
    }

    fn bound(
        &mut self,
        bound: &FrameBound,
        unit: FrameUnit,
        order_type: Option<&DataType>,
        input: &mut Relation,
        start: bool,
    ) -> Result<WindowFrameBound> {
        let unbounded = ScalarValue::Null;
        Ok(match bound {
            FrameBound::UnboundedPreceding => WindowFrameBound::Preceding(match unit {
                FrameUnit::Range => unbounded,
                FrameUnit::Rows | FrameUnit::Groups => ScalarValue::UInt64(None),
            }),
            FrameBound::UnboundedFollowing => WindowFrameBound::Following(match unit {
                FrameUnit::Range => unbounded,
                FrameUnit::Rows | FrameUnit::Groups => ScalarValue::UInt64(None),
            }),
            FrameBound::CurrentRow => WindowFrameBound::CurrentRow,
            FrameBound::Preceding(offset) | FrameBound::Following(offset) => {
                let value = self.expr(offset, input)?;
                let value = self.frame_offset(value, unit, order_type, start)?;
                match bound {
                    FrameBound::Preceding(_) => WindowFrameBound::Preceding(value),
                    _ => WindowFrameBound::Following(value),
                }
            }
        })
    }

    fn frame_offset(
        &mut self,
        value: Value,
        unit: FrameUnit,
        order_type: Option<&DataType>,
        start: bool,
    ) -> Result<ScalarValue> {
        let side = if start { "starting" } else { "ending" };
        let constant =
            value.constant().ok_or_else(|| Error::unsupported("a window frame offset that is no constant"))?;
        if constant.is_null() {
            return Err(Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, format!("frame {side} offset must not be null")));
        }
        let negative = || {
            let message = format!("frame {side} offset must not be negative");
            Error::new(sqlstate::INVALID_PRECEDING_OR_FOLLOWING_SIZE, message)
        };
        if unit != FrameUnit::Range {
            let offset = constant.cast_to(&DataType::Int64).map_err(from_datafusion)?;
            let ScalarValue::Int64(Some(offset)) = offset else {
                return Err(Error::internal("a frame offset is no integer"));
            };
            return Ok(ScalarValue::UInt64(Some(u64::try_from(offset).map_err(|_| negative())?)));
        }
        if let (ScalarValue::BinaryView(_), Some(_)) = (constant, order_type) {
            return Err(Error::unsupported("RANGE with an offset over numeric"));
        }
        let ordered = order_type.ok_or_else(|| Error::internal("RANGE with an offset without ORDER BY"))?;
        match (constant, ordered) {
            (ScalarValue::IntervalMonthDayNano(_), _) => Ok(constant.clone()),
            _ => {
                let offset = match (constant.cast_to(&DataType::Int64), ordered) {
                    // Whatever reaches beyond all values of the column.
                    (Ok(ScalarValue::Int64(Some(offset))), DataType::Int64) => {
                        ScalarValue::Int64(Some(offset.clamp(-BEYOND_INTEGERS, BEYOND_INTEGERS)))
                    }
                    (Ok(ScalarValue::Int64(Some(offset))), DataType::Decimal128(precision, scale)) => {
                        ScalarValue::Decimal128(Some(i128::from(offset)), *precision, *scale)
                    }
                    _ => constant.cast_to(ordered).map_err(from_datafusion)?,
                };
                let zero = ScalarValue::new_zero(ordered).map_err(from_datafusion)?;
                if offset < zero { Err(negative()) } else { Ok(offset) }
            }
        }
    }
}

/// An offset that no difference of two `integer` values reaches.
const BEYOND_INTEGERS: i64 = 1 << 40;

/// The type in which a key of this type and a RANGE offset can be added and subtracted.
fn wider(key: &DataType) -> Option<DataType> {
    match key {
        DataType::Int16 | DataType::Int32 => Some(DataType::Int64),
        DataType::Int64 => Some(DataType::Decimal128(38, 0)),
        _ => None,
    }
}
