//! `CREATE MATERIALIZED VIEW … WITH (timescaledb.continuous)`.

use aegis_engine::extension::{
    Caller, Error, GroupKey, GroupedQuery, Interval, KeyArgument, NewView, Oid, Result, Row, Value, Windows, oid,
    quote_identifier, row, sqlstate,
};

use super::{Aggregate, parameters, refresh};
use crate::hypertable::{self, TimeType, qualified};
use crate::labels;

/// Windows of the rows are this many times longer than the source's.
const LONGER: i64 = 10;

/// Where the queries are, a schema of the extension's, and where the rows are: a schema of the database's own, so that a dump has the rows for a
/// server without the extension too.
const INTERNAL: &str = "_timescaledb_internal";
const ROWS: &str = "_timescaledb_cache";

pub async fn create(mut caller: Caller<'_>, view: NewView, written: Vec<(String, String)>) -> Result<()> {
    let wanted = parameters::View::of(&written)?;
    if !wanted.continuous {
        return Err(Error::unsupported("materialized views with parameters that are not continuous"));
    }
    let grouped = caller.grouped(&view.query)?.map_err(invalid)?;
    if !grouped.immutable {
        let message = "only immutable functions supported in continuous aggregate view";
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message).with_hint(
            "Make sure all functions in the continuous aggregate definition have IMMUTABLE volatility. Note that \
             functions or expressions may be IMMUTABLE for one data type, but STABLE or VOLATILE for another.",
        ));
    }
    let (key, source) = bucket_of(&mut caller, &grouped).await?;
    let Some(output) = key.output else { return Err(invalid("time_bucket is not a column of the result")) };
    let bucket = Bucket::of(key)?;
    if let Some(below) = &source.aggregate {
        check_hierarchy(&mut caller, &bucket, below).await?;
    }
    let id = next_number(&mut caller).await?;
    let direct = format!("{INTERNAL}._direct_view_{id}");
    let rows = format!("{ROWS}._materialized_hypertable_{id}");
    let names: Vec<_> = view.columns.iter().map(|name| quote_identifier(name)).collect();
    let names = if names.is_empty() { String::new() } else { format!("({})", names.join(", ")) };
    caller.query(&format!("CREATE VIEW {direct} {names} AS {}", view.query), row![]).await?;
    if caller.catalog()?.schema_by_name(ROWS).is_none() {
        let schema = format!("CREATE SCHEMA {ROWS}; GRANT USAGE, CREATE ON SCHEMA {ROWS} TO PUBLIC");
        caller.query_as_owner(&schema, row![]).await?;
    }
    caller.query(&format!("CREATE TABLE {rows} AS SELECT * FROM {direct} WITH NO DATA"), row![]).await?;
    let (direct, rows) = (named(&mut caller, &direct).await?, named(&mut caller, &rows).await?);
    let column = column_name(&caller, rows, output)?;
    let plan = hypertable::Plan {
        table: rows,
        column: &column,
        interval: Value::from(source.windows.interval.saturating_mul(LONGER).min(source.time.longest())),
        default_indexes: false,
        if_not_exists: false,
        migrate: false,
    };
    hypertable::create(&mut caller, &plan).await?;
    let aggregate = Aggregate {
        id,
        view: 0,
        direct,
        materialization: rows,
        source: source.table,
        bucket: column,
        floor: bucket.floor.clone(),
        next: bucket.next.clone(),
        width: bucket.width.clone(),
        real_time: !wanted.materialized_only,
    };
    let names = column_names(&caller, rows)?;
    let text = aggregate.text(&caller, &names)?;
    caller.query(&format!("CREATE VIEW {} AS {text}", view.name), row![]).await?;
    let aggregate = Aggregate { view: named(&mut caller, &view.name).await?, ..aggregate };
    tie(&mut caller, &aggregate).await?;
    aggregate.set_invalid(&mut caller, &[(i64::MIN, i64::MAX)]).await?;
    finer_grain(&mut caller, &source, &bucket).await?;
    if view.with_data {
        refresh::all(&mut caller, &aggregate).await?;
    }
    Ok(())
}

/// Makes an aggregate of its relations.
async fn tie(caller: &mut Caller<'_>, aggregate: &Aggregate) -> Result<()> {
    caller.set_view_option(aggregate.view, "timescaledb.continuous", "true")?;
    caller.depend(aggregate.materialization, aggregate.view)?;
    caller.depend(aggregate.direct, aggregate.view)?;
    register(caller, aggregate).await
}

