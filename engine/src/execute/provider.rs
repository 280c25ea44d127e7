//! Relations of the catalog as DataFusion knows tables.

use std::sync::Arc;

use aegis_catalog::object::{Relation, RelationKind};
use aegis_catalog::types::{arrow_type, stored_arrow_type};
use aegis_catalog::{Error, Result, Type};
use aegis_storage::transaction::{ADDRESS_COLUMN, TableScan};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::datasource::{TableProvider, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableSource, TableType};
use datafusion::physical_plan::ExecutionPlan;

use super::scan::{Source, TableScanExec};
use super::shared::SharedTable;
use super::system::{SequenceTable, SystemTable};
use crate::bind::tree::SYSTEM_COLUMNS;
use crate::lower::Tables;
use crate::session::context::StatementContext;
use crate::session::tables::Tables as RowTables;

/// `FrozenTransactionId`: what `xmin` shows for rows whose transaction is of no interest.
const FROZEN: u64 = 2;

/// The tables that a statement sees: those of its transaction at this moment. Plans keep what they need of it.
pub struct SnapshotTables<'a> {
    pub transaction: &'a RowTables,
    pub context: Arc<StatementContext>,
}

impl Tables for SnapshotTables<'_> {
    fn source(&self, relation: &Arc<Relation>) -> Result<Arc<dyn TableSource>> {
        let provider: Arc<dyn TableProvider> = match &relation.kind {
            RelationKind::Table(table) => {
                let scan = self.transaction.scan(table.storage).map_err(Error::from)?;
                Arc::new(StoredTable::new(relation, scan)?)
            }
            RelationKind::System => Arc::new(SystemTable::new(relation.clone(), self.context.clone())),
            RelationKind::Sequence(_) => Arc::new(SequenceTable::new(relation.clone(), self.context.clone())),
            RelationKind::View(_) | RelationKind::Index(_) => {
                return Err(Error::internal(format!("\"{}\" has no rows of its own", relation.name)));
            }
        };
        Ok(provider_as_source(provider))
    }

    fn shared(&self, plan: LogicalPlan) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(SharedTable::new(plan))))
    }
}

/// Fields of a relation as scans see them: live columns, then system columns.
pub fn relation_fields(relation: &Relation, stored: bool) -> Vec<Field> {
    let column_type = |ty: Type| if stored { stored_arrow_type(ty) } else { arrow_type(ty) };
    let columns =
        relation.live_columns().map(|column| Field::new(&column.name, column_type(column.ty), !column.not_null));
    let system = SYSTEM_COLUMNS.iter().map(|(name, oid)| Field::new(*name, arrow_type(Type::of(*oid)), false));
    columns.chain(system).collect()
}

/// A stored table at one snapshot.
#[derive(Debug)]
pub struct StoredTable {
    name: String,
    schema: SchemaRef,
    sources: Vec<Source>,
    scan: TableScan,
}

impl StoredTable {
    pub fn new(relation: &Relation, scan: TableScan) -> Result<Self> {
        let mut fields = relation_fields(relation, true);
        let mut sources = Vec::with_capacity(fields.len() + 1);
        for (column, field) in relation.live_columns().zip(&mut fields) {
            let id = u32::try_from(column.attnum).unwrap_or(0);
            let position = scan.table_schema.position(id);
            let position = position.ok_or_else(|| {
                Error::internal(format!("the store has no column \"{}\" of \"{}\"", column.name, relation.name))
            })?;
            if let Some(stored) = scan.table_schema.columns.get(position) {
                field.set_data_type(stored.data_type.clone());
            }
            sources.push(Source::Stored(position));
        }
        sources.extend(SYSTEM_COLUMNS.iter().map(|(name, _)| match *name {
            "tableoid" => Source::TableOid(relation.oid),
            "ctid" => Source::TupleId,
            "xmin" => Source::Constant(FROZEN),
            _ => Source::Constant(0),
        }));
        fields.push(Field::new(ADDRESS_COLUMN, DataType::UInt64, false));
        sources.push(Source::Address);
        Ok(Self { name: relation.name.clone(), schema: Arc::new(Schema::new(fields)), sources, scan })
    }
}

#[async_trait]
impl TableProvider for StoredTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> datafusion::error::Result<Arc<dyn ExecutionPlan>> {
        let all: Vec<usize> = (0..self.sources.len()).collect();
        let projection = projection.unwrap_or(&all);
        let schema = Arc::new(self.schema.project(projection)?);
        let sources = projection.iter().filter_map(|position| self.sources.get(*position).copied()).collect();
        let target = state.config().target_partitions();
        let filtered = !filters.is_empty();
        let scan = TableScanExec::new(&self.name, &self.scan, schema, sources, limit, target, filtered)?;
        Ok(Arc::new(scan))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}
