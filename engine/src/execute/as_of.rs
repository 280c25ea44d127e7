//! ASOF joins as an operator: both sides come sorted by the columns that must be equal and then by the one that is near, in the direction in which
//! the nearest row is the last one before. Each side is read once; what stays in memory are the batches that rows of the present batch match.

use std::fmt;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt64Array, new_null_array};
use arrow::compute::kernels::cmp;
use arrow::compute::{SortOptions, and, interleave, take_record_batch};
use arrow::datatypes::SchemaRef;
use arrow::row::{RowConverter, Rows, SortField};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column as Name, DFSchema, DFSchemaRef, Result, internal_err};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::Operator as Comparison;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::{Distribution, LexOrdering, OrderingRequirements, PhysicalExpr, PhysicalSortExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt, stream};

use super::node::{Operator, one_stream, places};

/// Batches of the right side that rows of one batch of the left side may match before it is handed on in parts.
const MAX_BATCHES: usize = 16;

/// An ASOF join; `C` is how it names columns.
#[derive(Debug, Clone)]
pub struct Plan<C> {
    /// Columns that must be equal, then the one that is near.
    pub left: Vec<C>,
    pub right: Vec<C>,
    /// How the left one compares to the right one.
    pub op: Comparison,
    /// Comparisons of columns of the left side with the nearest row.
    pub bounds: Vec<(Comparison, C)>,
    /// A column of the left side that must be true.
    pub condition: Option<C>,
    /// Rows of the left side stay without a match.
    pub keep_left: bool,
}

impl Plan<Name> {
    fn left_columns(&self) -> impl Iterator<Item = &Name> {
        self.left.iter().chain(self.bounds.iter().map(|(_, column)| column)).chain(&self.condition)
    }

    fn over(&self, left: &DFSchema, right: &DFSchema) -> Result<Plan<usize>> {
        let place = |column: &Name| left.index_of_column(column);
        Ok(Plan {
            left: places(&self.left, left)?,
            right: places(&self.right, right)?,
            op: self.op,
            bounds: self.bounds.iter().map(|(op, column)| Ok((*op, place(column)?))).collect::<Result<_>>()?,
            condition: self.condition.as_ref().map(place).transpose()?,
            keep_left: self.keep_left,
        })
    }
}

impl Plan<usize> {
    /// The nearest row is a later one.
    fn descending(&self) -> bool {
        matches!(self.op, Comparison::Lt | Comparison::LtEq)
    }

    fn strict(&self) -> bool {
        matches!(self.op, Comparison::Lt | Comparison::Gt)
    }

    fn options(&self, place: usize) -> SortOptions {
        SortOptions { descending: self.descending() && place + 1 == self.left.len(), nulls_first: false }
    }
}

#[derive(Debug)]
pub struct AsOfNode(pub Plan<Name>);

impl Operator for AsOfNode {
    fn name(&self) -> &str {
        "AsOfJoin"
    }

    /// The columns of both sides; any of the right side may be null.
    fn schema(&self, inputs: &[&DFSchemaRef]) -> Result<DFSchema> {
        let [left, right] = inputs else { return internal_err!("a join has two inputs") };
        let own = left.iter().map(|(qualifier, field)| (qualifier.cloned(), field.clone()));
        let other = right
            .iter()
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(true))));
        DFSchema::new_with_metadata(own.chain(other).collect(), Default::default())
    }

    fn needed(&self, output: &[usize], inputs: &[&DFSchemaRef]) -> Result<Vec<Vec<usize>>> {
        let [left, right] = inputs else { return internal_err!("a join has two inputs") };
        let split = left.fields().len();
        let mut own = places(self.0.left_columns(), left)?;
        let mut other = places(&self.0.right, right)?;
        own.extend(output.iter().filter(|&&place| place < split));
        other.extend(output.iter().filter_map(|place| place.checked_sub(split)));
        Ok(vec![own, other])
    }

    fn operator(
        &self,
        inputs: &[Arc<dyn ExecutionPlan>],
        schemas: &[&DFSchemaRef],
        output: SchemaRef,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let ([left, right], [left_schema, right_schema]) = (inputs, schemas) else {
            return internal_err!("a join has two inputs");
        };
        let plan = self.0.over(left_schema, right_schema)?;
        Ok(Arc::new(AsOfExec::new(Arc::new(plan), left.clone(), right.clone(), output)))
    }
}

