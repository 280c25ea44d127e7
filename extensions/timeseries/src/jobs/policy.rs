//! Policies: retention of hypertables, refresh of continuous aggregates.

use aegis_engine::extension::{
    Caller, Error, Interval, Oid, Result, Row, Symbols, TimestampTz, Value, oid, quote_identifier, row, session,
    sqlstate,
};

use super::{FIVE_MINUTES, Job, NewJob, compression, insert, invalid, one_text, remove};
use crate::continuous::{Aggregate, refresh_window};
use crate::hypertable::{self, TimeType, drop_before, hypertable, micros};
use crate::refuse;

/// Where the procedures of policies are.
pub const SCHEMA: &str = "_timescaledb_functions";

pub(super) const RETENTION: &str = "policy_retention";
pub(super) const COMPRESSION: &str = "policy_compression";
pub(super) const REFRESH: &str = "policy_refresh_continuous_aggregate";
pub(super) const ALL: [&str; 3] = [RETENTION, COMPRESSION, REFRESH];

pub fn symbols() -> Symbols {
    vec![
        ("ts_policy_retention_add", session!(add_retention)),
        ("ts_policy_retention_remove", session!(remove_retention)),
        ("ts_policy_refresh_add", session!(add_refresh)),
        ("ts_policy_refresh_remove", session!(remove_refresh)),
    ]
}

/// The job that is a policy of a table, and its configuration without the table's number.
pub(super) async fn policy_of(caller: &mut Caller<'_>, table: Oid, procedure: &str) -> Result<Option<i32>> {
    const SQL: &str =
        "SELECT id FROM _timescaledb_catalog.job WHERE relation = $1 AND proc_schema = $2 AND proc_name = $3";
    let rows = caller.query_as_owner(SQL, row![table, SCHEMA, procedure]).await?;
    rows.first().map(|row| row.get(0)).transpose()
}

/// Was there one?
pub(super) async fn remove_policy(
    caller: &mut Caller<'_>,
    relation: Oid,
    procedure: &str,
    if_exists: bool,
) -> Result<bool> {
    let table = Aggregate::table_of(caller, relation).await?;
    match policy_of(caller, table, procedure).await? {
        Some(job) => remove(caller, job).await?,
        None => {
            let catalog = caller.catalog()?;
            let name = catalog.relation(relation).map_or("", |relation| relation.name.as_str());
            let what = match procedure {
                RETENTION => "retention policy not found for",
                COMPRESSION => "columnstore policy not found for hypertable",
                _ => "continuous aggregate policy not found for",
            };
            let missing = Error::new(sqlstate::UNDEFINED_OBJECT, format!("{what} \"{name}\""));
            if !if_exists {
                return Err(missing);
            }
            caller.notice(missing);
            return Ok(false);
        }
    }
    Ok(true)
}

/// Checks how long ago something is for a time of this type, and gives it as JSON has it. 22023 for another type.
pub(super) async fn ago(
    caller: &mut Caller<'_>,
    table: Oid,
    time: TimeType,
    value: &Value,
    name: &str,
) -> Result<Option<Value>> {
    if value.is_null() {
        return Ok(None);
    }
    let wrong = || invalid(&format!("invalid value for parameter {name}"));
    match value.ty().oid {
        oid::INTERVAL if !time.is_integer() => Ok(Some(value.clone())),
        oid::INT2 | oid::INT4 | oid::INT8 if time.is_integer() => {
            integer_now(caller, table).await?;
            Ok(Some(value.clone()))
        }
        oid::TEXT | oid::UNKNOWN if !time.is_integer() => {
            Ok(Some(caller.query_one("SELECT $1::interval", row![value.get::<&str>()?]).await?.value(0)?.clone()))
        }
        _ => Err(wrong().with_hint(if time.is_integer() { "Use an integer." } else { "Use an interval." })),
    }
}

