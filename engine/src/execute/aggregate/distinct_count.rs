//! `count(DISTINCT …)` of anything but integers, for all groups at once: a set for each group would take kilobytes of memory of its own.

use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, ListArray};
use arrow::buffer::OffsetBuffer;
use arrow::compute::filter;
use arrow::datatypes::{DataType, Field, FieldRef};
use arrow::row::{RowConverter, SortField};
use datafusion::common::{exec_datafusion_err, internal_datafusion_err};
use datafusion::error::Result;
use datafusion::functions_aggregate::count::count_udaf;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::AggregateOrderSensitivity;
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, TypeSignature, Volatility,
};
use datafusion::scalar::ScalarValue;
use hashbrown::HashSet;
use indexmap::IndexSet;

/// How many values there are in a group, null aside.
pub fn distinct_count() -> AggregateUDF {
    let signature = Signature::new(TypeSignature::Any(1), Volatility::Immutable);
    AggregateUDF::new_from_impl(DistinctCount { signature })
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct DistinctCount {
    signature: Signature,
}

impl AggregateUDFImpl for DistinctCount {
    fn name(&self) -> &str {
        "distinct_count"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _args: &[DataType]) -> Result<DataType> {
        Ok(DataType::Int64)
    }

    fn is_nullable(&self) -> bool {
        false
    }

    fn default_value(&self, _data_type: &DataType) -> Result<ScalarValue> {
        Ok(ScalarValue::Int64(Some(0)))
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        count_udaf().accumulator(AccumulatorArgs { is_distinct: true, ..args })
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        count_udaf().state_fields(StateFieldsArgs { is_distinct: true, ..args })
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs) -> bool {
        true
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        let field =
            args.expr_fields.first().ok_or_else(|| internal_datafusion_err!("distinct_count needs an argument"))?;
        Ok(Box::new(Counts::new(field.data_type())?))
    }
}

/// Whether an aggregate's FILTER lets a row in.
fn passes(filter: Option<&BooleanArray>, row: usize) -> bool {
    filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row))
}

/// The sets of all groups: pairs of a group and a value, each value being kept once.
#[derive(Debug)]
struct Counts {
    data_type: DataType,
    converter: RowConverter,
    /// In the row format.
    values: IndexSet<Box<[u8]>>,
    value_bytes: usize,
    /// Groups with places of values.
    pairs: HashSet<(u32, u32)>,
    counts: Vec<i64>,
}

impl Counts {
    fn new(data_type: &DataType) -> Result<Self> {
        Ok(Self {
            data_type: data_type.clone(),
            converter: RowConverter::new(vec![SortField::new(data_type.clone())])?,
            values: IndexSet::new(),
            value_bytes: 0,
            pairs: HashSet::new(),
            counts: Vec::new(),
        })
    }

    /// Adds values, each to a group.
    fn add(&mut self, values: &ArrayRef, groups: impl Iterator<Item = (usize, usize)>) -> Result<()> {
        let rows = self.converter.convert_columns(std::slice::from_ref(values))?;
        let too_many = || exec_datafusion_err!("count(DISTINCT) has too many values");
        for (at, group) in groups {
            if values.is_null(at) {
                continue;
            }
            let row = rows.row(at);
            let value = match self.values.get_index_of(row.as_ref()) {
                Some(known) => known,
                None => {
                    self.value_bytes += row.as_ref().len();
                    self.values.insert_full(row.as_ref().into()).0
                }
            };
            let pair = (u32::try_from(group).map_err(|_| too_many())?, u32::try_from(value).map_err(|_| too_many())?);
            if self.pairs.insert(pair)
                && let Some(count) = self.counts.get_mut(group)
            {
                *count += 1;
            }
        }
        Ok(())
    }

    /// Forgets groups; the others move up.
    fn forget(&mut self, emit_to: EmitTo) {
        let pairs = std::mem::take(&mut self.pairs);
        if let EmitTo::First(count) = emit_to {
            let left = pairs.into_iter().filter_map(|(group, value)| Some((group.checked_sub(count as u32)?, value)));
            self.pairs = left.collect();
        }
        if self.pairs.is_empty() {
            self.values = IndexSet::new();
            self.value_bytes = 0;
        }
    }

    /// One list of values per row.
    fn lists(&self, values: ArrayRef, lengths: impl IntoIterator<Item = usize>) -> Result<Vec<ArrayRef>> {
        let item = Arc::new(Field::new_list_field(self.data_type.clone(), true));
        Ok(vec![Arc::new(ListArray::try_new(item, OffsetBuffer::from_lengths(lengths), values, None)?)])
    }
}

