//! Relations of the catalog as DataFusion knows tables.

use std::sync::Arc;

use aegis_catalog::fixed_oid::{PG_LARGEOBJECT, PG_LARGEOBJECT_METADATA};
use aegis_catalog::object::{Relation, RelationKind};
use aegis_catalog::types::built_in;
use aegis_catalog::{Error, Oid, Result, Type, sqlstate};
use aegis_storage::transaction::{ADDRESS_COLUMN, ChunkScan, TableScan};
use aegis_storage::{IndexSchema, TableSchema};
use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::datasource::{MemTable, TableProvider, provider_as_source};
use datafusion::logical_expr::{Expr, LogicalPlan, TableProviderFilterPushDown, TableSource, TableType};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;

use super::error::{from_arrow, from_datafusion};
use super::key::key_type;
use super::last_rows::LastRowsTable;
use super::scan::predicate::{Columns, predicates};
use super::scan::{ScanRequest, Source, TableScanExec, read_chunk};
use super::shared::SharedTable;
use super::system::{SequenceTable, SystemTable};
use crate::bind::tree::SYSTEM_COLUMNS;
use crate::lower::{LastRows, Tables};
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
                if table.materialized.as_ref().is_some_and(|materialized| !materialized.populated) {
                    let message = format!("materialized view \"{}\" has not been populated", relation.name);
                    return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
                        .with_hint("Use the REFRESH MATERIALIZED VIEW command."));
                }
                let scan = self.transaction.scan(table.storage).map_err(Error::from)?;
                Arc::new(StoredTable::new(relation, scan, &self.context)?)
            }
            RelationKind::System if relation.oid == PG_LARGEOBJECT => {
                let pages = aegis_catalog::large_object::pages(self.context.database_oid);
                Arc::new(StoredTable::new(relation, self.transaction.scan(pages).map_err(Error::from)?, &self.context)?)
            }
            RelationKind::System => {
                let mut table = SystemTable::new(relation.clone(), self.context.clone());
                if relation.oid == PG_LARGEOBJECT_METADATA {
                    table.large_objects = crate::large_object::all(self.transaction, self.context.database_oid)?;
                }
                Arc::new(table)
            }
            RelationKind::Sequence(_) => Arc::new(SequenceTable::new(relation.clone(), self.context.clone())),
            RelationKind::View(_) | RelationKind::Index(_) | RelationKind::Composite => {
                return Err(Error::internal(format!("\"{}\" has no rows of its own", relation.name)));
            }
        };
        Ok(provider_as_source(provider))
    }

    fn keyed(&self, relation: &Arc<Relation>, values: &[(i16, ScalarValue)]) -> Result<Option<Arc<dyn TableSource>>> {
        let RelationKind::Table(table) = &relation.kind else { return Ok(None) };
        let schema = self.transaction.table_schema(table.storage).map_err(Error::from)?;
        for index in schema.indexes.iter().filter(|index| index.is_immediate()) {
            let Some(key) = key_batch(&schema, index, relation, values)? else { continue };
            let found = self.transaction.lookup(table.storage, index.id, &key).map_err(Error::from)?;
            let addresses: Vec<_> = found.into_iter().flatten().collect();
            self.context.services.counters(index.id).looked_up(addresses.len() as u64);
            let all: Vec<usize> = (0..schema.columns.len()).collect();
            let batch = self.transaction.fetch(table.storage, &addresses, &all).map_err(Error::from)?;
            let first_address = addresses.first().copied().unwrap_or(0);
            let (fields, sources) = layout(relation, &schema)?;
            let chunk = ChunkScan::new(batch, first_address);
            let rows = read_chunk(chunk, schema.clone(), sources, fields).map_err(from_datafusion)?;
            return Ok(Some(provider_as_source(Arc::new(KeyedTable { rows }))));
        }
        Ok(None)
    }

    fn last_rows(&self, relation: &Arc<Relation>, wanted: &LastRows) -> Result<Option<Arc<dyn TableSource>>> {
        let RelationKind::Table(table) = &relation.kind else { return Ok(None) };
        if table.materialized.as_ref().is_some_and(|materialized| !materialized.populated) {
            return Ok(None);
        }
        let scan = self.transaction.scan(table.storage).map_err(Error::from)?;
        let table = StoredTable::new(relation, scan, &self.context)?;
        Ok(Some(provider_as_source(Arc::new(LastRowsTable::new(table, wanted)))))
    }

    fn shared(&self, plan: LogicalPlan) -> Result<Arc<dyn TableSource>> {
        Ok(provider_as_source(Arc::new(SharedTable::new(plan))))
    }
}

