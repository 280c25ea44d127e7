//! Which keys of an index a scan's conditions ask for.

use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;

use crate::Result;
use crate::index::key::is_plain;
use crate::predicate::{Predicate, Test};
use crate::schema::{IndexSchema, TableSchema};
use crate::version::RowKeys;
use crate::view::row_keys;

/// Keys that a scan looks for at most.
const MOST_KEYS: usize = 256;

/// The keys wanted, of each index whose columns all have conditions of equality. Every wanted row has one of them.
pub fn keys(schema: &TableSchema, predicates: &[Predicate]) -> Result<Vec<RowKeys>> {
    if !predicates.iter().any(|p| matches!(p.test, Test::OneOf(_))) {
        return Ok(Vec::new());
    }
    let wanted = schema.indexes.iter().filter_map(|index| Some((index, values(schema, index, predicates)?)));
    wanted.map(|(index, columns)| combine(index, &columns)).collect()
}

/// The values of each of the index's columns.
fn values(schema: &TableSchema, index: &IndexSchema, predicates: &[Predicate]) -> Option<Vec<ArrayRef>> {
    if index.ignored_suffix.iter().any(|ignored| *ignored > 0) {
        return None;
    }
    let mut keys = 1usize;
    let columns = index.columns.iter().map(|id| {
        let column = schema.columns.iter().find(|column| column.id == *id)?;
        let values = predicates.iter().find_map(|predicate| match &predicate.test {
            Test::OneOf(values) if predicate.column == *id && values.data_type() == &column.data_type => Some(values),
            _ => None,
        });
        let values = values.filter(|values| is_plain(values.data_type()))?;
        keys = keys.saturating_mul(values.len());
        Some(values.clone())
    });
    let columns = columns.collect::<Option<Vec<_>>>()?;
    (keys <= MOST_KEYS).then_some(columns)
}

/// Every combination of the columns' values.
fn combine(index: &IndexSchema, columns: &[ArrayRef]) -> Result<RowKeys> {
    let count: usize = columns.iter().map(|values| values.len()).product();
    let mut step = count;
    let mut out = Vec::with_capacity(columns.len());
    for values in columns {
        step /= values.len().max(1);
        let places: UInt32Array = (0..count).map(|at| (at / step.max(1) % values.len().max(1)) as u32).collect();
        out.push(take(values, &places, None)?);
    }
    row_keys(index, out, count)
}
