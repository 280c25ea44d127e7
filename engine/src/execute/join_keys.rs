//! Keys of a hash join's build side as a bitmap, which the scans on the join's other side look their rows up in.
//!
//! DataFusion gives those scans a filter that asks the join's hash table. A bit for each value that an integer key may have is asked
//! several times as fast, and it is small enough to stay in a core's cache where the table is not.

use std::fmt;
use std::sync::{Arc, OnceLock};

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Date32Type, Int16Type, Int32Type, Int64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{NullEquality, Result, internal_err};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryReservation};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};
use futures::{TryStreamExt, stream};
use parking_lot::Mutex;

use super::pass_through::{Beside, Input, PassThroughExec};
use super::scan::TableScanExec;

/// Most values that a bitmap has bits for, and most of them for each key: beyond that the hash table is smaller and as quick.
const MAX_BITS: u64 = 1 << 27;
const MAX_BITS_PER_KEY: u64 = 512;
const ALWAYS_BITS: u64 = 1 << 19;

/// The keys of a build side, once all of them are known.
pub struct JoinKeys {
    gathered: Mutex<Gathered>,
    bits: OnceLock<KeyBits>,
}

struct Gathered {
    /// Partitions that have not ended.
    open: usize,
    columns: Vec<ArrayRef>,
}

impl fmt::Debug for JoinKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinKeys")
    }
}

impl JoinKeys {
    fn new(partitions: usize) -> Self {
        Self { gathered: Mutex::new(Gathered { open: partitions, columns: Vec::new() }), bits: OnceLock::new() }
    }

    /// Which of the values are keys; None as long as that is not known, and if there is no bitmap.
    pub fn lookup(&self, values: &ArrayRef) -> Option<BooleanBuffer> {
        self.bits.get()?.contains(values)
    }

    /// Takes the keys of a partition that has ended.
    fn add(&self, columns: Vec<ArrayRef>, context: &TaskContext) {
        let columns = {
            let mut gathered = self.gathered.lock();
            gathered.columns.extend(columns);
            gathered.open = gathered.open.saturating_sub(1);
            match gathered.open {
                0 => std::mem::take(&mut gathered.columns),
                _ => return,
            }
        };
        let reservation = MemoryConsumer::new("join keys").register(context.memory_pool());
        if let Some(bits) = KeyBits::new(&columns, reservation) {
            // A second execution has the same keys.
            let _ = self.bits.set(bits);
        }
    }
}

struct KeyBits {
    least: i64,
    words: Vec<u64>,
    _reservation: MemoryReservation,
}

/// Calls a generic function for the type of an integer column.
macro_rules! for_integers {
    ($data_type:expr, $function:ident($($arg:expr),*), $other:expr) => {
        match $data_type {
            DataType::Int16 => $function::<Int16Type>($($arg),*),
            DataType::Int32 => $function::<Int32Type>($($arg),*),
            DataType::Int64 => $function::<Int64Type>($($arg),*),
            DataType::Date32 => $function::<Date32Type>($($arg),*),
            _ => $other,
        }
    };
}

fn is_integer(data_type: &DataType) -> bool {
    matches!(data_type, DataType::Int16 | DataType::Int32 | DataType::Int64 | DataType::Date32)
}

impl KeyBits {
    /// None if the keys are too far apart, or there is no memory.
    fn new(columns: &[ArrayRef], reservation: MemoryReservation) -> Option<Self> {
        let ranges = columns.iter().map(|column| for_integers!(column.data_type(), range(column), None));
        let (least, greatest) = ranges.flatten().reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
        let bits = greatest.abs_diff(least).checked_add(1)?;
        let keys: usize = columns.iter().map(|column| column.len()).sum();
        let most = (keys as u64).saturating_mul(MAX_BITS_PER_KEY).clamp(ALWAYS_BITS, MAX_BITS);
        if bits > most {
            return None;
        }
        let words = usize::try_from(bits.div_ceil(64)).ok()?;
        reservation.try_grow(words * size_of::<u64>()).ok()?;
        let mut words = vec![0; words];
        columns.iter().for_each(|column| for_integers!(column.data_type(), set(column, least, &mut words), ()));
        Some(Self { least, words, _reservation: reservation })
    }

    fn contains(&self, values: &ArrayRef) -> Option<BooleanBuffer> {
        Some(for_integers!(values.data_type(), contained(values, self.least, &self.words), return None))
    }
}

/// The least and the greatest value.
fn range<T>(column: &ArrayRef) -> Option<(i64, i64)>
where
    T: ArrowPrimitiveType<Native: Into<i64>>,
    T: arrow::datatypes::ArrowNumericType,
{
    let values = column.as_primitive_opt::<T>()?;
    Some((min(values)?.into(), max(values)?.into()))
}

/// The word and the bit of a value, the place of which may be beyond all words.
fn place(value: i64, least: i64) -> (usize, u64) {
    let place = value.wrapping_sub(least) as u64;
    ((place / 64) as usize, 1 << (place % 64))
}

fn set<T: ArrowPrimitiveType<Native: Into<i64>>>(column: &ArrayRef, least: i64, words: &mut [u64]) {
    for value in column.as_primitive::<T>().iter().flatten() {
        let (word, bit) = place(value.into(), least);
        if let Some(word) = words.get_mut(word) {
            *word |= bit;
        }
    }
}

