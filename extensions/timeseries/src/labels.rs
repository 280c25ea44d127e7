//! Hypertables, continuous aggregates and jobs in dumps: each is a security label of its table, view or routine (`_timescaledb_catalog.security_label`
//! shows them as JSON), so that `pg_dump` writes a statement that makes it again. A server without the extension refuses that statement alone, and
//! keeps the plain table.
//!
//! While a dump is read back, rows that it brings are no changes that continuous aggregates have missed, and no job runs
//! (`timescaledb.restoring`): in a session that has read a label in a script of `pg_dump`, or in the whole database between
//! `timescaledb_pre_restore()` and `timescaledb_post_restore()` (docs.timescale.com, "Logical backup with pg_dump and pg_restore").

use aegis_engine::extension::{
    Caller, Error, Labels, ObjectAddress, Oid, Result, Row, Symbols, Value, fixed_oid, quote_identifier, row, session,
    sqlstate,
};

use crate::{continuous, hypertable, jobs};

pub const LABELS: Labels = Labels {
    shown: ("_timescaledb_catalog", "security_label"),
    apply: |caller, object, label| Box::pin(apply(caller, object, label)),
};

pub fn symbols() -> Symbols {
    vec![("ts_pre_restore", session!(pre_restore)), ("ts_post_restore", session!(post_restore))]
}

const RESTORING: &str = "timescaledb.restoring";

fn invalid(detail: &'static str) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, "invalid security label of timescaledb").with_detail(detail)
}

async fn apply(mut caller: Caller<'_>, object: ObjectAddress, label: Option<String>) -> Result<()> {
    let Some(label) = label else { return Err(Error::unsupported("taking a label of timescaledb away")) };
    let read = caller.query_one("SELECT $1::jsonb, jsonb_typeof($1::jsonb)", row![label]).await?;
    if read.get::<&str>(1)? != "object" {
        return Err(invalid("It must be a JSON object."));
    }
    begin(&mut caller).await?;
    let label = read.value(0)?;
    match object.class {
        _ if object.sub != 0 => Err(invalid("A column has none.")),
        fixed_oid::PG_PROC => jobs::of_routine(&mut caller, object.object, label).await,
        fixed_oid::PG_CLASS if has(&mut caller, label, "continuous").await? => {
            continuous::of_label(&mut caller, object.object, label).await
        }
        fixed_oid::PG_CLASS if has(&mut caller, label, "hypertable").await? => {
            hypertable::of_label(&mut caller, object.object, label).await?;
            jobs::of_table(&mut caller, object.object, label).await
        }
        _ => Err(invalid("It must be of a hypertable, a continuous aggregate or a job's routine.")),
    }
}

async fn has(caller: &mut Caller<'_>, label: &Value, key: &str) -> Result<bool> {
    let sql = format!("SELECT jsonb_typeof($1 -> '{key}') IS NOT DISTINCT FROM 'object'");
    caller.query_one(&sql, Row(vec![label.clone()])).await?.get(0)
}

/// A text of a label that must be there.
pub fn required(row: &Row, column: usize, name: &'static str) -> Result<String> {
    row.get::<Option<&str>>(column)?.map(str::to_owned).ok_or_else(|| invalid("Something is missing.").with_hint(name))
}

/// The relation of that name.
pub fn named(row: &Row, column: usize) -> Result<Oid> {
    row.get::<Option<Oid>>(column)?.ok_or_else(|| invalid("A relation that it names does not exist."))
}

/// Scripts of `pg_dump` do not check the bodies of functions: in their sessions the restoring begins with the first label.
async fn begin(caller: &mut Caller<'_>) -> Result<()> {
    if caller.setting("check_function_bodies") != "off" || is_restoring(caller) {
        return Ok(());
    }
    const LOCK: &str = "SELECT pg_advisory_lock_shared('_timescaledb_catalog.job'::regclass::oid::integer, 0)";
    caller.query(LOCK, row![]).await?;
    set(caller, "on").await
}

/// Are the rows that this session writes those of a dump?
pub fn is_restoring(caller: &Caller<'_>) -> bool {
    caller.setting(RESTORING) == "on"
}

async fn set(caller: &mut Caller<'_>, value: &str) -> Result<()> {
    caller.query("SELECT set_config($1, $2, false)", row![RESTORING, value]).await.map(drop)
}

/// The statement that sets it for all sessions to come.
async fn of_database(caller: &mut Caller<'_>, action: &str) -> Result<()> {
    let row = caller.query_one("SELECT current_database()::text", row![]).await?;
    let database = quote_identifier(row.get::<&str>(0)?).into_owned();
    caller.query(&format!("ALTER DATABASE {database} {action}"), row![]).await.map(drop)
}

/// `timescaledb_pre_restore()`
async fn pre_restore(mut caller: Caller<'_>, _: Row) -> Result<Vec<Row>> {
    of_database(&mut caller, &format!("SET {RESTORING} TO 'on'")).await?;
    set(&mut caller, "on").await?;
    Ok(vec![row![true]])
}

/// `timescaledb_post_restore()`
async fn post_restore(mut caller: Caller<'_>, _: Row) -> Result<Vec<Row>> {
    of_database(&mut caller, &format!("RESET {RESTORING}")).await?;
    set(&mut caller, "off").await?;
    Ok(vec![row![true]])
}
