//! `WITH (tsdb.…)` of CREATE TABLE, and `ALTER TABLE … SET (timescaledb.…)`.

use aegis_engine::extension::{Caller, Column, Error, Oid, Relation, Result, Value, Windows, oid, row, sqlstate};

use super::create::{self, Plan};
use super::interval::TimeType;
use super::{invalid, relation};
use crate::continuous::{boolean, unknown};

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
        let name = relation(&*caller.catalog()?, table)?.name.clone();
        return Err(invalid(format!("table \"{name}\" is not a hypertable")));
    } else if let Some(length) = &given.chunk_interval {
        let found = relation(&*caller.catalog()?, table)?;
        let interval = length_of(caller, time_column(&found)?, length).await?;
        create::set_length(caller, &found, &interval)?;
    }
    let columnstore = given.columnstore.unwrap_or(created);
    if columnstore || given.columnstore.is_some() || given.segment_by.is_some() || given.order_by.is_some() {
        set_order(caller, table, &given, columnstore).await?;
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

/// How the rows of a window are sorted.
async fn set_order(caller: &mut Caller<'_>, table: Oid, given: &Parameters, columnstore: bool) -> Result<()> {
    let found = relation(&*caller.catalog()?, table)?;
    caller.require_owner(&found)?;
    let windows = found.windows().cloned().ok_or_else(|| Error::internal("a hypertable without its time"))?;
    let syntax = |message: String| Error::new(sqlstate::SYNTAX_ERROR, message);
    let column = |name: &str| {
        let name = name.trim().trim_matches('"');
        found.column_by_name(name).ok_or_else(|| syntax(format!("column \"{name}\" does not exist")))
    };
    let mut order = windows.order.clone();
    if let Some(written) = &given.segment_by {
        let names = written.split(',').filter(|name| !name.trim().is_empty());
        order = names.map(|name| column(name).map(|column| column.attnum)).collect::<Result<_>>()?;
    }
    let present = format!("\"{}\" DESC", time_column(&found)?.name);
    let mut order_by = None;
    if let Some(written) = &given.order_by {
        for part in written.split(',') {
            let name = part.split_whitespace().next().unwrap_or_default();
            let attnum = column(name)?.attnum;
            if order.contains(&attnum) {
                return Err(syntax(format!(
                    "cannot use column \"{}\" for both ordering and segmenting",
                    name.trim_matches('"')
                )));
            }
        }
        order_by = Some(written.clone());
    }
    const SQL: &str = "UPDATE _timescaledb_catalog.hypertable SET columnstore = $2, segmentby = coalesce($3, segmentby), orderby = coalesce($4, orderby, $5) WHERE relation = $1";
    let segment_by = given.segment_by.as_deref();
    caller.query_as_owner(SQL, row![table, columnstore, segment_by, order_by.as_deref(), present.as_str()]).await?;
    if order != windows.order {
        caller.set_windows(table, Windows { order, ..windows })?;
    }
    Ok(())
}