fn contained<T: ArrowPrimitiveType<Native: Into<i64>>>(values: &ArrayRef, least: i64, words: &[u64]) -> BooleanBuffer {
    let column = values.as_primitive::<T>();
    let values = column.values();
    let contained = BooleanBuffer::collect_bool(values.len(), |row| {
        let (word, bit) = place(values[row].into(), least);
        words.get(word).is_some_and(|word| word & bit != 0)
    });
    match column.nulls() {
        Some(nulls) => &contained & nulls.inner(),
        None => contained,
    }
}

/// Lets the build sides of joins tell scans their keys.
#[derive(Debug)]
pub struct TellKeys;

impl PhysicalOptimizerRule for TellKeys {
    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|plan| {
            let Some((key, filter)) = plan.downcast_ref::<HashJoinExec>().and_then(told) else {
                return Ok(Transformed::no(plan));
            };
            let [left, right] = plan.children()[..] else { return internal_err!("a join has two inputs") };
            let keys = Arc::new(JoinKeys::new(left.output_partitioning().partition_count()));
            let asking = right.clone().transform_up(|node| {
                let scan = node.downcast_ref::<TableScanExec>().and_then(|scan| scan.with_keys(filter, &keys));
                Ok(match scan {
                    Some(scan) => Transformed::yes(Arc::new(scan) as Arc<dyn ExecutionPlan>),
                    None => Transformed::no(node),
                })
            })?;
            if !asking.transformed {
                return Ok(Transformed::no(plan));
            }
            let telling = PassThroughExec::over(left.clone(), Keys { key, keys: Some(keys) });
            Ok(Transformed::yes(replace_children_if_necessary(plan, vec![telling, asking.data])?))
        })
        .data()
    }

    fn name(&self) -> &str {
        "tell_keys"
    }

    fn schema_check(&self) -> bool {
        true
    }
}

/// The key of a join's build side, and the id of the filter that scans have of the join, if the key is one integer and no null equals
/// another.
fn told(join: &HashJoinExec) -> Option<(Arc<dyn PhysicalExpr>, u64)> {
    let [(left, right)] = join.on() else { return None };
    let (left_type, right_type) =
        (left.data_type(&join.left().schema()).ok()?, right.data_type(&join.right().schema()).ok()?);
    let plain = join.null_equality() == NullEquality::NullEqualsNothing && !join.null_aware;
    if !plain || left_type != right_type || !is_integer(&left_type) {
        return None;
    }
    let [filter] = &join.dynamic_expressions_produced()[..] else { return None };
    Some((left.clone(), filter.expression_id()?))
}

/// Notes the keys of the rows.
#[derive(Debug, Clone)]
struct Keys {
    key: Arc<dyn PhysicalExpr>,
    /// None in a plan that is executed again, whose scans have no filter by them.
    keys: Option<Arc<JoinKeys>>,
}

impl Beside for Keys {
    const NAME: &'static str = "KeysExec";

    fn details(&self) -> Option<String> {
        Some(self.key.to_string())
    }

    fn expression(&self) -> Option<&Arc<dyn PhysicalExpr>> {
        Some(&self.key)
    }

    fn for_another_input(&self) -> Self {
        self.clone()
    }

    fn for_another_execution(&self) -> Self {
        Self { key: self.key.clone(), keys: None }
    }

    fn rows(&self, input: &Input, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let (schema, input) = (input.schema(), input.execute(partition, context.clone())?);
        let Some(keys) = self.keys.clone() else { return Ok(input) };
        let start = (input, Vec::new(), self.key.clone(), keys, context);
        let rows = stream::try_unfold(start, |(mut input, mut columns, key, keys, context)| async move {
            let Some(batch) = input.try_next().await? else {
                keys.add(columns, &context);
                return Ok(None);
            };
            columns.push(key.evaluate(&batch)?.into_array(batch.num_rows())?);
            Ok(Some((batch, (input, columns, key, keys, context))))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int32Array, Int64Array};

    use super::*;

    fn keys(columns: Vec<ArrayRef>) -> JoinKeys {
        let keys = JoinKeys::new(columns.len());
        columns.into_iter().for_each(|column| keys.add(vec![column], &TaskContext::default()));
        keys
    }

    #[test]
    fn a_value_is_a_key_of_any_partition() {
        let keys = keys(vec![
            Arc::new(Int32Array::from(vec![Some(-70), None, Some(3)])),
            Arc::new(Int32Array::from(vec![90])),
        ]);
        let probe: ArrayRef =
            Arc::new(Int32Array::from(vec![Some(-70), Some(-71), None, Some(3), Some(90), Some(91), Some(i32::MIN)]));
        let expected = BooleanBuffer::from(vec![true, false, false, true, true, false, false]);
        assert_eq!(keys.lookup(&probe), Some(expected));
    }

    #[test]
    fn nothing_is_known_before_the_last_partition_has_ended() {
        let keys = JoinKeys::new(2);
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        keys.add(vec![column.clone()], &TaskContext::default());
        assert_eq!(keys.lookup(&column), None);
        keys.add(Vec::new(), &TaskContext::default());
        assert_eq!(keys.lookup(&column), Some(BooleanBuffer::new_set(1)));
    }

    #[test]
    fn keys_far_apart_have_no_bits() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![i64::MIN, i64::MAX]));
        assert_eq!(keys(vec![column.clone()]).lookup(&column), None);
    }
}
