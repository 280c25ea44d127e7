//! `create_hypertable`, and what changes how a hypertable is kept.

use std::sync::Arc;

use aegis_engine::extension::{
    Caller, Column, Error, Oid, Relation, RelationKind, Result, Row, Symbols, Type, Value, Windows, oid,
    quote_identifier, row, session, sqlstate,
};

use super::interval::TimeType;
use super::{code, hypertable, invalid, qualified, relation};
use crate::{columnstore, labels, refuse};

pub fn symbols() -> Symbols {
    vec![
        ("ts_hypertable_create", session!(create_classic)),
        ("ts_hypertable_create_general", session!(create_general)),
        ("ts_dimension_add", session!(add_dimension)),
        ("ts_dimension_add_classic", session!(add_dimension_classic)),
        ("ts_dimension_set_interval", session!(set_interval)),
        ("ts_hypertable_set_integer_now_func", session!(set_integer_now)),
    ]
}

/// Names of the extension's schema for chunks.
const CHUNKS: &str = "_timescaledb_internal";

/// How a table becomes a hypertable.
pub struct Plan<'a> {
    pub table: Oid,
    pub column: &'a str,
    pub interval: Value,
    pub default_indexes: bool,
    pub if_not_exists: bool,
    pub migrate: bool,
}

/// `create_hypertable(relation, time_column_name, partitioning_column, number_partitions, …)`: number, schema, name, created.
async fn create_classic(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    const UNKNOWN: &[(usize, &str)] = &[
        (4, "associated_schema_name"),
        (5, "associated_table_prefix"),
        (9, "partitioning_func"),
        (11, "chunk_target_size"),
        (12, "chunk_sizing_func"),
        (13, "time_partitioning_func"),
    ];
    refuse(&arguments, UNKNOWN)?;
    let table: Option<Oid> = arguments.get(0)?;
    let column: Option<&str> = arguments.get(1)?;
    let table = table.ok_or_else(|| invalid("relation cannot be NULL"))?;
    let column = column.ok_or_else(|| invalid("partition column cannot be NULL"))?;
    let space: Option<&str> = arguments.get(2)?;
    let partitions: Option<i32> = arguments.get(3)?;
    let plan = Plan {
        table,
        column,
        interval: arguments.value(6)?.clone(),
        default_indexes: arguments.get::<Option<bool>>(7)?.unwrap_or(true),
        if_not_exists: arguments.get::<Option<bool>>(8)?.unwrap_or(false),
        migrate: arguments.get::<Option<bool>>(10)?.unwrap_or(false),
    };
    let (number, created) = create(&mut caller, &plan).await?;
    if let Some(space) = space.filter(|_| created) {
        space_dimension(&mut caller, table, space, partitions).await?;
    }
    let catalog = caller.catalog()?;
    let relation = relation(&catalog, table)?;
    let schema = catalog.schema(relation.schema).map_or("", |schema| schema.name.as_str());
    Ok(vec![row![number, schema, relation.name.as_str(), created]])
}

/// `create_hypertable(relation, dimension, …)`: number, created.
async fn create_general(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let table: Option<Oid> = arguments.get(0)?;
    let table = table.ok_or_else(|| invalid("relation cannot be NULL"))?;
    let dimension = Dimension::of(&mut caller, arguments.value(1)?).await?;
    let Dimension::Range { column, interval } = dimension else {
        return Err(invalid("cannot partition using a closed dimension on primary column")
            .with_hint("Use range partitioning on the primary column."));
    };
    let plan = Plan {
        table,
        column: &column,
        interval,
        default_indexes: arguments.get::<Option<bool>>(2)?.unwrap_or(true),
        if_not_exists: arguments.get::<Option<bool>>(3)?.unwrap_or(false),
        migrate: arguments.get::<Option<bool>>(4)?.unwrap_or(false),
    };
    let (number, created) = create(&mut caller, &plan).await?;
    Ok(vec![row![number, created]])
}

/// What `by_range` and `by_hash` say.
enum Dimension {
    Range { column: String, interval: Value },
    Hash { column: String, partitions: i32 },
}

