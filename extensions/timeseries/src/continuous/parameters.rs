//! Storage parameters of tables and continuous aggregates.

use aegis_engine::extension::{Caller, Error, Oid, Result, sqlstate};

use super::{Aggregate, create};
use crate::hypertable;

/// What a materialized view is made with.
pub struct View {
    pub continuous: bool,
    pub materialized_only: bool,
}

impl View {
    pub fn of(written: &[(String, String)]) -> Result<Self> {
        let mut view = Self { continuous: false, materialized_only: true };
        for (name, value) in written {
            match name.as_str() {
                "continuous" => view.continuous = boolean(name, value)?,
                "materialized_only" => view.materialized_only = boolean(name, value)?,
                // Groups are found by the order of the rows.
                "create_group_indexes" | "finalized" => drop(boolean(name, value)?),
                _ => return Err(unknown(name)),
            }
        }
        Ok(view)
    }
}

/// `CREATE TABLE … WITH (tsdb.…)`, and `ALTER … SET (timescaledb.…)` of a table or an aggregate.
pub async fn apply(mut caller: Caller<'_>, relation: Oid, written: Vec<(String, String)>, created: bool) -> Result<()> {
    match Aggregate::of_view(&mut caller, relation).await? {
        Some(mut aggregate) => {
            let mut of_rows = Vec::new();
            for (name, value) in written {
                match name.as_str() {
                    "materialized_only" => aggregate.real_time = !boolean(&name, &value)?,
                    _ => of_rows.push((name, value)),
                }
            }
            if !of_rows.is_empty() {
                hypertable::parameters(&mut caller, aggregate.materialization, &of_rows, false).await?;
            }
            create::renew(&mut caller, &aggregate).await
        }
        None => hypertable::parameters(&mut caller, relation, &written, created).await,
    }
}

pub fn boolean(name: &str, value: &str) -> Result<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "on" | "yes" | "1" => Ok(true),
        "false" | "off" | "no" | "0" => Ok(false),
        _ => {
            let message = format!("invalid value for timescaledb.{name} '{value}'");
            Err(Error::new(sqlstate::INVALID_PARAMETER_VALUE, message).with_hint("It must be true or false."))
        }
    }
}

pub fn unknown(name: &str) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, format!("unrecognized parameter \"timescaledb.{name}\""))
}