/// What "now" is for a time of integers: what the hypertable says that the aggregates above it are of. 22023 if nobody has said.
async fn integer_now(caller: &mut Caller<'_>, table: Oid) -> Result<i64> {
    const SQL: &str = "WITH RECURSIVE sources(relation) AS (SELECT $1 UNION
            SELECT a.source FROM sources s JOIN _timescaledb_catalog.continuous_agg a ON a.materialization = s.relation)
        SELECT n.nspname::text, p.proname::text FROM sources s JOIN _timescaledb_catalog.hypertable h ON h.relation = s.relation
            JOIN pg_proc p ON p.oid = h.integer_now JOIN pg_namespace n ON n.oid = p.pronamespace";
    let rows = caller.query_as_owner(SQL, row![table]).await?;
    let missing =
        || invalid("integer_now function not set").with_hint("Use set_integer_now_func to say what the present is.");
    let row = rows.first().ok_or_else(missing)?;
    let (schema, name): (&str, &str) = (row.get(0)?, row.get(1)?);
    let sql = format!("SELECT {}.{}()::bigint", quote_identifier(schema), quote_identifier(name));
    let rows = caller.query(&sql, row![]).await?;
    rows.first().ok_or_else(missing)?.get::<Option<i64>>(0)?.ok_or_else(missing)
}

/// `add_retention_policy(relation, drop_after, if_not_exists, schedule_interval, initial_start, timezone, drop_created_before)`
async fn add_retention(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    refuse(&arguments, &[(5, "timezone")])?;
    let relation = arguments.get::<Option<Oid>>(0)?.ok_or_else(|| invalid("relation cannot be NULL"))?;
    let table = Aggregate::table_of(&mut caller, relation).await?;
    let (found, _) = hypertable(&caller, table)?;
    caller.require_owner(&found)?;
    let time = hypertable::time_of(&found)?;
    let drop_after = ago(&mut caller, table, time, arguments.value(1)?, "drop_after").await?;
    let created = arguments.get::<Option<Interval>>(6)?;
    let (key, value) = match (drop_after, created) {
        (Some(after), None) => ("drop_after", after),
        (None, Some(_)) => ("drop_created_before", arguments.value(6)?.clone()),
        _ => return Err(invalid("need to specify one of \"drop_after\" or \"drop_created_before\"")),
    };
    if policy_of(&mut caller, table, RETENTION).await?.is_some() {
        let message = format!("retention policy already exists for hypertable \"{}\"", found.name);
        return already(
            &caller,
            message,
            arguments.get::<Option<bool>>(2)?.unwrap_or(false),
            sqlstate::DUPLICATE_OBJECT,
        );
    }
    let config = config(&mut caller, &[(key, Some(value))], ("hypertable_id", table)).await?;
    let day = Interval { months: 0, days: 1, micros: 0 };
    let job = NewJob {
        title: "Retention Policy",
        procedure: (SCHEMA, RETENTION),
        interval: arguments.get::<Option<Interval>>(3)?.unwrap_or(day),
        max_runtime: "5 minutes",
        retry: FIVE_MINUTES,
        relation: Some(table),
        config,
        initial_start: arguments.get(4)?,
        scheduled: true,
        fixed: arguments.get::<Option<TimestampTz>>(4)?.is_some(),
        check: None,
    };
    Ok(vec![row![insert(&mut caller, job).await?]])
}

/// There is a policy: -1, or an error.
pub(super) fn already(
    caller: &Caller<'_>,
    message: String,
    if_not_exists: bool,
    code: sqlstate::SqlState,
) -> Result<Vec<Row>> {
    if !if_not_exists {
        return Err(Error::new(code, message));
    }
    caller.notice(Error::new(code, format!("{message}, skipping")));
    Ok(vec![row![-1_i32]])
}