/// Fields of a relation of the system, or of a table that is stored before the store tells how, as scans see them: live columns, then
/// system columns.
pub fn relation_fields(relation: &Relation) -> Vec<Field> {
    let columns = relation.live_columns().map(|column| Field::new(&column.name, built_in(column.ty), !column.not_null));
    let system = SYSTEM_COLUMNS.iter().map(|(name, oid)| Field::new(*name, built_in(Type::of(*oid)), false));
    columns.chain(system).collect()
}

/// A stored table at one snapshot.
#[derive(Debug)]
pub struct StoredTable {
    oid: Oid,
    context: Arc<StatementContext>,
    pub(super) name: String,
    pub(super) schema: SchemaRef,
    pub(super) sources: Vec<Source>,
    pub(super) scan: TableScan,
}

impl StoredTable {
    pub fn new(relation: &Relation, scan: TableScan, context: &Arc<StatementContext>) -> Result<Self> {
        let (schema, sources) = layout(relation, &scan.table_schema)?;
        let (oid, context) = (relation.oid, Arc::clone(context));
        Ok(Self { oid, context, name: relation.name.clone(), schema, sources, scan })
    }
}

/// The columns of a table's scans and what each is made from.
pub fn layout(relation: &Relation, table: &TableSchema) -> Result<(SchemaRef, Vec<Source>)> {
    let mut fields = relation_fields(relation);
    let mut sources = Vec::with_capacity(fields.len() + 1);
    for (column, field) in relation.live_columns().zip(&mut fields) {
        let id = u32::try_from(column.attnum).unwrap_or(0);
        let position = table.position(id).ok_or_else(|| {
            Error::internal(format!("the store has no column \"{}\" of \"{}\"", column.name, relation.name))
        })?;
        if let Some(stored) = table.columns.get(position) {
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
    Ok((Arc::new(Schema::new(fields)), sources))
}

/// The values of an index's columns as one key, if all are given in a form that loses nothing.
pub fn key_batch(
    schema: &TableSchema,
    index: &IndexSchema,
    relation: &Relation,
    values: &[(i16, ScalarValue)],
) -> Result<Option<RecordBatch>> {
    let mut fields = Vec::new();
    let mut columns = Vec::new();
    for id in &index.columns {
        let stored = schema.columns.iter().find(|column| column.id == *id);
        let value = values.iter().find(|(attnum, _)| i64::from(*attnum) == i64::from(*id));
        let ty = value.and_then(|(attnum, _)| relation.column(*attnum)).map(|column| column.ty);
        let (Some(stored), Some((_, value)), Some(ty)) = (stored, value, ty) else { return Ok(None) };
        let data_type = &stored.data_type;
        let Some(value) = exactly(value, data_type).filter(|_| key_type(ty, data_type).is_none()) else {
            return Ok(None);
        };
        fields.push(Field::new(&stored.name, data_type.clone(), true));
        columns.push(value.to_array().map_err(from_datafusion)?);
    }
    let schema = Arc::new(Schema::new(fields));
    Ok(Some(RecordBatch::try_new(schema, columns).map_err(from_arrow)?))
}

/// The same value in another type, if it has one there. Floats are left out: their equality is not that of their bits.
fn exactly(value: &ScalarValue, target: &DataType) -> Option<ScalarValue> {
    if value.is_null() || target.is_floating() {
        return None;
    }
    if value.data_type() == *target {
        return Some(value.clone());
    }
    if !value.data_type().is_integer() || !target.is_integer() {
        return None;
    }
    let cast = value.cast_to(target).ok().filter(|cast| !cast.is_null())?;
    (cast.cast_to(&value.data_type()).ok()? == *value).then_some(cast)
}

/// A row that was found by its key before the plan was made.
#[derive(Debug)]
pub struct KeyedTable {
    rows: RecordBatch,
}

impl KeyedTable {
    pub fn new(rows: RecordBatch) -> Self {
        Self { rows }
    }

    pub fn rows(&self) -> &RecordBatch {
        &self.rows
    }
}

#[async_trait]
impl TableProvider for KeyedTable {
    fn schema(&self) -> SchemaRef {
        self.rows.schema()
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
        let table = MemTable::try_new(self.rows.schema(), vec![vec![self.rows.clone()]])?;
        table.scan(state, projection, filters, limit).await
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
        let columns = Columns { schema: &self.schema, sources: &self.sources, table: &self.scan.table_schema };
        Ok(Arc::new(TableScanExec::new(ScanRequest {
            name: &self.name,
            scan: &self.scan,
            schema,
            sources,
            predicates: predicates(filters, &columns),
            filtered: !filters.is_empty(),
            limit,
            target_partitions: state.config().target_partitions(),
            counters: &|index| self.context.services.counters(index.unwrap_or(self.oid)),
        })?))
    }

    fn supports_filters_pushdown(
        &self,
        filters: &[&Expr],
    ) -> datafusion::error::Result<Vec<TableProviderFilterPushDown>> {
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }
}
