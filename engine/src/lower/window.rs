//! Window functions.

use std::sync::Arc;

use aegis_catalog::{Error, Result, sqlstate};
use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::{Sort as SortExpr, WindowFunction, WindowFunctionParams};
use datafusion::logical_expr::{
    Expr, ExprSchemable, LogicalPlan, Window, WindowFrame, WindowFrameBound, WindowFrameUnits,
    WindowFunctionDefinition, WindowUDF,
};
use datafusion::scalar::ScalarValue;

use super::Lowerer;
use super::key::exact_key;
use super::relation::{Binding, Relation};
use super::value::{Value, cast};
use crate::bind::tree::{self, Frame, FrameBound, WindowCall, Windows};
use crate::execute::error::from_datafusion;
use crate::functions::window::frame::{self, Bound};
use crate::functions::window::framed::{Framed, Inner, Layout};
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
        let data_types: Vec<_> = args.iter().map(|arg| arg.data_type.clone()).collect();
        let uses =
            AggregateTypes { context: &context, args: &types, data_types: &data_types, result: call.ty, order: &[] };
        let count_all =
            matches!(call.function.body, Body::Aggregate(_)) && call.function.name == "count" && args.is_empty();
        let mut made = None;
        let fun = match &call.function.body {
            Body::Window(make) => WindowFunctionDefinition::WindowUDF(make(&uses)?),
            Body::Aggregate(_) if count_all => {
                WindowFunctionDefinition::AggregateUDF(datafusion::functions_aggregate::count::count_udaf())
            }
            Body::Aggregate(make) => WindowFunctionDefinition::AggregateUDF(make(&uses)?),
            Body::UserAggregate(routine) => {
                let (udaf, args) = self.user_aggregate_call(routine, args.clone(), call.ty)?;
                made = Some(args);
                WindowFunctionDefinition::AggregateUDF(udaf)
            }
            _ => return Err(Error::internal(format!("{} is no window function", call.function.name))),
        };
        let mut args: Vec<Expr> = made.unwrap_or(args).into_iter().map(|arg| arg.expr).collect();
        if count_all {
            args.push(super::build::integer(1));
        }
        let mut partition_by: Vec<Expr> = input.domain_bindings().map(Binding::expr).collect();
        for partition in &call.partition_by {
            let value = self.expr(partition, input)?;
            partition_by.push(exact_key(&value)?);
        }
        let mut order_by = Vec::new();
        for sort in &call.order_by {
            let value = self.expr(&sort.expr, input)?;
            order_by.push(SortExpr::new(exact_key(&value)?, !sort.descending, sort.nulls_first));
        }
        let filter = call.filter.as_ref().map(|filter| self.condition(filter, input)).transpose()?;
        let inner = match &fun {
            WindowFunctionDefinition::AggregateUDF(aggregate) => Some(Inner::Aggregate(aggregate.clone())),
            WindowFunctionDefinition::WindowUDF(_) => match call.function.name.as_str() {
                "first_value" => Some(Inner::First),
                "last_value" => Some(Inner::Last),
                "nth_value" => Some(Inner::Nth),
                _ => None,
            },
        };
        let (fun, filter, window_frame) = match inner {
            // The others look at the whole partition.
            None => (fun, filter, WindowFrame::new((!order_by.is_empty()).then_some(false))),
            Some(_) if is_native(&call.frame) => {
                let frame = self.frame(&call.frame, order_by.len(), input)?;
                (fun, filter, frame)
            }
            Some(inner) => {
                let fun = self.framed(call, inner, filter, &mut args, &order_by, input)?;
                (
                    WindowFunctionDefinition::WindowUDF(fun),
                    None,
                    WindowFrame::new((!order_by.is_empty()).then_some(false)),
                )
            }
        };
        Ok(WindowFunction {
            fun,
            params: WindowFunctionParams {
                args,
                partition_by,
                order_by,
                window_frame,
                filter: filter.map(Box::new),
                null_treatment: None,
                distinct: false,
            },
        })
    }

    /// The function over a frame that DataFusion does not have: what the frame goes by becomes arguments.
    fn framed(
        &mut self,
        call: &WindowCall,
        inner: Inner,
        filter: Option<Expr>,
        args: &mut Vec<Expr>,
        order_by: &[SortExpr],
        input: &mut Relation,
    ) -> Result<Arc<WindowUDF>> {
        let frame = &call.frame;
        let offset_of = |bound: &FrameBound| match bound {
            FrameBound::Preceding(offset) | FrameBound::Following(offset) => Some(offset.clone()),
            _ => None,
        };
        let offsets = [offset_of(&frame.start), offset_of(&frame.end)];
        let ranged = frame.unit == FrameUnit::Range && offsets.iter().any(Option::is_some);
        let layout = Layout {
            args: args.len(),
            filter: filter.is_some(),
            peers: order_by.len(),
            key: ranged,
            start: offsets[0].is_some(),
            end: offsets[1].is_some(),
        };
        args.extend(filter);
        args.extend(order_by.iter().map(|sort| sort.expr.clone()));
        let sort = call.order_by.first();
        if let Some(sort) = sort.filter(|_| ranged) {
            args.push(self.expr(&sort.expr, input)?.into_computed()?.expr);
        }
        for offset in offsets.iter().flatten() {
            args.push(self.expr(offset, input)?.into_computed()?.expr);
        }
        let bound = |bound: &FrameBound| match bound {
            FrameBound::UnboundedPreceding | FrameBound::UnboundedFollowing => Bound::Unbounded,
            FrameBound::CurrentRow => Bound::CurrentRow,
            FrameBound::Preceding(_) => Bound::Preceding,
            FrameBound::Following(_) => Bound::Following,
        };
        let type_of = |offset: &Option<tree::Expr>| offset.as_ref().map_or(0, |offset| offset.ty.oid);
        let frame = frame::Frame {
            unit: frame.unit,
            start: bound(&frame.start),
            end: bound(&frame.end),
            exclude: frame.exclude,
            descending: sort.is_some_and(|sort| sort.descending),
            nulls_first: sort.is_some_and(|sort| sort.nulls_first),
            key: sort.map_or(0, |sort| sort.expr.ty.oid),
            offsets: [type_of(&offsets[0]), type_of(&offsets[1])],
        };
        Ok(Framed { inner, frame, layout, context: self.statement().clone() }.udf())
    }

    fn frame(&mut self, frame: &Frame, order_keys: usize, input: &mut Relation) -> Result<WindowFrame> {
        let units = match frame.unit {
            FrameUnit::Rows => WindowFrameUnits::Rows,
            FrameUnit::Range => WindowFrameUnits::Range,
            FrameUnit::Groups => WindowFrameUnits::Groups,
        };
        let start = self.bound(&frame.start, frame.unit, input, true)?;
        let end = self.bound(&frame.end, frame.unit, input, false)?;
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
        input: &mut Relation,
        start: bool,
    ) -> Result<WindowFrameBound> {
        let unbounded = match unit {
            FrameUnit::Range => ScalarValue::Null,
            FrameUnit::Rows | FrameUnit::Groups => ScalarValue::UInt64(None),
        };
        Ok(match bound {
            FrameBound::UnboundedPreceding => WindowFrameBound::Preceding(unbounded),
            FrameBound::UnboundedFollowing => WindowFrameBound::Following(unbounded),
            FrameBound::CurrentRow => WindowFrameBound::CurrentRow,
            FrameBound::Preceding(offset) => WindowFrameBound::Preceding(self.frame_offset(offset, input, start)?),
            FrameBound::Following(offset) => WindowFrameBound::Following(self.frame_offset(offset, input, start)?),
        })
    }

    fn frame_offset(&mut self, offset: &tree::Expr, input: &mut Relation, start: bool) -> Result<ScalarValue> {
        let side = if start { "starting" } else { "ending" };
        let value = self.expr(offset, input)?;
        let constant = value.constant().ok_or_else(|| Error::internal("a frame offset that is no constant"))?;
        let ScalarValue::Int64(offset) = constant.cast_to(&DataType::Int64).map_err(from_datafusion)? else {
            return Err(Error::internal("a frame offset is no integer"));
        };
        let offset = offset.ok_or_else(|| {
            Error::new(sqlstate::NULL_VALUE_NOT_ALLOWED, format!("frame {side} offset must not be null"))
        })?;
        let offset = u64::try_from(offset).map_err(|_| {
            let message = format!("frame {side} offset must not be negative");
            Error::new(sqlstate::INVALID_PRECEDING_OR_FOLLOWING_SIZE, message)
        })?;
        Ok(ScalarValue::UInt64(Some(offset)))
    }
}

