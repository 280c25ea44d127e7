//! The conditions of a scan on its rows, evaluated one after the other, each on what the ones before it have left.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, BooleanArray, BooleanBufferBuilder, RecordBatch, RecordBatchOptions};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{filter, prep_null_mask_filter};
use arrow::datatypes::{DataType, Schema, SchemaRef};
use datafusion::common::cast::as_boolean_array;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Result, internal_err};
use datafusion::logical_expr::ColumnarValue;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::{
    BinaryExpr, Column, DynamicFilterPhysicalExpr, InListExpr, IsNotNullExpr, IsNullExpr, LikeExpr, Literal, NotExpr,
};
use datafusion::physical_expr::utils::collect_columns;
use datafusion::scalar::ScalarValue;

use crate::execute::join_keys::JoinKeys;

/// One of the conditions, all of which must hold.
#[derive(Debug, Clone)]
pub struct Conjunct {
    /// Over the columns of the scan.
    whole: Arc<dyn PhysicalExpr>,
    /// Over `columns` alone.
    expr: Arc<dyn PhysicalExpr>,
    schema: SchemaRef,
    /// Positions in the scan.
    pub columns: Vec<usize>,
    order: Order,
    /// The keys of the join whose filter it is, which are looked up in its place once they are known.
    keys: Option<Arc<JoinKeys>>,
}

/// In which order conditions are evaluated: first what is cheap, last what can fail, so that it does not on rows that are not wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Order {
    /// Comparisons of values of fixed width.
    Fixed,
    /// What a sort or a join further up has found out so far.
    Dynamic,
    /// Comparisons of other values.
    Total,
    Fallible,
}

/// Rows are filtered before a comparison, if fewer than one in so many are left: making fewer comparisons pays for it then.
const FEW: usize = 4;

impl Conjunct {
    /// A condition over the columns of a scan of that layout.
    pub fn new(whole: Arc<dyn PhysicalExpr>, layout: &Schema) -> Result<Self> {
        let mut columns: Vec<usize> = collect_columns(&whole).iter().map(Column::index).collect();
        columns.sort_unstable();
        let expr = with_columns(&whole, |at| columns.binary_search(&at).ok())?;
        // Rows that are dead may hold nulls from before a column was NOT NULL.
        let fields = columns.iter().filter_map(|at| layout.fields().get(*at));
        let fields = fields.map(|f| f.as_ref().clone().with_nullable(true)).collect::<Vec<_>>();
        let schema = Arc::new(Schema::new(fields));
        let fixed = schema
            .fields()
            .iter()
            .all(|f| f.data_type().primitive_width().is_some() || f.data_type() == &DataType::Boolean);
        let order = match (whole.is::<DynamicFilterPhysicalExpr>(), is_total(&whole)) {
            (true, _) => Order::Dynamic,
            (false, true) if fixed => Order::Fixed,
            (false, true) => Order::Total,
            (false, false) => Order::Fallible,
        };
        Ok(Self { whole, expr, schema, columns, order, keys: None })
    }

    /// Whether something further up in the plan has made it, to spare itself rows: the plan is right without it.
    pub fn is_dynamic(&self) -> bool {
        self.order == Order::Dynamic
    }

    /// Lets it look rows up in a join's keys, if it is the filter of that id and is over a column.
    pub fn ask(&mut self, filter: u64, keys: &Arc<JoinKeys>) -> bool {
        let over_a_column = matches!(self.whole.children().as_slice(), [child] if child.is::<Column>());
        let asks = self.is_dynamic() && over_a_column && self.whole.expression_id() == Some(filter);
        if asks {
            self.keys = Some(keys.clone());
        }
        asks
    }

    pub fn whole(&self) -> &Arc<dyn PhysicalExpr> {
        &self.whole
    }

