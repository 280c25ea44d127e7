//! `refresh_continuous_aggregate`: what is out of date in a range of time is computed anew.

use aegis_engine::extension::{Caller, Error, Oid, Result, Row, Windows, quote_identifier, row, sqlstate};

use super::Aggregate;
use super::ranges::{self, Range};
use crate::hypertable::{TimeType, bound, qualified};
use crate::refuse;

const ALL: Range = (i64::MIN, i64::MAX);

/// `CALL refresh_continuous_aggregate(aggregate, window_start, window_end, force)`
pub async fn refresh(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    caller.require_no_block("refresh_continuous_aggregate()")?;
    refuse(&arguments, &[(4, "options")])?;
    let view: Option<Oid> = arguments.get(0)?;
    let invalid = |message: &str| Error::new(sqlstate::INVALID_PARAMETER_VALUE, message);
    let view = view.ok_or_else(|| invalid("invalid continuous aggregate"))?;
    let Some(aggregate) = Aggregate::of_view(&mut caller, view).await? else {
        let catalog = caller.catalog()?;
        let name = catalog.relation(view).map_or("", |relation| relation.name.as_str());
        return Err(invalid(&format!("relation \"{name}\" is not a continuous aggregate")));
    };
    let time = aggregate.time(&caller)?;
    let from = bound(&mut caller, time, arguments.value(1)?, "window_start").await?.unwrap_or(i64::MIN);
    let until = bound(&mut caller, time, arguments.value(2)?, "window_end").await?.unwrap_or(i64::MAX);
    if from >= until {
        return Err(invalid("refresh window too small").with_detail("The start of the window must be before its end."));
    }
    let force = arguments.get::<Option<bool>>(3)?.unwrap_or(false);
    match window(&mut caller, &aggregate, (from, until), force).await? {
        true => Ok(Vec::new()),
        false => Err(invalid("refresh window too small")
            .with_detail("The refresh window must cover at least one bucket of data.")),
    }
}

/// Brings the whole buckets of a range of time up to date; false if there are none.
pub async fn window(caller: &mut Caller<'_>, aggregate: &Aggregate, (from, until): Range, force: bool) -> Result<bool> {
    let time = aggregate.time(caller)?;
    let floor = aggregate.floor(caller, time, from).await?;
    let from = if floor == from { from } else { aggregate.next(caller, time, floor).await? };
    let until = aggregate.floor(caller, time, until).await?;
    if from < until {
        run(caller, aggregate, (from, until), force).await?;
    }
    Ok(from < until)
}

/// Everything, for the first time.
pub async fn all(caller: &mut Caller<'_>, aggregate: &Aggregate) -> Result<()> {
    run(caller, aggregate, ALL, false).await
}

/// Brings the buckets of a range up to date; all of them if `force`.
pub async fn run(caller: &mut Caller<'_>, aggregate: &Aggregate, window: Range, force: bool) -> Result<()> {
    // Who changes the source now will be waited for; who comes after sees what is watched.
    caller.lock_exclusively(aggregate.source).await?;
    let time = aggregate.time(caller)?;
    let invalid = aggregate.invalid(caller).await?;
    let stale = if force { vec![window] } else { ranges::within(&invalid, window) };
    if stale.is_empty() {
        let catalog = caller.catalog()?;
        let name = catalog.relation(aggregate.view).map_or("", |view| view.name.as_str());
        caller.notice(Error::new(
            sqlstate::SUCCESSFUL_COMPLETION,
            format!("continuous aggregate \"{name}\" is already up-to-date"),
        ));
        return Ok(());
    }
    let mut whole = Vec::with_capacity(stale.len());
    for (from, until) in stale {
        let from = aggregate.floor(caller, time, from).await?;
        let floor = aggregate.floor(caller, time, until).await?;
        let until = if floor == until { until } else { aggregate.next(caller, time, floor).await? };
        whole.push((from, until));
    }
    for range in ranges::merged(whole) {
        aggregate.compute(caller, time, range).await?;
    }
    let left = ranges::without(&invalid, window);
    aggregate.set_invalid(caller, &left).await?;
    aggregate.set_watermark(caller, time).await?;
    watch(caller, aggregate.source).await
}