impl GroupsAccumulator for Counts {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        opt_filter: Option<&BooleanArray>,
        total_num_groups: usize,
    ) -> Result<()> {
        self.counts.resize(total_num_groups, 0);
        let [values] = values else { return Ok(()) };
        let wanted = group_indices.iter().copied().enumerate().filter(|(at, _)| passes(opt_filter, *at));
        self.add(values, wanted)
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let counts = emit_to.take_needed(&mut self.counts);
        self.forget(emit_to);
        Ok(Arc::new(Int64Array::from(counts)))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let counts = emit_to.take_needed(&mut self.counts);
        let mut next = Vec::with_capacity(counts.len());
        let mut total = 0usize;
        for count in &counts {
            next.push(total);
            total += *count as usize;
        }
        let mut places = vec![0u32; total];
        for (group, value) in &self.pairs {
            let Some(next) = next.get_mut(*group as usize) else { continue };
            if let Some(place) = places.get_mut(*next) {
                *place = *value;
            }
            *next += 1;
        }
        let parser = self.converter.parser();
        let rows = places.iter().filter_map(|place| Some(parser.parse(self.values.get_index(*place as usize)?)));
        let values = self.converter.convert_rows(rows)?;
        let values = values.into_iter().next().ok_or_else(|| internal_datafusion_err!("a row without a column"))?;
        let lists = self.lists(values, counts.iter().map(|count| *count as usize))?;
        self.forget(emit_to);
        Ok(lists)
    }

    fn merge_batch(&mut self, values: &[ArrayRef], group_indices: &[usize], total_num_groups: usize) -> Result<()> {
        self.counts.resize(total_num_groups, 0);
        let [lists] = values else { return Ok(()) };
        let lists = lists.as_list::<i32>();
        let groups = lists.offsets().windows(2).zip(group_indices).flat_map(|(ends, group)| {
            let [start, end] = [ends.first(), ends.last()].map(|end| end.map_or(0, |end| *end as usize));
            (start..end).map(|at| (at, *group))
        });
        self.add(lists.values(), groups)
    }

    fn convert_to_state(&self, values: &[ArrayRef], opt_filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let [values] = values else { return Ok(Vec::new()) };
        let kept: Vec<bool> = (0..values.len()).map(|at| values.is_valid(at) && passes(opt_filter, at)).collect();
        let lengths: Vec<usize> = kept.iter().map(|kept| usize::from(*kept)).collect();
        self.lists(filter(values, &BooleanArray::from(kept))?, lengths)
    }

    fn size(&self) -> usize {
        self.counts.capacity() * size_of::<i64>()
            + self.pairs.allocation_size()
            + self.value_bytes
            + self.values.capacity() * (size_of::<Box<[u8]>>() + 2 * size_of::<usize>())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringViewArray;

    use super::*;

    fn texts(values: &[Option<&str>]) -> ArrayRef {
        Arc::new(StringViewArray::from(values.to_vec()))
    }

    fn counted(counts: &mut Counts, emit_to: EmitTo) -> Vec<i64> {
        counts.evaluate(emit_to).unwrap().as_primitive::<arrow::datatypes::Int64Type>().values().to_vec()
    }

    #[test]
    fn groups_are_counted_merged_and_emitted_one_after_the_other() {
        let new = || Counts::new(&DataType::Utf8View).unwrap();
        let mut counts = new();
        let values = texts(&[Some("a"), Some("b"), Some("a"), None, Some("a"), Some("a value that is not inlined")]);
        counts.update_batch(std::slice::from_ref(&values), &[0, 0, 0, 1, 2, 2], None, 3).unwrap();
        let filter = BooleanArray::from(vec![Some(true), Some(false), None, Some(true), Some(true), Some(true)]);
        counts.update_batch(std::slice::from_ref(&values), &[1, 1, 1, 1, 1, 3], Some(&filter), 4).unwrap();
        let mut merged = new();
        // Groups of one accumulator are others in the next.
        let state = counts.state(EmitTo::First(2)).unwrap();
        merged.merge_batch(&state, &[1, 0], 2).unwrap();
        let rest = counts.state(EmitTo::All).unwrap();
        merged.merge_batch(&rest, &[0, 2], 3).unwrap();
        let rows = merged.convert_to_state(&[values], Some(&filter)).unwrap();
        merged.merge_batch(&rows, &[3; 6], 5).unwrap();
        assert!(merged.size() > 0);
        assert_eq!(counted(&mut merged, EmitTo::First(1)), [2]);
        assert_eq!(counted(&mut merged, EmitTo::All), [2, 1, 2, 0]);
    }
}