impl Dimension {
    async fn of(caller: &mut Caller<'_>, info: &Value) -> Result<Self> {
        if info.is_null() {
            return Err(invalid("dimension cannot be NULL"));
        }
        if !info.field(5, Type::of(oid::OID))?.is_null() {
            return Err(Error::unsupported("argument partition_func"));
        }
        let text = Type::of(oid::TEXT);
        let kind = info.field(0, text)?;
        let column = info.field(1, text)?.get::<Option<&str>>()?.unwrap_or_default().to_owned();
        if kind.get::<&str>()? == "hash" {
            let partitions = info.field(4, Type::of(oid::INT4))?.get::<Option<i32>>()?.unwrap_or_default();
            return Ok(Self::Hash { column, partitions });
        }
        let length = info.field(2, text)?;
        let interval = match (length.get::<Option<&str>>()?, info.field(3, Type::of(oid::OID))?.get::<Option<Oid>>()?) {
            (Some(length), Some(oid::INTERVAL)) => {
                caller.query_one("SELECT $1::interval", row![length]).await?.value(0)?.clone()
            }
            (Some(length), Some(oid::INT2 | oid::INT4 | oid::INT8)) => Value::from(length.parse::<i64>().ok()),
            (Some(length), _) => Value::from(length),
            (None, _) => Value::from(None::<i64>),
        };
        Ok(Self::Range { column, interval })
    }
}

/// Makes a hypertable of a table: its number, and whether it was none before.
pub async fn create(caller: &mut Caller<'_>, plan: &Plan<'_>) -> Result<(i32, bool)> {
    let catalog = caller.catalog()?;
    let table = relation(&catalog, plan.table)?;
    caller.require_owner(&table)?;
    if table.windows().is_some() {
        let message = format!("table \"{}\" is already a hypertable", table.name);
        if !plan.if_not_exists {
            return Err(Error::new(code::ALREADY_A_HYPERTABLE, message));
        }
        caller.notice(Error::new(code::ALREADY_A_HYPERTABLE, format!("{message}, skipping")));
        return Ok((super::number(caller, plan.table).await?, false));
    }
    let column = column_of(&table, plan.column)?;
    let time = time_type(column)?;
    let interval = time.length(&plan.interval)?;
    check_table(&table)?;
    let name = qualified(&catalog, &table);
    let filled = !caller.query(&format!("SELECT FROM {name} LIMIT 1"), row![]).await?.is_empty();
    if filled && !plan.migrate {
        let message = format!("table \"{}\" is not empty", table.name);
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
            .with_hint("You can migrate data by specifying 'migrate_data => true' when calling this function."));
    }
    let quoted_column = quote_identifier(&column.name);
    if !column.not_null {
        caller.query(&format!("ALTER TABLE {name} ALTER COLUMN {quoted_column} SET NOT NULL"), row![]).await?;
    }
    const REGISTER: &str = "DELETE FROM _timescaledb_catalog.hypertable h WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = h.relation);
        INSERT INTO _timescaledb_catalog.hypertable (relation) VALUES ($1) RETURNING id";
    let rows = caller.query_as_owner(REGISTER, row![plan.table]).await?;
    let number: i32 = rows.first().ok_or_else(|| Error::internal("a hypertable without a number"))?.get(0)?;
    let schema = catalog.schema_by_name(CHUNKS).ok_or_else(|| Error::internal("the schema of chunks is gone"))?.oid;
    let windows = Windows {
        column: column.attnum,
        interval,
        grain: interval,
        order: Vec::new(),
        watched: None,
        schema,
        prefix: format!("_hyper_{number}"),
    };
    caller.set_windows(plan.table, windows)?;
    if filled {
        caller.note_windows(plan.table)?;
    }
    if plan.default_indexes {
        time_index(caller, plan.table, column).await?;
    }
    Ok((number, true))
}