/// Changes of the source are noted as far as an aggregate over it is up to date.
pub async fn watch(caller: &mut Caller<'_>, source: Oid) -> Result<()> {
    let mut watched = i64::MIN;
    for aggregate in Aggregate::of_source(caller, source).await? {
        watched = watched.max(ranges::first_of_tail(&aggregate.invalid(caller).await?));
    }
    let watched = (watched > i64::MIN).then_some(watched);
    let windows = caller.catalog()?.relation(source).and_then(|found| found.windows().cloned());
    match windows.filter(|windows| windows.watched != watched) {
        Some(windows) => caller.set_windows(source, Windows { watched, ..windows }),
        None => Ok(()),
    }
}

impl Aggregate {
    /// The start of the bucket that a value is in; the ends of time are their own.
    async fn floor(&self, caller: &mut Caller<'_>, time: TimeType, value: i64) -> Result<i64> {
        compute(caller, time, &self.floor, value).await
    }

    /// The start of the bucket behind the one that starts at a value.
    async fn next(&self, caller: &mut Caller<'_>, time: TimeType, start: i64) -> Result<i64> {
        compute(caller, time, &self.next, start).await
    }

    /// The rows of whole buckets anew.
    async fn compute(&self, caller: &mut Caller<'_>, time: TimeType, (from, until): Range) -> Result<()> {
        let catalog = caller.catalog()?;
        let (rows, direct) = (self.part(&catalog, self.materialization)?, self.part(&catalog, self.direct)?);
        let (bucket, fresh) = self.bucket_columns(rows, direct);
        let within = |column: &str| {
            let from = (from != i64::MIN).then(|| format!("{column} >= {}", time.literal(from)));
            let until = (until != i64::MAX).then(|| format!("{column} < {}", time.literal(until)));
            let conditions: Vec<String> = from.into_iter().chain(until).collect();
            if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") }
        };
        let rows = qualified(&catalog, rows);
        caller.query(&format!("DELETE FROM {rows} WHERE {}", within(&bucket)), row![]).await?;
        let insert =
            format!("INSERT INTO {rows} SELECT * FROM {} WHERE {}", qualified(&catalog, direct), within(&fresh));
        caller.query(&insert, row![]).await.map(drop)
    }

    /// Behind the last bucket that there is: from there on a real-time view looks into the source.
    async fn set_watermark(&self, caller: &mut Caller<'_>, time: TimeType) -> Result<()> {
        let catalog = caller.catalog()?;
        let rows = self.part(&catalog, self.materialization)?;
        let last = time.to_units(&format!("max({})", quote_identifier(&self.bucket)));
        let sql = format!("SELECT {last} FROM {}", qualified(&catalog, rows));
        let last: Option<i64> = caller.query_one(&sql, row![]).await?.get(0)?;
        let mark = match last {
            Some(last) => self.next(caller, time, last).await?,
            None => i64::MIN,
        };
        const SQL: &str = "UPDATE _timescaledb_catalog.continuous_agg SET watermark = $2 WHERE id = $1";
        caller.query_as_owner(SQL, row![self.id, mark]).await.map(drop)
    }
}

/// An expression over `$1`, both in units of the time.
async fn compute(caller: &mut Caller<'_>, time: TimeType, sql: &str, value: i64) -> Result<i64> {
    if matches!(value, i64::MIN | i64::MAX) {
        return Ok(value);
    }
    let sql = sql.replace("$1", &time.literal(value));
    let value: Option<i64> = caller.query_one(&format!("SELECT {}", time.to_units(&sql)), row![]).await?.get(0)?;
    value.ok_or_else(|| Error::internal("a bucket that is null"))
}
