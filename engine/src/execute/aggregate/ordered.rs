//! Gives an aggregate its input sorted (`agg(x ORDER BY y)`), without duplicates (`agg(DISTINCT x)`), or as an array in a stated order
//! (`ARRAY(SELECT …)`): collects the rows of a group, then sorts and feeds them.
//!
//! Arguments: those of the inner aggregate, then the sort keys; of a DISTINCT aggregate the last keys are those of the arguments.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, ListArray, UInt32Array, new_empty_array};
use arrow::buffer::OffsetBuffer;
use arrow::compute::{SortOptions, concat, take};
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{Accumulator, AggregateUDF, AggregateUDFImpl, Signature, TypeSignature, Volatility};
use datafusion::scalar::ScalarValue;

use crate::execute::array::from_rows;
use crate::execute::error::to_datafusion;
use crate::functions::aggregate::owned::owned;

/// What the sorted rows go to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Inner {
    Aggregate(Arc<AggregateUDF>),
    /// An array of the first argument's values.
    Array,
}

#[derive(Debug, Clone)]
pub struct Ordered {
    pub inner: Inner,
    /// Number of the inner aggregate's arguments.
    pub args: usize,
    pub order: Vec<SortOptions>,
    /// How many of the last keys decide whether rows are the same; 0 keeps all.
    pub distinct: usize,
    pub result: DataType,
    signature: Signature,
}

impl Ordered {
    pub fn udaf(inner: Inner, args: usize, order: Vec<SortOptions>, distinct: usize, result: DataType) -> AggregateUDF {
        let signature = Signature::new(TypeSignature::UserDefined, Volatility::Immutable);
        AggregateUDF::new_from_impl(Self { inner, args, order, distinct, result, signature })
    }
}

impl PartialEq for Ordered {
    fn eq(&self, other: &Self) -> bool {
        self.inner == other.inner
            && self.args == other.args
            && self.order == other.order
            && self.distinct == other.distinct
            && self.result == other.result
    }
}

impl Eq for Ordered {}

impl Hash for Ordered {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.inner.hash(state);
        self.args.hash(state);
        self.distinct.hash(state);
    }
}

impl AggregateUDFImpl for Ordered {
    fn name(&self) -> &str {
        match &self.inner {
            Inner::Aggregate(inner) => inner.name(),
            Inner::Array => "array",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(self.result.clone())
    }

    fn coerce_types(&self, args: &[DataType]) -> Result<Vec<DataType>> {
        Ok(args.to_vec())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let short = |error: &str| DataFusionError::Internal(error.to_owned());
        let fields = args.expr_fields.get(..self.args).ok_or_else(|| short("too few arguments"))?;
        let exprs = args.exprs.get(..self.args).ok_or_else(|| short("too few arguments"))?;
        let inner: Option<Box<dyn Accumulator>> = match &self.inner {
            Inner::Array => None,
            Inner::Aggregate(inner) => Some(inner.accumulator(AccumulatorArgs {
                return_field: args.return_field.clone(),
                schema: args.schema,
                ignore_nulls: false,
                order_bys: &[],
                is_reversed: false,
                name: args.name,
                is_distinct: false,
                exprs,
                expr_fields: fields,
            })?),
        };
        let types = args.expr_fields.iter().map(|field| field.data_type().clone()).collect();
        Ok(Box::new(OrderedAccumulator { definition: self.clone(), inner, types, chunks: Vec::new() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |(index, field): (usize, &FieldRef)| {
            let item = Field::new("item", field.data_type().clone(), true);
            Arc::new(Field::new(format!("{}[{index}]", args.name), DataType::List(item.into()), true))
        };
        Ok(args.input_fields.iter().enumerate().map(field).collect())
    }
}

#[derive(Debug)]
struct OrderedAccumulator {
    definition: Ordered,
    inner: Option<Box<dyn Accumulator>>,
    types: Vec<DataType>,
    /// Batches of all arguments, keys included.
    chunks: Vec<Vec<ArrayRef>>,
}

impl OrderedAccumulator {
    fn column(&self, index: usize) -> Result<ArrayRef> {
        let chunks: Vec<&dyn Array> =
            self.chunks.iter().filter_map(|chunk| chunk.get(index)).map(|array| array.as_ref()).collect();
        match (chunks.is_empty(), self.types.get(index)) {
            (false, _) => Ok(concat(&chunks)?),
            (true, Some(data_type)) => Ok(new_empty_array(data_type)),
            (true, None) => Err(DataFusionError::Internal("an argument is missing".into())),
        }
    }

    /// Rows in their order, duplicates left out.
    fn order(&self) -> Result<Option<UInt32Array>> {
        if self.definition.order.is_empty() {
            return Ok(None);
        }
        let all = self.keys(0)?;
        let mut positions: Vec<usize> = (0..all.num_rows()).collect();
        positions.sort_by(|left, right| all.row(*left).cmp(&all.row(*right)));
        if self.definition.distinct > 0 {
            let same = self.keys(self.definition.order.len() - self.definition.distinct)?;
            positions.dedup_by(|later, earlier| same.row(*later) == same.row(*earlier));
        }
        Ok(Some(positions.into_iter().map(|position| position as u32).collect()))
    }

    fn keys(&self, skip: usize) -> Result<Rows> {
        let mut fields = Vec::new();
        let mut columns = Vec::new();
        for (index, options) in self.definition.order.iter().enumerate().skip(skip) {
            let column = self.column(self.definition.args + index)?;
            fields.push(SortField::new_with_options(column.data_type().clone(), *options));
            columns.push(column);
        }
        Ok(RowConverter::new(fields)?.convert_columns(&columns)?)
    }
}

impl Accumulator for OrderedAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        if values.first().is_some_and(|values| !values.is_empty()) {
            self.chunks.push(values.iter().map(owned).collect());
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let order = self.order()?;
        let args = (0..self.definition.args)
            .map(|index| {
                let column = self.column(index)?;
                match &order {
                    Some(order) => Ok(take(&column, order, None)?),
                    None => Ok(column),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        match (&mut self.inner, args.first()) {
            (Some(inner), Some(first)) => {
                if !first.is_empty() {
                    inner.update_batch(&args)?;
                }
                inner.evaluate()
            }
            (None, Some(values)) => {
                let array = from_rows(std::slice::from_ref(values), values.data_type()).map_err(to_datafusion)?;
                ScalarValue::try_from_array(&array, 0)
            }
            (_, None) => Err(DataFusionError::Internal("an aggregate without arguments".into())),
        }
    }

    fn size(&self) -> usize {
        let arrays = self.chunks.iter().flatten().map(|array| array.get_array_memory_size()).sum::<usize>();
        size_of_val(self) + arrays
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        (0..self.types.len())
            .map(|index| {
                let column = self.column(index)?;
                let item = Arc::new(Field::new("item", column.data_type().clone(), true));
                let offsets = OffsetBuffer::from_lengths([column.len()]);
                Ok(ScalarValue::List(Arc::new(ListArray::try_new(item, offsets, column, None)?)))
            })
            .collect()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let rows = states.first().map_or(0, |states| states.len());
        for row in 0..rows {
            let chunk: Vec<ArrayRef> = states
                .iter()
                .filter_map(|states| states.as_list_opt::<i32>())
                .filter(|lists| lists.is_valid(row))
                .map(|lists| lists.value(row))
                .collect();
            if chunk.len() == states.len() {
                self.update_batch(&chunk)?;
            }
        }
        Ok(())
    }
}
