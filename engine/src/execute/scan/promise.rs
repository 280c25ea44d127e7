//! Which parts of a scan promise most to a sort that wants few rows, and which promise nothing any more: by the least and greatest
//! values of their columns, and by what sorts and joins further up have found out so far.

use std::cmp::Ordering;
use std::collections::HashSet;
use std::sync::Arc;

use aegis_storage::TableSchema;
use aegis_storage::transaction::{Part, Summary};
use arrow::array::{ArrayRef, BooleanArray, make_comparator};
use arrow::compute::SortOptions;
use arrow::datatypes::SchemaRef;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::{Column, Result, ScalarValue};
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr_common::physical_expr::{snapshot_generation, snapshot_physical_expr};
use datafusion::physical_optimizer::pruning::{PruningPredicate, PruningPredicateBuilder};

use super::filter::Conjunct;
use super::{Source, storage};

/// Parts with their first values in a sort by one column, those first that may have the first rows; parts of which nothing is known come
/// before all. None if nothing is known of any.
pub fn arrange(
    parts: Vec<Part>,
    table: &TableSchema,
    column: usize,
    options: SortOptions,
) -> Result<Option<Vec<Part>>> {
    let mut known = Vec::with_capacity(parts.len());
    for part in parts {
        let first = part.summary(table, column).map_err(storage)?;
        known.push((first.map(|of| if options.descending { of.greatest } else { of.least }), part));
    }
    if known.iter().all(|(first, _)| first.is_none()) {
        return Ok(None);
    }
    let before = |left: &Option<ArrayRef>, right: &Option<ArrayRef>| match (left, right) {
        (Some(left), Some(right)) => {
            make_comparator(left, right, options).map_or(Ordering::Equal, |compare| compare(0, 0))
        }
        (left, right) => left.is_some().cmp(&right.is_some()),
    };
    known.sort_by(|(left, _), (right, _)| before(left, right));
    Ok(Some(known.into_iter().map(|(_, part)| part).collect()))
}

/// Deals parts out to so many readers, each to the one that has the fewest rows so far.
pub fn deal(parts: Vec<Part>, readers: usize) -> Vec<Vec<Part>> {
    let mut dealt = vec![(0, Vec::new()); readers.max(1)];
    for part in parts {
        if let Some((rows, of)) = dealt.iter_mut().min_by_key(|(rows, _)| *rows) {
            *rows += part.rows();
            of.push(part);
        }
    }
    dealt.into_iter().map(|(_, parts)| parts).collect()
}

/// Filters that change while a scan runs.
pub struct Watch {
    filters: Vec<Watched>,
    layout: SchemaRef,
}

struct Watched {
    filter: Arc<dyn PhysicalExpr>,
    /// Of the filter that `now` is made of.
    generation: Option<u64>,
    /// None if it decides nothing.
    now: Option<Arc<PruningPredicate>>,
}

impl Watch {
    /// Over the columns of a scan of that layout.
    pub fn new(conjuncts: &[Conjunct], layout: &SchemaRef) -> Self {
        let dynamic = conjuncts.iter().filter(|conjunct| conjunct.is_dynamic());
        let watched = |conjunct: &Conjunct| Watched { filter: conjunct.whole().clone(), generation: None, now: None };
        Self { filters: dynamic.map(watched).collect(), layout: layout.clone() }
    }

    /// Is it certain that no row of the part meets the filters as they are now?
    pub fn rules_out(&mut self, part: &Part, table: &TableSchema, sources: &[Source]) -> Result<bool> {
        for watched in &mut self.filters {
            let generation = snapshot_generation(&watched.filter);
            if watched.generation != Some(generation) {
                let filter = snapshot_physical_expr(watched.filter.clone())?;
                let predicate = PruningPredicateBuilder::new().with_file_schema(self.layout.clone());
                // What has no form that statistics decide is left to the rows.
                watched.now = predicate.build(filter);
                watched.generation = Some(generation);
            }
            let Some(predicate) = &watched.now else { continue };
            let known = Known { part, table, sources, layout: &self.layout };
            if predicate.prune(&known).is_ok_and(|kept| kept == [false]) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// What is known of a part.
struct Known<'a> {
    part: &'a Part,
    table: &'a TableSchema,
    sources: &'a [Source],
    layout: &'a SchemaRef,
}

impl Known<'_> {
    fn summary(&self, column: &Column) -> Option<Summary> {
        match self.sources.get(self.layout.index_of(&column.name).ok()?)? {
            Source::Stored(position) => self.part.summary(self.table, *position).ok()?,
            _ => None,
        }
    }
}

impl PruningStatistics for Known<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.summary(column).map(|of| of.least)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.summary(column).map(|of| of.greatest)
    }

    fn num_containers(&self) -> usize {
        1
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        self.summary(column).map(|of| Arc::new(of.nulls) as ArrayRef)
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}