/// The configuration of a policy: intervals as text, integers as numbers.
pub(super) async fn config(
    caller: &mut Caller<'_>,
    entries: &[(&str, Option<Value>)],
    number: (&str, Oid),
) -> Result<Value> {
    let mut sql = String::from("SELECT jsonb_build_object(");
    let mut values = Vec::new();
    for (key, value) in entries {
        match value {
            Some(value) => {
                values.push(value.clone());
                let cast = if value.ty().oid == oid::INTERVAL { "::text" } else { "" };
                sql += &format!("'{key}', ${}{cast}, ", values.len());
            }
            None => sql += &format!("'{key}', NULL, "),
        }
    }
    values.extend(row![hypertable::number(caller, number.1).await?].0);
    sql += &format!("'{}', ${})", number.0, values.len());
    Ok(caller.query_one(&sql, Row(values)).await?.value(0)?.clone())
}

async fn remove_retention(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let relation = arguments.get::<Option<Oid>>(0)?.ok_or_else(|| invalid("relation cannot be NULL"))?;
    let if_exists = arguments.get::<Option<bool>>(1)?.unwrap_or(false);
    remove_policy(&mut caller, relation, RETENTION, if_exists).await?;
    Ok(Vec::new())
}

/// `add_continuous_aggregate_policy(aggregate, start_offset, end_offset, schedule_interval, if_not_exists, initial_start, timezone)`
async fn add_refresh(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    refuse(&arguments, &[(6, "timezone")])?;
    let view = arguments.get::<Option<Oid>>(0)?.ok_or_else(|| invalid("invalid continuous aggregate"))?;
    let Some(aggregate) = Aggregate::of_view(&mut caller, view).await? else {
        let catalog = caller.catalog()?;
        let name = catalog.relation(view).map_or("", |relation| relation.name.as_str());
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, format!("\"{name}\" is not a continuous aggregate")));
    };
    let table = aggregate.materialization;
    let (found, _) = hypertable(&caller, table)?;
    caller.require_owner(&found)?;
    let time = hypertable::time_of(&found)?;
    let start = ago(&mut caller, table, time, arguments.value(1)?, "start_offset").await?;
    let end = ago(&mut caller, table, time, arguments.value(2)?, "end_offset").await?;
    let interval = arguments.get::<Option<Interval>>(3)?.ok_or_else(|| invalid("schedule interval cannot be NULL"))?;
    if let (Some(start), Some(end)) = (&start, &end) {
        check_window(&mut caller, &aggregate, start, end).await?;
    }
    let config =
        config(&mut caller, &[("start_offset", start), ("end_offset", end)], ("mat_hypertable_id", table)).await?;
    if let Some(job) = policy_of(&mut caller, table, REFRESH).await? {
        let catalog = caller.catalog()?;
        let name = catalog.relation(view).map_or("", |relation| relation.name.as_str());
        let message = format!("continuous aggregate refresh policy already exists for \"{name}\"");
        let mut same = row![job];
        same.0.push(config);
        let rows =
            caller.query_as_owner("SELECT config = $2 FROM _timescaledb_catalog.job WHERE id = $1", same).await?;
        let is_same: bool = rows.first().ok_or_else(|| Error::internal("no job"))?.get(0)?;
        let code = if is_same { sqlstate::DUPLICATE_OBJECT } else { sqlstate::INVALID_PARAMETER_VALUE };
        return already(&caller, message, arguments.get::<Option<bool>>(4)?.unwrap_or(false), code);
    }
    let job = NewJob {
        title: "Refresh Continuous Aggregate Policy",
        procedure: (SCHEMA, REFRESH),
        interval,
        max_runtime: "0",
        retry: interval,
        relation: Some(table),
        config,
        initial_start: arguments.get(5)?,
        scheduled: true,
        fixed: arguments.get::<Option<TimestampTz>>(5)?.is_some(),
        check: None,
    };
    Ok(vec![row![insert(&mut caller, job).await?]])
}

