//! Rows that are there already when a bound comes: those of a table that becomes a partition, and those of the default partition.

use std::sync::Arc;

use aegis_catalog::object::{PartitionBound, Relation};
use aegis_catalog::{Error, Result, sqlstate};
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::datatypes::{Field, Schema};

use crate::bind;
use crate::execute::error::from_arrow;
use crate::execute::over_row::{self, ROW};
use crate::lower::Form;
use crate::partition::holders;
use crate::partition::router::{Found, Router};
use crate::session::Session;
use crate::session::context::StatementContext;

/// 23514 if a row of the table, or of its partitions, is not within the bound that it has by now in the catalog.
pub fn rows_within(session: &mut Session, table: &Arc<Relation>) -> Result<()> {
    if misplaced(session, table)? {
        let message = format!("partition constraint of relation \"{}\" is violated by some row", table.name);
        return Err(violation(message, table, session)?);
    }
    Ok(())
}

/// 23514 if a row of the default partition belongs to one that has joined since.
pub fn default_partition(session: &mut Session, parent: &Relation) -> Result<()> {
    let context = session.context()?;
    let is_default = |child: &&Arc<Relation>| child.partition_bound() == Some(&PartitionBound::Default);
    let Some(default) = context.catalog.children_of(parent.oid).find(is_default).cloned() else { return Ok(()) };
    if misplaced(session, &default)? {
        let name = &default.name;
        let message =
            format!("updated partition constraint for default partition \"{name}\" would be violated by some row");
        return Err(violation(message, &default, session)?);
    }
    Ok(())
}

fn violation(message: String, table: &Relation, session: &Session) -> Result<Error> {
    let context = session.context()?;
    let schema = context.catalog.schema(table.schema).map(|schema| schema.name.clone()).unwrap_or_default();
    Ok(Error::new(sqlstate::CHECK_VIOLATION, message).with_table(schema, table.name.clone()))
}

/// Does a row of the partition, or of one below it, belong to another one of its parent, or to none?
fn misplaced(session: &mut Session, table: &Arc<Relation>) -> Result<bool> {
    let context = Arc::new(session.context()?);
    let Some(parent) = context.catalog.parents_of(table).next().cloned() else { return Ok(false) };
    let router = Router::new(&parent, &context)?;
    for leaf in holders(table, &context.catalog, &context.format)? {
        let exprs = router.keys().map(|(level, key)| bind::partition_key(&leaf, ROW, level, key, &context));
        let exprs = exprs.collect::<Result<Vec<_>>>()?;
        let read: Vec<usize> = exprs.iter().flat_map(|expr| bind::columns_of(expr, ROW)).collect();
        for rows in rows_of(session, &leaf, &read)? {
            let keys = over_row::values(&leaf, &exprs, &rows, Form::Computed, &context)?;
            for found in router.search(&keys, rows.num_rows())? {
                if !is_below(found, table, &router, &context) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Is it in the partition that a row belongs to? What is below is the partition's own matter.
fn is_below(found: Found, table: &Relation, router: &Router, context: &StatementContext) -> bool {
    let place = match found {
        Found::Leaf(oid) => context.catalog.relation(oid).cloned(),
        Found::Nothing(level) => router.level(level).map(|level| level.table.clone()),
    };
    place.is_some_and(|place| {
        place.oid == table.oid || context.catalog.partition_ancestors(&place).iter().any(|above| above.oid == table.oid)
    })
}

/// All rows (live columns), of which only these columns are read; the others are null.
fn rows_of(session: &mut Session, table: &Arc<Relation>, read: &[usize]) -> Result<Vec<RecordBatch>> {
    let open = session.writable("ALTER TABLE")?;
    let Some(storage) = table.table().and_then(|table| table.rows()) else { return Ok(Vec::new()) };
    let scan = open.tables.scan(storage)?;
    let schema = scan.table_schema.clone();
    let wanted: Vec<i16> =
        read.iter().filter_map(|place| table.columns.get(*place)).map(|column| column.attnum).collect();
    let position = |attnum: i16| schema.position(u32::try_from(attnum).unwrap_or(0));
    let places: Vec<usize> = wanted.iter().filter_map(|attnum| position(*attnum)).collect();
    let mut batches = Vec::new();
    for batch in scan.read(Some(&places), false)? {
        let mut fields = Vec::new();
        let mut columns: Vec<ArrayRef> = Vec::new();
        for column in table.live_columns() {
            let stored = position(column.attnum).ok_or_else(|| Error::internal("the store lacks a column"))?;
            let found = places.iter().position(|place| *place == stored).and_then(|at| batch.columns().get(at));
            let data_type = schema.columns.get(stored).map(|column| column.data_type.clone());
            let data_type = data_type.ok_or_else(|| Error::internal("the store lacks a column"))?;
            let array = found.cloned().unwrap_or_else(|| new_null_array(&data_type, batch.num_rows()));
            fields.push(Field::new(&column.name, data_type, true));
            columns.push(array);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        let rows = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options);
        batches.push(rows.map_err(from_arrow)?);
    }
    Ok(batches)
}