#[cfg(test)]
mod tests {
    use aegis_storage::{ColumnSchema, Config, Isolation, Store};
    use arrow::array::{AsArray, Int32Array, RecordBatch};
    use arrow::datatypes::{DataType, Field, Int32Type, Schema};
    use datafusion::logical_expr::Operator;
    use datafusion::physical_expr::expressions::{
        BinaryExpr, Column as PhysicalColumn, DynamicFilterPhysicalExpr, lit,
    };

    use super::*;

    #[test]
    fn parts_are_arranged_and_left_out_by_what_they_may_have() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(Config { row_group_rows: 1024, ..Config::new(dir.path()) }).unwrap();
        let column = ColumnSchema { id: 1, name: "n".into(), data_type: DataType::Int32, missing: None };
        let table = TableSchema { columns: vec![column], indexes: vec![], windows: None };
        let mut tx = store.begin(Isolation::ReadCommitted);
        tx.create_table(20_000, table.clone()).unwrap();
        let rows = |of: std::ops::Range<i32>| -> RecordBatch {
            RecordBatch::try_new(table.to_arrow(), vec![Arc::new(Int32Array::from_iter_values(of))]).unwrap()
        };
        tx.insert(20_000, &rows(0..5000)).unwrap();
        aegis_storage::block_on(async {
            tx.commit(true).await.unwrap();
            store.flush().await.unwrap();
            // These stay in memory.
            let mut tx = store.begin(Isolation::ReadCommitted);
            tx.insert(20_000, &rows(3500..3600)).unwrap();
            tx.commit(true).await.unwrap();
        });
        let parts = store.begin(Isolation::ReadCommitted).scan(20_000).unwrap().parts(&[]).unwrap();
        let descending = SortOptions { descending: true, nulls_first: true };
        let parts = arrange(parts, &table, 0, descending).unwrap().unwrap();
        let greatest = |part: &Part| {
            let of = part.summary(&table, 0).unwrap().unwrap();
            of.greatest.as_primitive::<Int32Type>().value(0)
        };
        assert_eq!(parts.iter().map(greatest).collect::<Vec<_>>(), [4999, 4095, 3599, 3071, 2047, 1023]);

        let layout: SchemaRef = Arc::new(Schema::new(vec![Field::new("n", DataType::Int32, true)]));
        let n: Arc<dyn PhysicalExpr> = Arc::new(PhysicalColumn::new("n", 0));
        let filter = Arc::new(DynamicFilterPhysicalExpr::new(vec![n.clone()], lit(true)));
        let mut watch = Watch::new(&[Conjunct::new(filter.clone(), &layout).unwrap()], &layout);
        let left = |watch: &mut Watch| {
            let kept = |part: &&Part| !watch.rules_out(part, &table, &[Source::Stored(0)]).unwrap();
            parts.iter().filter(kept).count()
        };
        assert_eq!(left(&mut watch), 6);
        filter.update(Arc::new(BinaryExpr::new(n, Operator::Gt, lit(4094)))).unwrap();
        assert_eq!(left(&mut watch), 2);
        let dealt = deal(parts.clone(), 2);
        assert_eq!(
            dealt.iter().map(|parts| parts.iter().map(greatest).collect()).collect::<Vec<Vec<_>>>(),
            [vec![4999, 3599, 3071, 1023], vec![4095, 2047]]
        );
    }
}