#[derive(Debug)]
struct AsOfExec {
    plan: Arc<Plan<usize>>,
    left: Arc<dyn ExecutionPlan>,
    right: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl AsOfExec {
    fn new(
        plan: Arc<Plan<usize>>,
        left: Arc<dyn ExecutionPlan>,
        right: Arc<dyn ExecutionPlan>,
        schema: SchemaRef,
    ) -> Self {
        Self { plan, left, right, properties: one_stream(schema) }
    }

    fn ordering(&self, input: &Arc<dyn ExecutionPlan>, columns: &[usize]) -> Option<OrderingRequirements> {
        let schema = input.schema();
        let key = |(place, &column): (usize, &usize)| {
            let expr = Arc::new(Column::new(schema.field(column).name(), column)) as Arc<dyn PhysicalExpr>;
            PhysicalSortExpr::new(expr, self.plan.options(place))
        };
        LexOrdering::new(columns.iter().enumerate().map(key)).map(OrderingRequirements::from)
    }
}

impl DisplayAs for AsOfExec {
    fn fmt_as(&self, _format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.plan.keep_left { "Left" } else { "Inner" };
        write!(f, "AsOfJoinExec: {kind}, {}", self.plan.op)
    }
}

impl ExecutionPlan for AsOfExec {
    fn name(&self) -> &str {
        "AsOfJoinExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.left, &self.right]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition; 2]
    }

    fn required_input_ordering(&self) -> Vec<Option<OrderingRequirements>> {
        vec![self.ordering(&self.left, &self.plan.left), self.ordering(&self.right, &self.plan.right)]
    }

    fn apply_expressions(
        &self,
        _f: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.properties.eq_properties.schema().clone();
        let [left, right] = children.as_slice() else { return internal_err!("a join has two inputs") };
        Ok(Arc::new(Self::new(self.plan.clone(), left.clone(), right.clone(), schema)))
    }

    fn execute(&self, _partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        let left = self.left.execute(0, context.clone())?;
        let right = self.right.execute(0, context)?;
        let schema = self.properties.eq_properties.schema().clone();
        let keys = |input: &SchemaRef, columns: &[usize]| {
            let all = columns.iter().enumerate();
            let field = |(place, &column): (usize, &usize)| {
                SortField::new_with_options(input.field(column).data_type().clone(), self.plan.options(place))
            };
            all.map(field).collect::<Vec<_>>()
        };
        let fields = keys(&left.schema(), &self.plan.left);
        let equal = fields.iter().take(fields.len().saturating_sub(1)).cloned().collect();
        let nulls = right.schema().fields().iter().map(|field| new_null_array(field.data_type(), 1)).collect();
        let state = Running {
            whole: RowConverter::new(fields)?,
            equal: RowConverter::new(equal)?,
            plan: self.plan.clone(),
            target: schema.clone(),
            left,
            right,
            present: None,
            pieces: Vec::new(),
            matched: None,
            candidate: None,
            ahead: None,
            ended: false,
            nulls,
        };
        let rows =
            stream::try_unfold(state, |mut state| async move { Ok(state.next().await?.map(|batch| (batch, state))) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows.boxed())))
    }
}

/// A batch with its sort keys.
struct Keyed {
    batch: RecordBatch,
    whole: Rows,
    equal: Option<Rows>,
}