/// The largest offset that DataFusion adds to the number of a row without a thought.
const NATIVE_OFFSET: i64 = 1 << 40;

/// Frames that DataFusion has: rows between rows at constant distances, or between peers.
fn is_native(frame: &Frame) -> bool {
    let constant = |offset: &tree::Expr| match &offset.kind {
        tree::ExprKind::Constant(ScalarValue::Int64(Some(offset))) => {
            (0..NATIVE_OFFSET).contains(offset).then_some(*offset)
        }
        _ => None,
    };
    // Where a bound lies, in rows from the current one.
    let place = |bound: &FrameBound| match bound {
        FrameBound::UnboundedPreceding => Some(i64::MIN),
        FrameBound::Preceding(offset) => constant(offset).map(|offset| -offset),
        FrameBound::CurrentRow => Some(0),
        FrameBound::Following(offset) => constant(offset),
        FrameBound::UnboundedFollowing => Some(i64::MAX),
    };
    let ordered = match (place(&frame.start), place(&frame.end)) {
        (Some(start), Some(end)) => start <= end,
        _ => false,
    };
    let has_offset = |bound: &FrameBound| matches!(bound, FrameBound::Preceding(_) | FrameBound::Following(_));
    let peers = frame.unit == FrameUnit::Range && (has_offset(&frame.start) || has_offset(&frame.end));
    frame.exclude == FrameExclude::NoOthers && ordered && !peers && frame.unit != FrameUnit::Groups
}
