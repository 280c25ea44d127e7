//! `aegis.ttl`: retention as a property of a table.

use aegis_engine::extension::{Caller, Error, Interval, Oid, Result, row, sqlstate};

use super::policy::{RETENTION, SCHEMA, ago, config, policy_of};
use super::{FIVE_MINUTES, NewJob, insert, remove};
use crate::hypertable::{self, hypertable};

/// How often chunks that are too old are looked for.
const EVERY: Interval = Interval { months: 0, days: 0, micros: hypertable::HOUR };

/// Rows older than this go with their chunks; nothing, or `off`, keeps them for ever. It is the table's retention policy.
pub async fn set(caller: &mut Caller<'_>, table: Oid, ttl: &str) -> Result<()> {
    let (found, _) = hypertable(caller, table)?;
    caller.require_owner(&found)?;
    if let Some(present) = policy_of(caller, table, RETENTION).await? {
        remove(caller, present).await?;
    }
    if ttl.is_empty() || ttl.eq_ignore_ascii_case("off") {
        return Ok(());
    }
    let time = hypertable::time_of(&found)?;
    let age = match (time.is_integer(), ttl.trim().parse::<i64>()) {
        (true, Ok(age)) => row![age],
        (true, Err(_)) => return Err(invalid(ttl).with_hint("The time is an integer: so is its age.")),
        (false, _) => caller.query_one("SELECT $1::interval", row![ttl]).await?,
    };
    let is_positive = match time.is_integer() {
        true => age.get::<i64>(0)? > 0,
        false => caller.query_one("SELECT $1 > interval '0'", age.clone()).await?.get(0)?,
    };
    if !is_positive {
        return Err(invalid(ttl).with_hint("It must be longer than nothing."));
    }
    let age = ago(caller, table, time, age.value(0)?, "ttl").await?;
    let config = config(caller, &[("drop_after", age)], ("hypertable_id", table)).await?;
    let job = NewJob {
        title: "Retention Policy",
        procedure: (SCHEMA, RETENTION),
        interval: EVERY,
        max_runtime: "5 minutes",
        retry: FIVE_MINUTES,
        relation: Some(table),
        config,
        initial_start: None,
        scheduled: true,
        fixed: false,
        check: None,
    };
    insert(caller, job).await.map(drop)
}

fn invalid(ttl: &str) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("invalid value for aegis.ttl: \"{ttl}\""))
}