struct Running {
    plan: Arc<Plan<usize>>,
    target: SchemaRef,
    /// Of all key columns, and of those that must be equal.
    whole: RowConverter,
    equal: RowConverter,
    left: SendableRecordBatchStream,
    right: SendableRecordBatchStream,
    /// The left batch, and the first row of it that has not been handed on.
    present: Option<(Keyed, usize)>,
    /// Batches of the right side that may be matched.
    pieces: Vec<Keyed>,
    /// The last of them that rows of the present batch match.
    matched: Option<usize>,
    /// The last row of the right side that is before the present one: its batch and place.
    candidate: Option<(usize, usize)>,
    /// The next row of the right side.
    ahead: Option<(usize, usize)>,
    /// The right side has no more batches.
    ended: bool,
    nulls: Vec<ArrayRef>,
}

impl Running {
    fn keyed(&self, batch: RecordBatch, columns: &[usize]) -> Result<Keyed> {
        let columns: Vec<ArrayRef> = columns.iter().map(|&column| batch.column(column).clone()).collect();
        let whole = self.whole.convert_columns(&columns)?;
        let (_, equal) = columns.split_last().unzip();
        let equal = match equal {
            Some(equal) if !equal.is_empty() => Some(self.equal.convert_columns(equal)?),
            _ => None,
        };
        Ok(Keyed { batch, whole, equal })
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            if self.present.is_none() {
                let Some(batch) = self.left.try_next().await? else { return Ok(None) };
                if batch.num_rows() == 0 {
                    continue;
                }
                self.present = Some((self.keyed(batch, &self.plan.clone().left)?, 0));
            }
            let Some((left, first)) = self.present.take() else { continue };
            let mut matches = Vec::with_capacity(left.batch.num_rows() - first);
            let mut row = first;
            while row < left.batch.num_rows() && self.pieces.len() <= MAX_BATCHES {
                self.advance(&left, row).await?;
                let found = self.matched(&left, row);
                self.matched = self.matched.max(found.map(|(piece, _)| piece));
                matches.push(found);
                row += 1;
            }
            let batch = self.rows(&left, first, &matches)?;
            self.forget();
            if row < left.batch.num_rows() {
                self.present = Some((left, row));
            }
            if batch.num_rows() > 0 {
                return Ok(Some(batch));
            }
        }
    }

    /// Reads the right side up to the first row that is not before a row of the left one.
    async fn advance(&mut self, left: &Keyed, row: usize) -> Result<()> {
        let wanted = left.whole.row(row);
        loop {
            if self.ahead.is_none() && !self.ended {
                match self.right.try_next().await? {
                    None => self.ended = true,
                    Some(batch) if batch.num_rows() == 0 => continue,
                    Some(batch) => {
                        self.skip();
                        let piece = self.keyed(batch, &self.plan.clone().right)?;
                        self.pieces.push(piece);
                        self.ahead = Some((self.pieces.len() - 1, 0));
                    }
                }
            }
            let Some((piece, place)) = self.ahead else { return Ok(()) };
            let Some(rows) = self.pieces.get(piece) else { return Ok(()) };
            let next = rows.whole.row(place);
            let before = if self.plan.strict() { next < wanted } else { next <= wanted };
            if !before {
                return Ok(());
            }
            self.candidate = Some((piece, place));
            self.ahead = (place + 1 < rows.batch.num_rows()).then_some((piece, place + 1));
        }
    }

    /// All of the last batch is before the present row: lets go of those before it that nothing matches.
    fn skip(&mut self) {
        let (kept, last) = (self.matched.map_or(0, |piece| piece + 1), self.pieces.len().saturating_sub(1));
        if kept < last {
            self.pieces.drain(kept..last);
            self.candidate = self.candidate.map(|(_, place)| (kept, place));
        }
    }

    /// The candidate, if it has the columns that must be equal.
    fn matched(&self, left: &Keyed, row: usize) -> Option<(usize, usize)> {
        let (piece, place) = self.candidate?;
        if self.plan.left.iter().any(|&column| left.batch.column(column).is_null(row)) {
            return None;
        }
        let right = self.pieces.get(piece)?;
        match (&left.equal, &right.equal) {
            (Some(wanted), Some(found)) if wanted.row(row) != found.row(place) => None,
            _ => Some((piece, place)),
        }
    }

    /// Rows of the left side from `first` on, with their matches.
    fn rows(&self, left: &Keyed, first: usize, matches: &[Option<(usize, usize)>]) -> Result<RecordBatch> {
        let own = left.batch.slice(first, matches.len());
        // The last piece stands for no match.
        let nothing = self.pieces.len();
        let places = |matches: &[Option<(usize, usize)>]| -> Vec<(usize, usize)> {
            matches.iter().map(|found| found.unwrap_or((nothing, 0))).collect()
        };
        let mut matches = matches.to_vec();
        let holds = self.holds(&own, &places(&matches))?;
        for (found, _) in matches.iter_mut().zip(holds.iter()).filter(|(_, holds)| *holds != Some(true)) {
            *found = None;
        }
        let (own, matches) = match self.plan.keep_left {
            true => (own, matches),
            false => {
                let kept = matches.iter().enumerate().filter(|(_, found)| found.is_some());
                let kept: UInt64Array = kept.map(|(row, _)| row as u64).collect::<Vec<_>>().into();
                (take_record_batch(&own, &kept)?, matches.into_iter().filter(Option::is_some).collect())
            }
        };
        let places = places(&matches);
        let mut columns = own.columns().to_vec();
        for column in 0..self.nulls.len() {
            columns.push(self.pick(column, &places)?);
        }
        Ok(RecordBatch::try_new(self.target.clone(), columns)?)
    }

    /// Values of a column of the right side.
    fn pick(&self, column: usize, places: &[(usize, usize)]) -> Result<ArrayRef> {
        let pieces = self.pieces.iter().map(|piece| piece.batch.column(column));
        let sources: Vec<&dyn Array> = pieces.chain(self.nulls.get(column)).map(|array| array.as_ref()).collect();
        Ok(interleave(&sources, places)?)
    }

    /// Where bounds and conditions hold.
    fn holds(&self, own: &RecordBatch, places: &[(usize, usize)]) -> Result<BooleanArray> {
        let mut holds = BooleanArray::from(vec![true; own.num_rows()]);
        if let Some(column) = self.plan.condition {
            holds = and(&holds, own.column(column).as_boolean())?;
        }
        let Some(&near) = self.plan.right.last().filter(|_| !self.plan.bounds.is_empty()) else { return Ok(holds) };
        let found = self.pick(near, places)?;
        for (op, column) in &self.plan.bounds {
            let bound = own.column(*column);
            let within = match op {
                Comparison::Lt => cmp::lt(bound, &found),
                Comparison::LtEq => cmp::lt_eq(bound, &found),
                Comparison::Gt => cmp::gt(bound, &found),
                _ => cmp::gt_eq(bound, &found),
            };
            holds = and(&holds, &within?)?;
        }
        Ok(holds)
    }

    /// Lets go of batches that later rows can't match: all but those of the candidate and of the next row.
    fn forget(&mut self) {
        self.matched = None;
        let used = [self.candidate, self.ahead].map(|place| place.map(|(piece, _)| piece));
        let mut moved = Vec::with_capacity(self.pieces.len());
        let mut kept = 0;
        for position in 0..self.pieces.len() {
            moved.push(kept);
            kept += usize::from(used.contains(&Some(position)));
        }
        let mut position = 0;
        self.pieces.retain(|_| {
            position += 1;
            used.contains(&Some(position - 1))
        });
        for (piece, _) in [&mut self.candidate, &mut self.ahead].into_iter().flatten() {
            *piece = moved.get(*piece).copied().unwrap_or(0);
        }
    }
}
