//! Chunks: the windows of a hypertable, as they are shown, measured and dropped.

use std::sync::Arc;

use aegis_engine::extension::{
    Call, Caller, Date, Error, Interval, Oid, Relation, Result, Row, Symbols, Timestamp, TimestampTz, Value, Window,
    Windows, kernel, oid, row, session, set, sqlstate,
};

use super::interval::{DAY, TimeType};
use super::{hypertable, invalid, qualified};
use crate::continuous::Aggregate;

pub fn symbols() -> Symbols {
    vec![
        ("ts_chunks_of", set!(|call; table: u32| Ok(chunks_of(call, table)))),
        ("ts_chunk_start", kernel!(|call; chunk: u32| window(call, chunk).map(|window| window.from))),
        ("ts_chunk_end", kernel!(|call; chunk: u32| window(call, chunk).map(|window| window.until))),
        ("ts_chunk_created", kernel!(|call; chunk: u32| window(call, chunk).map(|window| TimestampTz(window.created)))),
        ("ts_hypertable_column", kernel!(|call; table: u32| windows(call, table).map(|windows| windows.column))),
        ("ts_hypertable_interval", kernel!(|call; table: u32| windows(call, table).map(|windows| windows.interval))),
        ("ts_to_unix_microseconds", kernel!(|value: TimestampTz| value.0)),
        ("ts_to_timestamp", kernel!(|value: i64| TimestampTz(value))),
        ("ts_chunk_show", session!(show)),
        ("ts_chunk_drop", session!(drop_chunks)),
        ("ts_chunks_size", session!(size_of_chunks)),
    ]
}

fn chunks_of(call: &Call<'_>, table: Oid) -> Vec<Option<u32>> {
    call.context.catalog.windows_of(table).map(|chunk| Some(chunk.oid)).collect()
}

fn window(call: &Call<'_>, chunk: Oid) -> Option<Window> {
    call.context.catalog.relation(chunk)?.window().cloned()
}

fn windows(call: &Call<'_>, table: Oid) -> Option<Windows> {
    call.context.catalog.relation(table)?.windows().cloned()
}

/// Which chunks: `older_than`, `newer_than`, `created_before`, `created_after`, in units of the time and µs.
#[derive(Debug, Default)]
struct Bounds {
    older_than: Option<i64>,
    newer_than: Option<i64>,
    created_before: Option<i64>,
    created_after: Option<i64>,
}

impl Bounds {
    async fn of(caller: &mut Caller<'_>, time: TimeType, values: [&Value; 4]) -> Result<Self> {
        let [older, newer, before, after] = values;
        let bounds = Self {
            older_than: bound(caller, time, older, "older_than").await?,
            newer_than: bound(caller, time, newer, "newer_than").await?,
            created_before: moment(caller, before).await?,
            created_after: moment(caller, after).await?,
        };
        let by_time = bounds.older_than.is_some() || bounds.newer_than.is_some();
        if by_time && (bounds.created_before.is_some() || bounds.created_after.is_some()) {
            return Err(invalid("cannot specify both older_than/newer_than and created_before/created_after"));
        }
        if let (Some(older), Some(newer)) = (bounds.older_than, bounds.newer_than)
            && older < newer
        {
            return Err(invalid("invalid time range").with_hint("The start of the time range must be before the end."));
        }
        Ok(bounds)
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self { older_than: None, newer_than: None, created_before: None, created_after: None })
    }

    fn hold(&self, window: &Window) -> bool {
        self.older_than.is_none_or(|bound| window.until <= bound)
            && self.newer_than.is_none_or(|bound| window.from >= bound)
            && self.created_before.is_none_or(|bound| window.created < bound)
            && self.created_after.is_none_or(|bound| window.created >= bound)
    }
}

/// A bound of the time in its units: a point, or for a time of timestamps how long ago.
pub async fn bound(caller: &mut Caller<'_>, time: TimeType, value: &Value, name: &str) -> Result<Option<i64>> {
    if value.is_null() {
        return Ok(None);
    }
    let wrong = || invalid(format!("invalid type of \"{name}\" for a time of type {}", time.name));
    if time.is_integer() {
        return Ok(Some(match value.ty().oid {
            oid::INT2 => i64::from(value.get::<i16>()?),
            oid::INT4 => i64::from(value.get::<i32>()?),
            oid::INT8 => value.get()?,
            oid::TEXT | oid::UNKNOWN => value.get::<&str>()?.trim().parse().map_err(|_| wrong())?,
            _ => return Err(wrong().with_hint("Use an integer, as the time is one.")),
        }));
    }
    let micros = match value.ty().oid {
        oid::INT2 | oid::INT4 | oid::INT8 => return Err(wrong().with_hint("Use a point of time or an interval.")),
        _ => moment(caller, value).await?,
    };
    Ok(micros.map(|micros| time.units(micros)))
}

/// µs since 1970 of a point of time, or of how long ago.
async fn moment(caller: &mut Caller<'_>, value: &Value) -> Result<Option<i64>> {
    if value.is_null() {
        return Ok(None);
    }
    Ok(Some(match value.ty().oid {
        oid::TIMESTAMPTZ => value.get::<TimestampTz>()?.0,
        oid::TIMESTAMP => value.get::<Timestamp>()?.0,
        oid::DATE => i64::from(value.get::<Date>()?.0).saturating_mul(DAY),
        oid::INTERVAL => {
            let ago: Interval = value.get()?;
            computed(caller, "SELECT now() - $1", row![ago]).await?
        }
        oid::TEXT | oid::UNKNOWN => computed(caller, "SELECT $1::timestamptz", row![value.get::<&str>()?]).await?,
        _ => return Err(invalid("a bound must be a point of time or an interval")),
    }))
}

