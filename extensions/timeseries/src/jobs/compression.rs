//! Policies of the columnstore: closed chunks are sorted and written anew.

use aegis_engine::extension::{
    Caller, Error, Interval, Oid, Result, Row, Symbols, TimestampTz, Value, row, session, sqlstate,
};

use super::policy::{COMPRESSION, SCHEMA, ago, already, config, policy_of, remove_policy};
use super::{NewJob, insert, invalid};
use crate::continuous::Aggregate;
use crate::hypertable::{self, chosen_before, hypertable};
use crate::{columnstore, refuse};

pub fn symbols() -> Symbols {
    vec![("ts_policy_compression_add", session!(add)), ("ts_policy_compression_remove", session!(remove))]
}

const HALF_A_DAY: i64 = 12 * hypertable::HOUR;
const HOUR: Interval = Interval { months: 0, days: 0, micros: hypertable::HOUR };

/// `add_compression_policy(hypertable, compress_after, if_not_exists, schedule_interval, initial_start, timezone, compress_created_before)`
async fn add(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    refuse(&arguments, &[(5, "timezone")])?;
    let relation = arguments.get::<Option<Oid>>(0)?.ok_or_else(|| invalid("hypertable cannot be NULL"))?;
    let table = Aggregate::table_of(&mut caller, relation).await?;
    let (found, windows) = hypertable(&caller, table)?;
    caller.require_owner(&found)?;
    let name = caller.catalog()?.relation(relation).map_or(String::new(), |relation| relation.name.clone());
    if !columnstore::is_enabled(&mut caller, table).await? {
        let message = format!("columnstore not enabled on hypertable \"{name}\"");
        return Err(Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message)
            .with_hint("Enable columnstore before adding a columnstore policy."));
    }
    let time = hypertable::time_of(&found)?;
    let after = ago(&mut caller, table, time, arguments.value(1)?, "compress_after").await?;
    let (key, value) = match (after, arguments.get::<Option<Interval>>(6)?) {
        (Some(after), None) => ("compress_after", after),
        (None, Some(_)) => ("compress_created_before", arguments.value(6)?.clone()),
        _ => return Err(invalid("need to specify one of \"compress_after\" or \"compress_created_before\"")),
    };
    if policy_of(&mut caller, table, COMPRESSION).await?.is_some() {
        let message = format!("columnstore policy already exists for hypertable or continuous aggregate \"{name}\"");
        let if_not_exists = arguments.get::<Option<bool>>(2)?.unwrap_or(false);
        return already(&caller, message, if_not_exists, sqlstate::DUPLICATE_OBJECT);
    }
    // Half a window, but not more than half a day.
    let half = if time.is_integer() { HALF_A_DAY } else { time.micros(windows.interval) / 2 };
    let every = Interval { months: 0, days: 0, micros: half.clamp(1_000_000, HALF_A_DAY) };
    let every = arguments.get::<Option<Interval>>(3)?.unwrap_or(every);
    let job = job(&mut caller, table, (key, value), every, arguments.get(4)?).await?;
    Ok(vec![row![job]])
}

async fn job(
    caller: &mut Caller<'_>,
    table: Oid,
    (key, value): (&str, Value),
    interval: Interval,
    initial_start: Option<TimestampTz>,
) -> Result<i32> {
    let config = config(caller, &[(key, Some(value))], ("hypertable_id", table)).await?;
    let job = NewJob {
        title: "Columnstore Policy",
        procedure: (SCHEMA, COMPRESSION),
        interval,
        max_runtime: "0",
        retry: HOUR,
        relation: Some(table),
        config,
        initial_start,
        scheduled: true,
        fixed: initial_start.is_some(),
        check: None,
    };
    insert(caller, job).await
}

/// The policy of a table that CREATE TABLE made a hypertable: a chunk is compressed when the one behind it is full. There is none over a time
/// whose present is not known.
pub async fn add_default(caller: &mut Caller<'_>, table: Oid) -> Result<()> {
    let (found, windows) = hypertable(caller, table)?;
    let time = hypertable::time_of(&found)?;
    if time.is_integer() {
        return Ok(());
    }
    let micros = time.micros(windows.interval);
    let sql = "SELECT justify_hours($1 * interval '1 microsecond')";
    let length = caller.query_one(sql, row![micros as f64]).await?.value(0)?.clone();
    let start: TimestampTz = caller.query_one("SELECT now() + $1", Row(vec![length.clone()])).await?.get(0)?;
    let interval = length.get::<Interval>()?;
    let job = job(caller, table, ("compress_after", length), interval, None).await?;
    const START: &str = "UPDATE _timescaledb_catalog.job SET next_start = $2 WHERE id = $1";
    caller.query_as_owner(START, row![job, start]).await.map(drop)
}

/// `remove_compression_policy(hypertable, if_exists)`: was there one?
async fn remove(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let relation = arguments.get::<Option<Oid>>(0)?.ok_or_else(|| invalid("hypertable cannot be NULL"))?;
    let table = Aggregate::table_of(&mut caller, relation).await?;
    let (found, _) = hypertable(&caller, table)?;
    caller.require_owner(&found)?;
    let if_exists = arguments.get::<Option<bool>>(1)?.unwrap_or(false);
    Ok(vec![row![remove_policy(&mut caller, relation, COMPRESSION, if_exists).await?]])
}

/// Compresses the chunks that are old enough and are not compressed, or have changed since.
pub async fn run(caller: &mut Caller<'_>, table: Oid, older: Option<i64>, created: Option<i64>) -> Result<()> {
    for chunk in chosen_before(caller, table, older, created)? {
        let size = caller.window_size(chunk).await?;
        if size.memory_bytes > 0 || size.segments > 1 || !columnstore::is_compressed(caller, chunk).await? {
            columnstore::compress(caller, chunk).await?;
        }
    }
    Ok(())
}