/// The index on the time, newest first, unless there is one that begins with it.
async fn time_index(caller: &mut Caller<'_>, table: Oid, column: &Column) -> Result<()> {
    let catalog = caller.catalog()?;
    let begins = |index: &Arc<Relation>| {
        index.index().is_some_and(|index| index.keys.first().is_some_and(|key| key.attnum == column.attnum))
    };
    if catalog.indexes_of(table).any(begins) {
        return Ok(());
    }
    let relation = relation(&catalog, table)?;
    let sql = format!(
        "CREATE INDEX {} ON {} ({} DESC)",
        quote_identifier(&format!("{}_{}_idx", relation.name, column.name)),
        qualified(&catalog, &relation),
        quote_identifier(&column.name)
    );
    caller.query(&sql, row![]).await.map(|_| ())
}

fn column_of<'a>(table: &'a Relation, name: &str) -> Result<&'a Column> {
    let missing = || Error::new(sqlstate::UNDEFINED_COLUMN, format!("column \"{name}\" does not exist"));
    table.column_by_name(name).ok_or_else(missing)
}

fn time_type(column: &Column) -> Result<TimeType> {
    let invalid = || {
        let message = format!("invalid type for dimension \"{}\"", column.name);
        Error::new(sqlstate::WRONG_OBJECT_TYPE, message).with_hint("Use an integer, timestamp, or date type.")
    };
    TimeType::of(column.ty.oid).ok_or_else(invalid)
}

fn check_table(table: &Relation) -> Result<()> {
    let refuse = |message: String| Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message));
    let RelationKind::Table(kind) = &table.kind else { return refuse("invalid relation type".to_owned()) };
    if kind.materialized.is_some() {
        return refuse("invalid relation type".to_owned());
    }
    if kind.partitioning.is_some() || !kind.parents.is_empty() {
        let message = format!("table \"{}\" is already partitioned", table.name);
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, message)
            .with_detail("It is not possible to turn partitioned tables into hypertables."));
    }
    Ok(())
}

/// `add_dimension(hypertable, by_hash(…))`: number, created.
async fn add_dimension(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let table: Option<Oid> = arguments.get(0)?;
    let (relation, _) = hypertable(&caller, table.ok_or_else(|| invalid("hypertable cannot be NULL"))?)?;
    caller.require_owner(&relation)?;
    let if_not_exists = arguments.get::<Option<bool>>(2)?.unwrap_or(false);
    match Dimension::of(&mut caller, arguments.value(1)?).await? {
        Dimension::Range { .. } => Err(Error::unsupported("a second dimension by range")),
        Dimension::Hash { column, partitions } => {
            let (number, created) = add_hash(&mut caller, relation.oid, &column, partitions, if_not_exists).await?;
            Ok(vec![row![number, created]])
        }
    }
}

/// `add_dimension(hypertable, column_name, number_partitions, …)`: number, schema, name, column, created.
async fn add_dimension_classic(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    refuse(&arguments, &[(4, "partitioning_func")])?;
    let table: Option<Oid> = arguments.get(0)?;
    let (relation, _) = hypertable(&caller, table.ok_or_else(|| invalid("hypertable cannot be NULL"))?)?;
    caller.require_owner(&relation)?;
    let column: Option<&str> = arguments.get(1)?;
    let column = column.ok_or_else(|| invalid("dimension cannot be NULL"))?;
    let if_not_exists = arguments.get::<Option<bool>>(5)?.unwrap_or(false);
    let partitions = match (arguments.get::<Option<i32>>(2)?, arguments.value(3)?.is_null()) {
        (Some(partitions), true) => partitions,
        (Some(_), false) => return Err(invalid("cannot specify both the number of partitions and an interval")),
        (None, true) => return Err(invalid("cannot omit both the number of partitions and the interval")),
        (None, false) => return Err(Error::unsupported("a second dimension by range")),
    };
    let (number, created) = add_hash(&mut caller, relation.oid, column, partitions, if_not_exists).await?;
    let catalog = caller.catalog()?;
    let schema = catalog.schema(relation.schema).map_or("", |schema| schema.name.as_str());
    Ok(vec![row![number, schema, relation.name.as_str(), column, created]])
}