/// What a label says of a continuous aggregate, whose relations are there as plain ones (`crate::labels`).
pub async fn of_label(caller: &mut Caller<'_>, view: Oid, label: &Value) -> Result<()> {
    const SQL: &str = "SELECT to_regclass($1 #>> '{continuous,rows}')::oid, to_regclass($1 #>> '{continuous,direct}')::oid, $1 #>> '{continuous,bucket}', ($1 #>> '{continuous,id}')::integer,
        coalesce(($1 #>> '{continuous,real_time}')::boolean, false), coalesce(($1 #>> '{continuous,watermark}')::bigint, -9223372036854775808)";
    let said = caller.query_one(SQL, Row(vec![label.clone()])).await?;
    let (rows, direct) = (labels::named(&said, 0)?, labels::named(&said, 1)?);
    for part in [view, rows, direct] {
        let found = caller.catalog()?.relation(part).cloned();
        caller.require_owner(&*found.ok_or_else(|| Error::internal("no relation"))?)?;
    }
    const TAKEN: &str = "SELECT FROM _timescaledb_catalog.continuous_agg WHERE view = $1 OR direct = $2 OR materialization = $3 OR id = $4";
    let id = said.get::<Option<i32>>(3)?;
    if !caller.query_as_owner(TAKEN, row![view, direct, rows, id]).await?.is_empty() {
        return Err(Error::new(
            sqlstate::DUPLICATE_OBJECT,
            "a continuous aggregate of these relations, or this number, exists",
        ));
    }
    let query = caller.query_one("SELECT rtrim(pg_get_viewdef($1), ';')", row![direct]).await?;
    let grouped = caller.grouped(&labels::required(&query, 0, "continuous.direct")?)?.map_err(invalid)?;
    let (key, source) = bucket_of(caller, &grouped).await?;
    let bucket = Bucket::of(key)?;
    let (time, _) = hypertable::hypertable(caller, rows)?;
    hypertable::time_of(&time)?;
    let aggregate = Aggregate {
        id: match id {
            Some(id) => id,
            None => next_number(caller).await?,
        },
        view,
        direct,
        materialization: rows,
        source: source.table,
        bucket: labels::required(&said, 2, "continuous.bucket")?,
        floor: bucket.floor.clone(),
        next: bucket.next.clone(),
        width: bucket.width.clone(),
        real_time: said.get(4)?,
    };
    tie(caller, &aggregate).await?;
    const NUMBERS: &str = "SELECT setval('_timescaledb_catalog.continuous_agg_id_seq', greatest($1, (SELECT last_value FROM _timescaledb_catalog.continuous_agg_id_seq)))";
    caller.query_as_owner(NUMBERS, row![i64::from(aggregate.id)]).await?;
    const MARK: &str = "UPDATE _timescaledb_catalog.continuous_agg SET watermark = $2 WHERE id = $1";
    caller.query_as_owner(MARK, row![aggregate.id, said.get::<i64>(5)?]).await?;
    const STALE: &str = "SELECT (s ->> 0)::bigint, (s ->> 1)::bigint
        FROM jsonb_array_elements(CASE WHEN jsonb_typeof($1 #> '{continuous,stale}') = 'array' THEN $1 #> '{continuous,stale}' END) x(s) WHERE s ->> 0 IS NOT NULL AND s ->> 1 IS NOT NULL";
    let stale = caller.query(STALE, Row(vec![label.clone()])).await?;
    let stale = stale.iter().map(|row| Ok((row.get(0)?, row.get(1)?))).collect::<Result<Vec<_>>>()?;
    aggregate.set_invalid(caller, &stale).await?;
    renew(caller, &aggregate).await?;
    finer_grain(caller, &source, &bucket).await?;
    refresh::watch(caller, aggregate.source).await
}

fn invalid(what: &'static str) -> Error {
    Error::new(sqlstate::FEATURE_NOT_SUPPORTED, "invalid continuous aggregate query").with_detail(what)
}

/// What an aggregate is made over.
struct Source {
    table: Oid,
    windows: Windows,
    time: TimeType,
    /// The aggregate whose rows they are.
    aggregate: Option<Aggregate>,
}

/// The key that is the bucket, and the hypertable whose time is in it.
async fn bucket_of<'g>(caller: &mut Caller<'_>, grouped: &'g GroupedQuery) -> Result<(&'g GroupKey, Source)> {
    let mut keys = grouped.keys.iter().filter(|key| key.name == "time_bucket");
    let (Some(key), None) = (keys.next(), keys.next()) else {
        return Err(invalid("it must group by time_bucket once"));
    };
    let column = key.args.iter().find_map(|arg| match arg {
        KeyArgument::Column { relation, attnum } => Some((*relation, *attnum)),
        _ => None,
    });
    let Some((relation, attnum)) = column else {
        return Err(invalid("time_bucket must be over the time of a hypertable"));
    };
    if key.args.iter().any(|arg| matches!(arg, KeyArgument::Other)) {
        return Err(invalid("the arguments of time_bucket must be constants"));
    }
    let catalog = caller.catalog()?;
    let aggregate = Aggregate::of_view(caller, relation).await?;
    let table = aggregate.as_ref().map_or(relation, |aggregate| aggregate.materialization);
    let found = catalog.relation(table).and_then(|found| Some((found, found.windows()?.clone())));
    let Some((found, windows)) = found else {
        return Err(invalid("time_bucket must be over the time of a hypertable"));
    };
    // A view of an aggregate has its columns in the order of its rows.
    let time = found.live_columns().position(|column| column.attnum == windows.column);
    let named =
        catalog.relation(relation).and_then(|named| named.live_columns().position(|column| column.attnum == attnum));
    if time.is_none() || time != named {
        return Err(invalid("time_bucket must be over the time of a hypertable"));
    }
    let others = grouped.relations.iter().filter(|oid| **oid != relation);
    if others.filter_map(|oid| catalog.relation(*oid)).any(|other| other.windows().is_some()) {
        return Err(invalid("only one hypertable may be in it"));
    }
    let time = found.column(windows.column).and_then(|column| TimeType::of(column.ty.oid));
    let time = time.ok_or_else(|| invalid("time_bucket must be over the time of a hypertable"))?;
    Ok((key, Source { table, windows, time, aggregate }))
}

/// How buckets follow each other, in SQL.
struct Bucket {
    floor: String,
    next: String,
    width: String,
    ty: Oid,
    /// No zone, origin or offset moves the boundaries.
    plain: bool,
}

impl Bucket {
    fn of(key: &GroupKey) -> Result<Self> {
        let (mut width, mut zone, mut shifted) = (None, None, false);
        let mut args = Vec::new();
        for (position, arg) in key.args.iter().enumerate() {
            match arg {
                KeyArgument::Column { .. } => args.push("$1".to_owned()),
                KeyArgument::Constant { sql, ty } => {
                    match ty.oid {
                        _ if position == 0 => width = Some((sql.clone(), *ty)),
                        oid::TEXT => zone = Some(sql.clone()),
                        // An origin or an offset that is not null.
                        _ if !sql.contains("NULL::") => shifted = true,
                        _ => {}
                    }
                    args.push(sql.clone());
                }
                KeyArgument::Other => return Err(invalid("the arguments of time_bucket must be constants")),
            }
        }
        let (width, ty) = width.ok_or_else(|| invalid("time_bucket needs a width"))?;
        let next = match (&zone, key.ty.oid) {
            (Some(zone), _) => format!("(($1 AT TIME ZONE {zone}) + {width}) AT TIME ZONE {zone}"),
            (None, oid::DATE) => format!("($1 + {width})::date"),
            (None, oid::TIMESTAMPTZ) => format!("(($1 AT TIME ZONE 'UTC') + {width}) AT TIME ZONE 'UTC'"),
            _ => format!("$1 + {width}"),
        };
        let floor = format!("{}({})", key.function, args.join(", "));
        Ok(Self { floor, next, width, ty: ty.oid, plain: zone.is_none() && !shifted })
    }
}

/// The width of an aggregate over another one must be a multiple of the other's.
async fn check_hierarchy(caller: &mut Caller<'_>, bucket: &Bucket, below: &Aggregate) -> Result<()> {
    let fits = if bucket.ty == oid::INTERVAL {
        let widths = caller.query_one(&format!("SELECT {}, {}", bucket.width, below.width), row![]).await?;
        let (above, below): (Interval, Interval) = (widths.get(0)?, widths.get(1)?);
        match (above.months, below.months) {
            (0, 0) => is_multiple(hypertable::micros(above)?, hypertable::micros(below)?),
            (_, 0) => is_multiple(hypertable::DAY, hypertable::micros(below)?),
            (above, below) => is_multiple(i64::from(above), i64::from(below)),
        }
    } else {
        let sql = format!("SELECT ({})::bigint, ({})::bigint", bucket.width, below.width);
        let widths = caller.query_one(&sql, row![]).await?;
        is_multiple(widths.get(0)?, widths.get(1)?)
    };
    match fits {
        true => Ok(()),
        false => Err(Error::new(
            sqlstate::FEATURE_NOT_SUPPORTED,
            "cannot create continuous aggregate with incompatible bucket width",
        )
        .with_detail("The width must be a multiple of that of the aggregate below.")),
    }
}

fn is_multiple(above: i64, below: i64) -> bool {
    below > 0 && above > 0 && above % below == 0
}

/// What is noted of changes gets as fine as buckets, so that who refreshes a part of the time leaves no bucket of it half done: a rest that
/// is refreshed later may be of rows that retention has dropped meanwhile.
async fn finer_grain(caller: &mut Caller<'_>, source: &Source, bucket: &Bucket) -> Result<()> {
    /// Grains of a window at most: each that changes is noted.
    const FINEST: i64 = 20_000;
    let (time, has) = (source.time, source.windows.grain);
    let hour = hypertable::HOUR;
    let width = if bucket.ty == oid::INTERVAL {
        let width: Interval = caller.query_one(&format!("SELECT {}", bucket.width), row![]).await?.get(0)?;
        let width = if width.months == 0 { hypertable::micros(width)? } else { hypertable::DAY };
        // Zones are whole quarters of an hour from UTC; what an origin or an offset is, nobody knows.
        time.units(if bucket.plain { width } else { hypertable::greatest_common_divisor(width, hour / 4) })
    } else {
        caller.query_one(&format!("SELECT ({})::bigint", bucket.width), row![]).await?.get(0)?
    };
    let coarser = if time.is_integer() { width } else { time.units(hour) };
    let grains = [width, coarser].map(|unit| hypertable::greatest_common_divisor(has, unit.max(1)));
    let fits = |grain: &i64| *grain < has && source.windows.interval / grain <= FINEST;
    let windows = caller.catalog()?.relation(source.table).and_then(|found| found.windows().cloned());
    match windows.zip(grains.into_iter().find(fits)) {
        Some((windows, grain)) => caller.set_windows(source.table, Windows { grain, ..windows }),
        None => Ok(()),
    }
}

async fn next_number(caller: &mut Caller<'_>) -> Result<i32> {
    const SQL: &str = "DELETE FROM _timescaledb_catalog.continuous_agg a WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = a.view);
        SELECT nextval('_timescaledb_catalog.continuous_agg_id_seq')::integer";
    let rows = caller.query_as_owner(SQL, row![]).await?;
    rows.first().ok_or_else(|| Error::internal("no number"))?.get(0)
}

async fn named(caller: &mut Caller<'_>, name: &str) -> Result<Oid> {
    caller.query_one("SELECT $1::regclass::oid", row![name]).await?.get(0)
}

fn column_names(caller: &Caller<'_>, table: Oid) -> Result<Vec<String>> {
    let catalog = caller.catalog()?;
    let found = catalog.relation(table).ok_or_else(|| Error::internal("no relation"))?;
    Ok(found.live_columns().map(|column| column.name.clone()).collect())
}

fn column_name(caller: &Caller<'_>, table: Oid, position: usize) -> Result<String> {
    column_names(caller, table)?.into_iter().nth(position).ok_or_else(|| Error::internal("no such column"))
}

async fn register(caller: &mut Caller<'_>, aggregate: &Aggregate) -> Result<()> {
    const SQL: &str = "INSERT INTO _timescaledb_catalog.continuous_agg
        (id, view, direct, materialization, source, bucket, floor, next, width, real_time) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    let Aggregate { id, view, direct, materialization, source, bucket, floor, next, width, real_time } = aggregate;
    let values = row![
        *id,
        *view,
        *direct,
        *materialization,
        *source,
        bucket.as_str(),
        floor.as_str(),
        next.as_str(),
        width.as_str(),
        *real_time
    ];
    caller.query_as_owner(SQL, values).await.map(drop)
}

/// The view with the query that its settings ask for.
pub async fn renew(caller: &mut Caller<'_>, aggregate: &Aggregate) -> Result<()> {
    const SQL: &str = "UPDATE _timescaledb_catalog.continuous_agg SET real_time = $2 WHERE id = $1";
    caller.query_as_owner(SQL, row![aggregate.id, aggregate.real_time]).await?;
    let names = column_names(caller, aggregate.view)?;
    let catalog = caller.catalog()?;
    let view = catalog.relation(aggregate.view).ok_or_else(|| Error::internal("an aggregate without its view"))?;
    let text = aggregate.text(caller, &names)?;
    caller.query(&format!("CREATE OR REPLACE VIEW {} AS {text}", qualified(&catalog, view)), row![]).await?;
    caller.set_view_option(aggregate.view, "timescaledb.continuous", "true")
}
