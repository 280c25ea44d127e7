//! Relations whose rows are computed when they are read: `pg_catalog`'s, and sequences.

use std::fmt;
use std::sync::Arc;

use aegis_catalog::object::Relation;
use aegis_catalog::system::{self, Filter, ServerFacts, SystemContext};
use aegis_catalog::{Error, Oid, Result};
use aegis_storage::transaction::ADDRESS_COLUMN;
use arrow::array::{
    ArrayRef, BooleanArray, Int64Array, RecordBatch, RecordBatchOptions, UInt32Array, UInt64Array, new_null_array,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::datasource::{TableProvider, source_as_provider};
use datafusion::logical_expr::expr::InList;
use datafusion::logical_expr::{BinaryExpr, Expr, LogicalPlan, Operator, TableProviderFilterPushDown, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;

use super::error::{from_arrow, to_datafusion};
use super::provider::{KeyedTable, relation_fields};
use super::shared::SharedTable;
use crate::session::context::StatementContext;

/// A relation of `pg_catalog` over the statement's image of the catalog.
pub struct SystemTable {
    relation: Arc<Relation>,
    context: Arc<StatementContext>,
    schema: SchemaRef,
    /// Large objects and their owners, if the relation lists them.
    pub large_objects: Vec<(Oid, Oid)>,
}

impl SystemTable {
    pub fn new(relation: Arc<Relation>, context: Arc<StatementContext>) -> Self {
        let schema = schema_of(&relation);
        Self { relation, context, schema, large_objects: Vec::new() }
    }

    /// The columns at `wanted`.
    fn rows(&self, filters: &[Expr], wanted: &[usize]) -> Result<RecordBatch> {
        let hints: Vec<Filter> = filters.iter().filter_map(hint).collect();
        let facts = Facts(self);
        let context = SystemContext::new(&self.context.catalog, &facts, &hints);
        system::rows(self.relation.oid, &context, wanted)
    }
}

/// Whether a query reads relations of `pg_catalog`, and besides them no table but rows found by key.
pub fn is_alone(plan: &LogicalPlan) -> bool {
    let mut reads = false;
    reads_nothing_else(plan, &mut reads) && reads
}

/// Sets `reads` if the plan reads a relation of `pg_catalog`.
fn reads_nothing_else(plan: &LogicalPlan, reads: &mut bool) -> bool {
    let walked = plan.apply(|node| {
        let LogicalPlan::TableScan(scan) = node else { return Ok(TreeNodeRecursion::Continue) };
        let provider = source_as_provider(&scan.source)?;
        let provider = provider.as_ref() as &dyn std::any::Any;
        let is_system = provider.is::<SystemTable>();
        *reads |= is_system;
        let shared = provider.downcast_ref::<SharedTable>();
        let passes = is_system
            || provider.is::<KeyedTable>()
            || shared.is_some_and(|shared| reads_nothing_else(shared.plan(), reads));
        Ok(if passes { TreeNodeRecursion::Continue } else { TreeNodeRecursion::Stop })
    });
    walked.is_ok_and(|last| last != TreeNodeRecursion::Stop)
}

/// What the server knows of tables, asked of the session's services.
struct Facts<'a>(&'a SystemTable);

impl ServerFacts for Facts<'_> {
    fn row_count(&self, _table: &Relation) -> Option<u64> {
        None
    }

    fn bytes(&self, relation: &Relation) -> u64 {
        self.0.context.services.table_bytes(relation.oid)
    }

    fn large_objects(&self) -> Result<Vec<(Oid, Oid)>> {
        Ok(self.0.large_objects.clone())
    }
}

fn schema_of(relation: &Relation) -> SchemaRef {
    let mut fields = relation_fields(relation);
    // Rows of system relations are computed: nothing promises that they have no nulls.
    for field in &mut fields {
        field.set_nullable(true);
    }
    fields.push(Field::new(ADDRESS_COLUMN, DataType::UInt64, true));
    Arc::new(Schema::new(fields))
}