    /// The rows among `live` (None means all `rows`) that meet it. `columns` are its own, of all rows.
    pub fn narrow(
        &self,
        columns: Vec<ArrayRef>,
        rows: usize,
        live: Option<&BooleanBuffer>,
    ) -> Result<Option<BooleanBuffer>> {
        match live {
            Some(live) if self.order == Order::Fallible || live.count_set_bits() * FEW < rows => {
                let mask = BooleanArray::new(live.clone(), None);
                let left = columns.iter().map(|column| filter(column, &mask)).collect::<Result<Vec<_>, _>>()?;
                let met = self.evaluate(left, live.count_set_bits())?;
                Ok(Some(match met {
                    None => live.clone(),
                    Some(met) => spread(&met, live),
                }))
            }
            live => Ok(match (self.evaluate(columns, rows)?, live) {
                (None, live) => live.cloned(),
                (Some(met), None) => Some(met),
                (Some(met), Some(live)) => Some(&met & live),
            }),
        }
    }

    /// Which rows meet it; None for all.
    fn evaluate(&self, columns: Vec<ArrayRef>, rows: usize) -> Result<Option<BooleanBuffer>> {
        if let (Some(keys), [column]) = (&self.keys, columns.as_slice())
            && let Some(met) = keys.lookup(column)
        {
            return Ok(Some(met));
        }
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        let batch = RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)?;
        match self.expr.evaluate(&batch)? {
            ColumnarValue::Scalar(ScalarValue::Boolean(Some(true))) => Ok(None),
            ColumnarValue::Scalar(_) => Ok(Some(BooleanBuffer::new_unset(rows))),
            ColumnarValue::Array(met) => {
                let met = as_boolean_array(&met)?;
                Ok(Some(match met.null_count() {
                    0 => met.values().clone(),
                    _ => prep_null_mask_filter(met).values().clone(),
                }))
            }
        }
    }
}

/// Puts them into the order in which they are evaluated.
pub fn arrange(conjuncts: &mut [Conjunct]) {
    conjuncts.sort_by_key(|conjunct| conjunct.order);
}

/// The same expression over other columns.
pub fn with_columns(
    expr: &Arc<dyn PhysicalExpr>,
    place: impl Fn(usize) -> Option<usize>,
) -> Result<Arc<dyn PhysicalExpr>> {
    let moved = expr.clone().transform_down(|node| {
        let Some(column) = node.downcast_ref::<Column>() else { return Ok(Transformed::no(node)) };
        match place(column.index()) {
            Some(at) => Ok(Transformed::yes(Arc::new(Column::new(column.name(), at)) as Arc<dyn PhysicalExpr>)),
            None => internal_err!("a condition has a column that its scan has not"),
        }
    });
    Ok(moved?.data)
}

/// Whether it has a value for all rows, whatever they hold.
fn is_total(expr: &Arc<dyn PhysicalExpr>) -> bool {
    let mut total = true;
    let walked = expr.apply(|node| {
        total &= match node.downcast_ref::<BinaryExpr>() {
            Some(binary) => binary.op().negate().is_some() || binary.op().is_logic_operator(),
            None => {
                node.is::<Column>()
                    || node.is::<Literal>()
                    || node.is::<IsNullExpr>()
                    || node.is::<IsNotNullExpr>()
                    || node.is::<NotExpr>()
                    || node.is::<InListExpr>()
                    || node.is::<LikeExpr>()
            }
        };
        Ok(if total { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.is_ok() && total
}

/// The rows set in `live` for whose place among them `met` is set.
fn spread(met: &BooleanBuffer, live: &BooleanBuffer) -> BooleanBuffer {
    let mut out = BooleanBufferBuilder::new(live.len());
    out.append_n(live.len(), false);
    live.set_indices().zip(met).filter(|(_, met)| *met).for_each(|(row, _)| out.set_bit(row, true));
    out.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_met_goes_back_to_where_it_came_from() {
        let live = BooleanBuffer::from(vec![true, false, true, true, false]);
        let met = BooleanBuffer::from(vec![false, true, true]);
        assert_eq!(spread(&met, &live), BooleanBuffer::from(vec![false, false, true, true, false]));
    }
}