/// A policy must reach over two buckets at least.
async fn check_window(caller: &mut Caller<'_>, aggregate: &Aggregate, start: &Value, end: &Value) -> Result<()> {
    let too_small = || {
        invalid("policy refresh window too small")
            .with_detail("The start and end offsets must cover at least two buckets in the valid time range.")
    };
    let length = |value: &Value| match value.ty().oid {
        oid::INTERVAL => micros(value.get::<Interval>()?),
        oid::INT2 => value.get::<i16>().map(i64::from),
        oid::INT4 => value.get::<i32>().map(i64::from),
        _ => value.get::<i64>(),
    };
    let width = length(caller.query_one(&format!("SELECT {}", aggregate.width), row![]).await?.value(0)?)?;
    match length(start)?.saturating_sub(length(end)?) >= width.saturating_mul(2) {
        true => Ok(()),
        false => Err(too_small()),
    }
}

async fn remove_refresh(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let view = arguments.get::<Option<Oid>>(0)?.ok_or_else(|| invalid("invalid continuous aggregate"))?;
    let if_exists = arguments.get::<Option<bool>>(2)?.or(arguments.get(1)?).unwrap_or(false);
    remove_policy(&mut caller, view, REFRESH, if_exists).await?;
    Ok(Vec::new())
}

/// Does what a policy is for.
pub async fn run(caller: &mut Caller<'_>, job: &Job) -> Result<()> {
    let table = job.relation.ok_or_else(|| Error::internal("a policy of nothing"))?;
    let (found, _) = hypertable(caller, table)?;
    let time = hypertable::time_of(&found)?;
    match job.name.as_str() {
        RETENTION => {
            let older = before(caller, table, time, job, "drop_after").await?;
            let created = created_before(caller, job, "drop_created_before").await?;
            drop_before(caller, table, older, created).await
        }
        COMPRESSION => {
            let older = before(caller, table, time, job, "compress_after").await?;
            let created = created_before(caller, job, "compress_created_before").await?;
            compression::run(caller, table, older, created).await
        }
        REFRESH => {
            const SQL: &str = "SELECT view FROM _timescaledb_catalog.continuous_agg WHERE materialization = $1";
            let rows = caller.query_as_owner(SQL, row![table]).await?;
            let view: Oid = rows.first().ok_or_else(|| Error::internal("an aggregate without a view"))?.get(0)?;
            let aggregate = Aggregate::of_view(caller, view).await?;
            let aggregate = aggregate.ok_or_else(|| Error::internal("an aggregate without a view"))?;
            let from = before(caller, table, time, job, "start_offset").await?.unwrap_or(i64::MIN);
            let until = before(caller, table, time, job, "end_offset").await?.unwrap_or(i64::MAX);
            refresh_window(caller, &aggregate, (from, until), false).await.map(drop)
        }
        other => Err(Error::unsupported(format!("the policy {other}"))),
    }
}

/// The time that an entry of the configuration says how long ago it is, in units of the time.
async fn before(caller: &mut Caller<'_>, table: Oid, time: TimeType, job: &Job, key: &str) -> Result<Option<i64>> {
    let text = one_text(caller, &format!("SELECT $1 ->> '{key}'"), Row(vec![job.config.clone()])).await?;
    let Some(text) = text else { return Ok(None) };
    if time.is_integer() {
        let length: i64 = text.parse().map_err(|_| invalid(&format!("invalid {key} in the configuration of a job")))?;
        return Ok(Some(integer_now(caller, table).await?.saturating_sub(length)));
    }
    ago_micros(caller, &text).await.map(|micros| Some(time.units(micros)))
}

/// The time before which chunks were made that an entry of the configuration means.
async fn created_before(caller: &mut Caller<'_>, job: &Job, key: &str) -> Result<Option<i64>> {
    match one_text(caller, &format!("SELECT $1 ->> '{key}'"), Row(vec![job.config.clone()])).await? {
        Some(interval) => ago_micros(caller, &interval).await.map(Some),
        None => Ok(None),
    }
}

async fn ago_micros(caller: &mut Caller<'_>, interval: &str) -> Result<i64> {
    let moment: TimestampTz = caller.query_one("SELECT now() - $1::interval", row![interval]).await?.get(0)?;
    Ok(moment.0)
}
