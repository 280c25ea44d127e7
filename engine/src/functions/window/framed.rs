//! Functions over frames that DataFusion does not have: EXCLUDE, offsets that are computed, RANGE with an offset over any type. The frames
//! of a partition are computed first, then the function over each.

use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::Arc;

use aegis_catalog::{Error, sqlstate};
use arrow::array::{Array, ArrayRef, AsArray, UInt64Array, new_empty_array};
use arrow::compute::{filter, take};
use arrow::datatypes::{FieldRef, Int32Type, Schema};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl,
};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::scalar::ScalarValue;

use super::frame::{Frame, Frames, Partition};
use crate::execute::error::to_datafusion;
use crate::session::context::StatementContext;

/// What is computed over a frame.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Inner {
    Aggregate(Arc<AggregateUDF>),
    First,
    Last,
    Nth,
}

/// How many of the arguments are what, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Layout {
    pub args: usize,
    pub filter: bool,
    /// Comparison keys of ORDER BY.
    pub peers: usize,
    /// The sort key of RANGE with an offset.
    pub key: bool,
    pub start: bool,
    pub end: bool,
}

#[derive(Debug, Clone)]
pub struct Framed {
    pub inner: Inner,
    pub frame: Frame,
    pub layout: Layout,
    pub context: Arc<StatementContext>,
}

impl Framed {
    pub fn udf(self) -> Arc<WindowUDF> {
        let signature = Signature::variadic_any(Volatility::Immutable);
        Arc::new(WindowUDF::from(FramedFunction { framed: self, signature }))
    }
}

impl PartialEq for Framed {
    fn eq(&self, other: &Self) -> bool {
        (&self.inner, &self.frame, self.layout) == (&other.inner, &other.frame, other.layout)
    }
}

impl Eq for Framed {}

impl Hash for Framed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (&self.inner, &self.frame, self.layout).hash(state);
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct FramedFunction {
    framed: Framed,
    signature: Signature,
}

impl WindowUDFImpl for FramedFunction {
    fn name(&self) -> &str {
        match &self.framed.inner {
            Inner::Aggregate(aggregate) => aggregate.name(),
            Inner::First => "first_value",
            Inner::Last => "last_value",
            Inner::Nth => "nth_value",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn field(&self, args: WindowUDFFieldArgs) -> Result<FieldRef> {
        match &self.framed.inner {
            Inner::Aggregate(aggregate) => {
                let field = aggregate.return_field(inner_of(args.input_fields(), self.framed.layout.args))?;
                Ok(Arc::new(field.as_ref().clone().with_name(args.name()).with_nullable(true)))
            }
            _ => super::place::field_of_value(&args),
        }
    }

    fn partition_evaluator(&self, args: PartitionEvaluatorArgs) -> Result<Box<dyn PartitionEvaluator>> {
        let fields = inner_of(args.input_fields(), self.framed.layout.args).to_vec();
        Ok(Box::new(Evaluator { framed: self.framed.clone(), fields }))
    }
}

fn inner_of<T>(items: &[T], count: usize) -> &[T] {
    items.get(..count).unwrap_or(items)
}

#[derive(Debug)]
struct Evaluator {
    framed: Framed,
    fields: Vec<FieldRef>,
}

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let layout = self.framed.layout;
        let mut rest = values;
        let mut next = |count: usize| {
            let (head, tail) = rest.split_at(count.min(rest.len()));
            rest = tail;
            head
        };
        let args = next(layout.args);
        let filter = next(usize::from(layout.filter)).first();
        let peers = next(layout.peers);
        let key = next(usize::from(layout.key)).first();
        let start = next(usize::from(layout.start)).first();
        let end = next(usize::from(layout.end)).first();
        let zone = &self.framed.context.format.time_zone;
        let partition = Partition { rows, peers, key, start, end, zone };
        let frames = self.framed.frame.over(&partition).map_err(to_datafusion)?;
        match &self.framed.inner {
            Inner::Aggregate(aggregate) => self.aggregate(aggregate, &frames, args, filter, rows),
            Inner::First => chosen(args, rows, |row| Ok(first(&frames.parts(row)))),
            Inner::Last => chosen(args, rows, |row| Ok(last(&frames.parts(row)))),
            Inner::Nth => chosen(args, rows, |row| nth(args, row, &frames.parts(row))),
        }
    }
}

type Parts = [Range<usize>; 3];

fn first(parts: &Parts) -> Option<usize> {
    parts.iter().find(|part| !part.is_empty()).map(|part| part.start)
}

fn last(parts: &Parts) -> Option<usize> {
    parts.iter().rev().find(|part| !part.is_empty()).map(|part| part.end - 1)
}