async fn computed(caller: &mut Caller<'_>, sql: &str, parameters: Row) -> Result<i64> {
    let value: TimestampTz = caller.query_one(sql, parameters).await?.get(0)?;
    Ok(value.0)
}

/// The type of a hypertable's time.
pub fn time_of(relation: &Relation) -> Result<TimeType> {
    let column = relation.windows().and_then(|windows| relation.column(windows.column));
    let column = column.and_then(|column| TimeType::of(column.ty.oid));
    column.ok_or_else(|| Error::internal("a hypertable without its time"))
}

/// The chunks of a hypertable that are older than this, in units of the time, and were made before that.
pub fn chosen_before(caller: &Caller<'_>, table: Oid, older: Option<i64>, created: Option<i64>) -> Result<Vec<Oid>> {
    let bounds = Bounds { older_than: older, created_before: created, ..Bounds::default() };
    Ok(chosen(caller, table, &bounds)?.into_iter().map(|chunk| chunk.oid).collect())
}

/// The chunks of a hypertable within bounds.
fn chosen(caller: &Caller<'_>, table: Oid, bounds: &Bounds) -> Result<Vec<Arc<Relation>>> {
    let catalog = caller.catalog()?;
    let within = |chunk: &&Arc<Relation>| chunk.window().is_some_and(|window| bounds.hold(window));
    Ok(catalog.windows_of(table).filter(within).cloned().collect())
}

/// `show_chunks(relation, older_than, newer_than, created_before, created_after)`
async fn show(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let table: Option<Oid> = arguments.get(0)?;
    let table = table.ok_or_else(|| invalid("invalid hypertable or continuous aggregate"))?;
    let table = Aggregate::table_of(&mut caller, table).await?;
    let (relation, _) = hypertable(&caller, table)?;
    let values = [arguments.value(1)?, arguments.value(2)?, arguments.value(3)?, arguments.value(4)?];
    let bounds = Bounds::of(&mut caller, time_of(&relation)?, values).await?;
    let chunks = chosen(&caller, relation.oid, &bounds)?;
    Ok(chunks.into_iter().map(|chunk| row![chunk.oid]).collect())
}

/// `drop_chunks(relation, older_than, newer_than, verbose, created_before, created_after)`: their names.
async fn drop_chunks(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let table: Option<Oid> = arguments.get(0)?;
    let table = table.ok_or_else(|| invalid("invalid hypertable or continuous aggregate"))?;
    let table = Aggregate::table_of(&mut caller, table).await?;
    let (relation, _) = hypertable(&caller, table)?;
    caller.require_owner(&relation)?;
    let values = [arguments.value(1)?, arguments.value(2)?, arguments.value(4)?, arguments.value(5)?];
    let bounds = Bounds::of(&mut caller, time_of(&relation)?, values).await?;
    if bounds.is_empty() {
        return Err(invalid("invalid time range for dropping chunks")
            .with_hint("At least one of older_than, newer_than, created_before and created_after must be provided."));
    }
    let names = drop_within(&mut caller, &relation, &bounds).await?;
    if arguments.get::<Option<bool>>(3)?.unwrap_or(false) {
        for name in &names {
            caller.notice(Error::new(sqlstate::SUCCESSFUL_COMPLETION, format!("dropping chunk {name}")));
        }
    }
    Ok(names.into_iter().map(|name| row![name]).collect())
}

async fn drop_within(caller: &mut Caller<'_>, table: &Relation, bounds: &Bounds) -> Result<Vec<String>> {
    let chunks = chosen(caller, table.oid, bounds)?;
    let catalog = caller.catalog()?;
    // Rows that refer to those that go are looked for by DELETE alone.
    let is_referenced = catalog.referencing(table.oid).next().is_some();
    let mut names = Vec::with_capacity(chunks.len());
    for chunk in &chunks {
        match is_referenced {
            true => caller.delete_unseen(&format!("DELETE FROM {}", qualified(&catalog, chunk))).await?,
            false => caller.delete_window(chunk.oid).await?,
        }
        let schema = catalog.schema(chunk.schema).map_or("", |schema| schema.name.as_str());
        names.push(format!("{schema}.{}", chunk.name));
    }
    caller.drop_windows(chunks.iter().map(|chunk| chunk.oid))?;
    Ok(names)
}

/// Drops the chunks of a hypertable that are older than this, in units of the time and by when they were made.
pub async fn drop_before(caller: &mut Caller<'_>, table: Oid, older: Option<i64>, created: Option<i64>) -> Result<()> {
    let (relation, _) = hypertable(caller, table)?;
    let bounds = Bounds { older_than: older, created_before: created, ..Bounds::default() };
    if bounds.is_empty() { Ok(()) } else { drop_within(caller, &relation, &bounds).await.map(drop) }
}

/// Each chunk of a hypertable with the bytes of its rows.
async fn size_of_chunks(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let table = Aggregate::table_of(&mut caller, arguments.get(0)?).await?;
    let (relation, _) = hypertable(&caller, table)?;
    let mut rows = Vec::new();
    for chunk in chosen(&caller, relation.oid, &Bounds::default())? {
        let bytes = caller.window_size(chunk.oid).await?.bytes();
        rows.push(row![chunk.oid, i64::try_from(bytes).unwrap_or(i64::MAX)]);
    }
    Ok(rows)
}