/// A filter `column = constant` or `column IN (constants)` as a hint.
fn hint(filter: &Expr) -> Option<Filter> {
    let (column, values) = match filter {
        Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
                (column, vec![value])
            }
            _ => return None,
        },
        Expr::InList(InList { expr, list, negated: false }) => {
            let Expr::Column(column) = expr.as_ref() else { return None };
            let values = list.iter().map(|item| match item {
                Expr::Literal(value, _) => Some(value),
                _ => None,
            });
            (column, values.collect::<Option<Vec<_>>>()?)
        }
        _ => return None,
    };
    let oids: Option<Vec<u32>> = values
        .iter()
        .map(|value| match value {
            ScalarValue::UInt32(Some(oid)) => Some(*oid),
            _ => None,
        })
        .collect();
    if let Some(oids) = oids {
        return Some(Filter::oids(&column.name, oids));
    }
    let texts: Option<Vec<String>> = values
        .iter()
        .map(|value| match value {
            ScalarValue::Utf8View(Some(text)) => Some(text.clone()),
            _ => None,
        })
        .collect();
    texts.map(|texts| Filter::texts(&column.name, texts))
}

impl fmt::Debug for SystemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SystemTable({})", self.relation.name)
    }
}

#[async_trait]
impl TableProvider for SystemTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let all = 0..self.relation.columns.len();
        let wanted: Vec<usize> = match projection {
            Some(projection) => projection.iter().copied().filter(|position| all.contains(position)).collect(),
            None => all.collect(),
        };
        let rows = self.rows(filters, &wanted).map_err(to_datafusion)?;
        let column = |position| Some(rows.column(wanted.iter().position(|wanted| *wanted == position)?).clone());
        in_memory(&self.relation, rows.num_rows(), column, &self.schema, projection)
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}

/// `SELECT … FROM sequence`: last_value, log_cnt, is_called.
pub struct SequenceTable {
    relation: Arc<Relation>,
    context: Arc<StatementContext>,
    schema: SchemaRef,
}

impl SequenceTable {
    pub fn new(relation: Arc<Relation>, context: Arc<StatementContext>) -> Self {
        let schema = schema_of(&relation);
        Self { relation, context, schema }
    }

    fn row(&self) -> Result<RecordBatch> {
        let (last_value, is_called) = self.context.services.sequence_state(self.relation.oid)?;
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int64Array::from(vec![last_value])),
            Arc::new(Int64Array::from(vec![0])),
            Arc::new(BooleanArray::from(vec![is_called])),
        ];
        let fields: Vec<_> = self.schema.fields().iter().take(columns.len()).cloned().collect();
        if fields.len() < columns.len() {
            return Err(Error::internal("a sequence without columns"));
        }
        RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).map_err(from_arrow)
    }
}

impl fmt::Debug for SequenceTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SequenceTable({})", self.relation.name)
    }
}

#[async_trait]
impl TableProvider for SequenceTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let row = self.row().map_err(to_datafusion)?;
        let column = |position: usize| row.columns().get(position).cloned();
        in_memory(&self.relation, row.num_rows(), column, &self.schema, projection)
    }
}

/// Computed rows with system columns, projected; `column` gives those that are of the relation.
fn in_memory(
    relation: &Relation,
    count: usize,
    column: impl Fn(usize) -> Option<ArrayRef>,
    schema: &SchemaRef,
    projection: Option<&Vec<usize>>,
) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
    let all: Vec<usize> = (0..schema.fields().len()).collect();
    let projection = projection.unwrap_or(&all);
    let projected = Arc::new(schema.project(projection)?);
    let columns = projection
        .iter()
        .zip(projected.fields())
        .map(|(position, field)| column(*position).unwrap_or_else(|| system_column(relation, field, count)))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(count));
    let batch = RecordBatch::try_new_with_options(projected.clone(), columns, &options)?;
    Ok(MemorySourceConfig::try_new_exec(&[vec![batch]], projected, None)?)
}

fn system_column(relation: &Relation, field: &Field, rows: usize) -> ArrayRef {
    match (field.name().as_str(), field.data_type()) {
        ("tableoid", _) => Arc::new(UInt32Array::from_value(relation.oid, rows)),
        ("xmin", _) => Arc::new(UInt32Array::from_value(1, rows)),
        ("ctid", _) => Arc::new(UInt64Array::from_iter_values(1..=rows as u64)),
        (_, DataType::UInt32) => Arc::new(UInt32Array::from_value(0, rows)),
        (_, DataType::UInt64) => Arc::new(UInt64Array::from_iter_values(0..rows as u64)),
        (_, other) => new_null_array(other, rows),
    }
}