fn nth(args: &[ArrayRef], row: usize, parts: &Parts) -> Result<Option<usize>> {
    let numbers = args.get(1).and_then(|numbers| numbers.as_primitive_opt::<Int32Type>());
    let numbers = numbers.ok_or_else(|| DataFusionError::Internal("nth_value without a number".into()))?;
    if numbers.is_null(row) {
        return Ok(None);
    }
    let number = usize::try_from(numbers.value(row)).ok().and_then(|number| number.checked_sub(1));
    let mut left = number.ok_or_else(|| {
        let message = "argument of nth_value must be greater than zero";
        to_datafusion(Error::new(sqlstate::INVALID_ARGUMENT_FOR_NTH_VALUE, message))
    })?;
    for part in parts {
        match left.checked_sub(part.len()) {
            Some(beyond) => left = beyond,
            None => return Ok(Some(part.start + left)),
        }
    }
    Ok(None)
}

/// The first argument at the row that each row chooses.
fn chosen(args: &[ArrayRef], rows: usize, mut choose: impl FnMut(usize) -> Result<Option<usize>>) -> Result<ArrayRef> {
    let values = args.first().ok_or_else(|| DataFusionError::Internal("a window function without its value".into()))?;
    let places = (0..rows).map(|row| Ok(choose(row)?.map(|place| place as u64))).collect::<Result<UInt64Array>>()?;
    Ok(take(values, &places, None)?)
}

impl Evaluator {
    fn accumulator(&self, aggregate: &AggregateUDF, sliding: bool) -> Result<Box<dyn Accumulator>> {
        let exprs: Vec<Arc<dyn PhysicalExpr>> = (0..self.fields.len())
            .map(|position| Arc::new(Column::new(&format!("a{position}"), position)) as Arc<dyn PhysicalExpr>)
            .collect();
        let fields = self.fields.iter().enumerate();
        let schema = Schema::new(
            fields
                .map(|(position, field)| field.as_ref().clone().with_name(format!("a{position}")))
                .collect::<Vec<_>>(),
        );
        let args = AccumulatorArgs {
            return_field: aggregate.return_field(&self.fields)?,
            schema: &schema,
            ignore_nulls: false,
            order_bys: &[],
            is_reversed: false,
            name: aggregate.name(),
            is_distinct: false,
            exprs: &exprs,
            expr_fields: &self.fields,
        };
        if sliding { aggregate.create_sliding_accumulator(args) } else { aggregate.accumulator(args) }
    }

    /// Frames that only move forward are followed by one accumulator; all others are computed anew.
    fn aggregate(
        &self,
        aggregate: &AggregateUDF,
        frames: &Frames,
        args: &[ArrayRef],
        condition: Option<&ArrayRef>,
        rows: usize,
    ) -> Result<ArrayRef> {
        let slices = |range: &Range<usize>| -> Result<Vec<ArrayRef>> {
            let columns = args.iter().map(|arg| arg.slice(range.start, range.len()));
            let Some(condition) = condition else { return Ok(columns.collect()) };
            let condition = condition.slice(range.start, range.len());
            columns.map(|column| Ok(filter(&column, condition.as_boolean())?)).collect()
        };
        let mut results = Vec::with_capacity(rows);
        let mut current: Option<(Box<dyn Accumulator>, Range<usize>)> = None;
        for row in 0..rows {
            let parts = frames.parts(row);
            if frames.excludes() {
                let mut accumulator = self.accumulator(aggregate, false)?;
                for part in parts.iter().filter(|part| !part.is_empty()) {
                    accumulator.update_batch(&slices(part)?)?;
                }
                results.push(accumulator.evaluate()?);
                continue;
            }
            let [frame, ..] = parts;
            let follows = current.as_ref().is_some_and(|(accumulator, at)| {
                let retracts = accumulator.supports_retract_batch() || frame.start == at.start;
                retracts && !at.is_empty() && frame.start >= at.start && frame.start < at.end && frame.end >= at.end
            });
            match &mut current {
                Some((accumulator, at)) if follows => {
                    if frame.end > at.end {
                        accumulator.update_batch(&slices(&(at.end..frame.end))?)?;
                    }
                    if frame.start > at.start {
                        accumulator.retract_batch(&slices(&(at.start..frame.start))?)?;
                    }
                    *at = frame;
                }
                _ => {
                    let mut accumulator = self.accumulator(aggregate, true)?;
                    if !frame.is_empty() {
                        accumulator.update_batch(&slices(&frame)?)?;
                    }
                    current = Some((accumulator, frame));
                }
            }
            if let Some((accumulator, _)) = &mut current {
                results.push(accumulator.evaluate()?);
            }
        }
        if results.is_empty() {
            return Ok(new_empty_array(aggregate.return_field(&self.fields)?.data_type()));
        }
        ScalarValue::iter_to_array(results)
    }
}
