//! `WITH (tsdb.…)` of CREATE TABLE, and `ALTER TABLE … SET (timescaledb.…)`.

use aegis_engine::extension::{Caller, Column, Error, Oid, Relation, Result, Value, oid, row, sqlstate};

use super::create::{self, Plan};
use super::interval::TimeType;
use super::{invalid, relation};
use crate::continuous::{boolean, unknown};
use crate::{columnstore, jobs};

/// What is said of a hypertable.
#[derive(Debug, Default)]
struct Parameters {
    hypertable: Option<bool>,
    partition_column: Option<String>,
    chunk_interval: Option<String>,
    create_default_indexes: Option<bool>,
    columnstore: Option<bool>,
    segment_by: Option<String>,
    order_by: Option<String>,
    /// How old rows get.
    ttl: Option<String>,
}

impl Parameters {
    fn of(written: &[(String, String)]) -> Result<Self> {
        let mut found = Self::default();
        for (name, value) in written {
            let text = || Some(value.clone());
            match name.as_str() {
                "hypertable" => found.hypertable = Some(boolean(name, value)?),
                "partition_column" => found.partition_column = text(),
                "chunk_interval" | "chunk_time_interval" => found.chunk_interval = text(),
                "create_default_indexes" => found.create_default_indexes = Some(boolean(name, value)?),
                "columnstore" | "enable_columnstore" | "compress" => found.columnstore = Some(boolean(name, value)?),
                "segmentby" | "segment_by" | "compress_segmentby" => found.segment_by = text(),
                "orderby" | "order_by" | "compress_orderby" => found.order_by = text(),
                "ttl" => found.ttl = text(),
                _ => return Err(unknown(name)),
            }
        }
        Ok(found)
    }
}

pub async fn apply(caller: &mut Caller<'_>, table: Oid, written: &[(String, String)], created: bool) -> Result<()> {
    let given = Parameters::of(written)?;
    if created {
        if given.hypertable != Some(true) {
            return Err(Error::new(sqlstate::UNDEFINED_COLUMN, "timescaledb options require hypertable option")
                .with_hint("Use \"tsdb.hypertable\" to make the table a hypertable."));
        }
        make(caller, table, &given).await?;
    } else if relation(&*caller.catalog()?, table)?.windows().is_none() {
        return Err(invalid("timescaledb options can only be set for hypertables"));
    } else if let Some(length) = &given.chunk_interval {
        let found = relation(&*caller.catalog()?, table)?;
        let interval = length_of(caller, time_column(&found)?, length).await?;
        create::set_length(caller, &found, &interval)?;
    }
    if created || given.columnstore.is_some() || given.segment_by.is_some() || given.order_by.is_some() {
        let wanted = columnstore::Wanted {
            enabled: given.columnstore,
            segment_by: given.segment_by.as_deref(),
            order_by: given.order_by.as_deref(),
        };
        columnstore::set(caller, table, &wanted).await?;
        if created && given.columnstore != Some(false) {
            jobs::add_default_compression(caller, table).await?;
        }
    }
    if let Some(ttl) = &given.ttl {
        jobs::set_ttl(caller, table, ttl).await?;
    }
    Ok(())
}

async fn make(caller: &mut Caller<'_>, table: Oid, given: &Parameters) -> Result<()> {
    let found = relation(&*caller.catalog()?, table)?;
    let column = match &given.partition_column {
        Some(name) => name.clone(),
        None => {
            let is_time = |column: &&Column| matches!(column.ty.oid, oid::TIMESTAMPTZ | oid::TIMESTAMP);
            let first = found.live_columns().find(is_time).map(|column| column.name.clone());
            first.ok_or_else(|| {
                Error::new(sqlstate::UNDEFINED_COLUMN, "partition column could not be determined")
                    .with_hint("Use \"tsdb.partition_column\" to name the column of the time.")
            })?
        }
    };
    let interval = match (&given.chunk_interval, found.column_by_name(&column)) {
        (Some(length), Some(time)) => length_of(caller, time, length).await?,
        _ => Value::from(None::<i64>),
    };
    let plan = Plan {
        table,
        column: &column,
        interval,
        default_indexes: given.create_default_indexes.unwrap_or(true),
        if_not_exists: false,
        migrate: false,
    };
    create::create(caller, &plan).await.map(drop)
}

fn time_column(table: &Relation) -> Result<&Column> {
    let column = table.windows().and_then(|windows| table.column(windows.column));
    column.ok_or_else(|| Error::internal("a hypertable without its time"))
}

/// An interval as it is written for a time of this column.
async fn length_of(caller: &mut Caller<'_>, column: &Column, written: &str) -> Result<Value> {
    let time = TimeType::of(column.ty.oid);
    if let Ok(number) = written.trim().parse::<i64>() {
        return Ok(Value::from(number));
    }
    if time.is_some_and(TimeType::is_integer) {
        return Ok(Value::from(written));
    }
    Ok(caller.query_one("SELECT $1::interval", row![written]).await?.value(0)?.clone())
}