/// The number of a dimension by hash, and whether it was none before.
async fn add_hash(
    caller: &mut Caller<'_>,
    table: Oid,
    column: &str,
    partitions: i32,
    if_not_exists: bool,
) -> Result<(i32, bool)> {
    let Some(number) = dimension(caller, table, column).await? else {
        return Ok((space_dimension(caller, table, column, Some(partitions)).await?, true));
    };
    let message = format!("column \"{column}\" is already a dimension");
    if !if_not_exists {
        return Err(Error::new(code::ALREADY_A_DIMENSION, message));
    }
    caller.notice(Error::new(code::ALREADY_A_DIMENSION, format!("{message}, skipping")));
    Ok((number, false))
}

async fn dimension(caller: &mut Caller<'_>, table: Oid, column: &str) -> Result<Option<i32>> {
    const SQL: &str = "SELECT id FROM _timescaledb_catalog.dimension WHERE relation = $1 AND column_name = $2";
    let rows = caller.query_as_owner(SQL, row![table, column]).await?;
    rows.first().map(|row| row.get(0)).transpose()
}

/// A dimension by hash is a fact that is shown: rows of a window are not kept apart by it.
async fn space_dimension(caller: &mut Caller<'_>, table: Oid, column: &str, partitions: Option<i32>) -> Result<i32> {
    let relation = relation(&*caller.catalog()?, table)?;
    column_of(&relation, column)?;
    let partitions = partitions.unwrap_or_default();
    if !(1..=i32::from(i16::MAX)).contains(&partitions) {
        return Err(invalid(format!("invalid number of partitions for dimension \"{column}\""))
            .with_hint(format!("A closed (space) dimension must specify between 1 and {} partitions.", i16::MAX)));
    }
    const SQL: &str = "INSERT INTO _timescaledb_catalog.dimension (relation, column_name, partitions) VALUES ($1, $2, $3) RETURNING id";
    let rows = caller.query_as_owner(SQL, row![table, column, partitions]).await?;
    rows.first().ok_or_else(|| Error::internal("a dimension without a number"))?.get(0)
}

/// `set_chunk_time_interval(hypertable, interval)`: for windows to come.
async fn set_interval(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    refuse(&arguments, &[(2, "dimension_name")])?;
    let table: Option<Oid> = arguments.get(0)?;
    let (relation, _) = hypertable(&caller, table.ok_or_else(|| invalid("hypertable cannot be NULL"))?)?;
    caller.require_owner(&relation)?;
    let value = arguments.value(1)?;
    if value.is_null() {
        return Err(invalid("chunk_time_interval cannot be NULL"));
    }
    set_length(&mut caller, &relation, value)?;
    Ok(Vec::new())
}

/// New windows are as long as this.
pub fn set_length(caller: &mut Caller<'_>, table: &Relation, length: &Value) -> Result<()> {
    let windows = table.windows().cloned().ok_or_else(|| Error::internal("a hypertable without its time"))?;
    let column = table.column(windows.column).ok_or_else(|| Error::internal("a hypertable without its time"))?;
    let interval = time_type(column)?.length(length)?;
    let grain = greatest_common_divisor(windows.grain, interval);
    caller.set_windows(table.oid, Windows { interval, grain, ..windows })
}

pub fn greatest_common_divisor(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

/// What a label says of a hypertable (`crate::labels`).
pub async fn of_label(caller: &mut Caller<'_>, table: Oid, label: &Value) -> Result<()> {
    const SQL: &str = "SELECT $1 #>> '{hypertable,column}', ($1 #>> '{hypertable,interval}')::bigint, $1 #>> '{hypertable,integer_now}',
        to_regproc($1 #>> '{hypertable,integer_now}')::oid, jsonb_typeof($1 -> 'columnstore') = 'object', $1 #>> '{columnstore,segmentby}', $1 #>> '{columnstore,orderby}'";
    let said = caller.query_one(SQL, Row(vec![label.clone()])).await?;
    let column = labels::required(&said, 0, "hypertable.column")?;
    let found = relation(&*caller.catalog()?, table)?;
    let time = time_type(column_of(&found, &column)?)?;
    let interval = said.get::<Option<i64>>(1)?.map(|units| time.micros(units));
    let plan = Plan {
        table,
        column: &column,
        interval: Value::from(interval),
        default_indexes: false,
        if_not_exists: false,
        migrate: true,
    };
    create(caller, &plan).await?;
    const DIMENSIONS: &str = "SELECT d ->> 'column', (d ->> 'partitions')::integer
        FROM jsonb_array_elements(CASE WHEN jsonb_typeof($1 #> '{hypertable,dimensions}') = 'array' THEN $1 #> '{hypertable,dimensions}' END) x(d)";
    for dimension in caller.query(DIMENSIONS, Row(vec![label.clone()])).await? {
        let column = labels::required(&dimension, 0, "hypertable.dimensions.column")?;
        space_dimension(caller, table, &column, dimension.get(1)?).await?;
    }
    match (said.get::<Option<&str>>(2)?, said.get::<Option<Oid>>(3)?) {
        (Some(_), Some(function)) => set_now(caller, table, function, true).await?,
        (Some(name), None) => caller.warning(
            Error::new(sqlstate::UNDEFINED_FUNCTION, format!("function {name}() does not exist yet"))
                .with_hint("Name it by set_integer_now_func when it does."),
        ),
        _ => {}
    }
    if said.get::<Option<bool>>(4)?.unwrap_or(false) {
        let wanted = columnstore::Wanted { enabled: Some(true), segment_by: said.get(5)?, order_by: said.get(6)? };
        columnstore::set(caller, table, &wanted).await?;
    }
    Ok(())
}

/// `set_integer_now_func(hypertable, function, replace_if_exists)`: what "now" is for a time of integers.
async fn set_integer_now(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let table: Option<Oid> = arguments.get(0)?;
    let table = table.ok_or_else(|| invalid("hypertable cannot be NULL"))?;
    let replace = arguments.get::<Option<bool>>(2)?.unwrap_or(false);
    set_now(&mut caller, table, arguments.get(1)?, replace).await?;
    Ok(Vec::new())
}

async fn set_now(caller: &mut Caller<'_>, table: Oid, function: Oid, replace: bool) -> Result<()> {
    let (relation, windows) = hypertable(caller, table)?;
    caller.require_owner(&relation)?;
    let column = relation.column(windows.column).ok_or_else(|| Error::internal("a hypertable without its time"))?;
    if !time_type(column)?.is_integer() {
        return Err(invalid("custom time function not supported"));
    }
    const PRESENT: &str = "SELECT integer_now::oid FROM _timescaledb_catalog.hypertable WHERE relation = $1";
    let rows = caller.query_as_owner(PRESENT, row![relation.oid]).await?;
    let present = rows.first().map(|row| row.get::<Option<Oid>>(0)).transpose()?.flatten().unwrap_or_default();
    if present != 0 && !replace {
        return Err(Error::new(
            sqlstate::DUPLICATE_OBJECT,
            format!("custom time function already set for hypertable \"{}\"", relation.name),
        ));
    }
    const CHECK: &str =
        "SELECT pronargs = 0 AND prorettype = $2 AND provolatile IN ('s', 'i') FROM pg_proc WHERE oid = $1";
    let rows = caller.query(CHECK, row![function, column.ty.oid]).await?;
    if !rows.first().map(|row| row.get::<bool>(0)).transpose()?.unwrap_or(false) {
        return Err(Error::new(sqlstate::INVALID_FUNCTION_DEFINITION, "invalid custom time function").with_hint(
            "A custom time function must take no arguments, be STABLE, and return the type of the time column.",
        ));
    }
    const SQL: &str = "UPDATE _timescaledb_catalog.hypertable SET integer_now = $2 WHERE relation = $1";
    caller.query_as_owner(SQL, row![relation.oid, function]).await.map(drop)
}
