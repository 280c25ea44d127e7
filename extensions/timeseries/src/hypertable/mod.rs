//! Hypertables: tables whose rows are kept by windows of time. What a table is, and its windows, are facts of the engine's catalog; the rest is
//! in the extension's own (`_timescaledb_catalog`).

mod chunk;
mod create;
mod interval;
mod parameters;

use std::sync::Arc;

use aegis_engine::extension::{
    Caller, Catalog, Error, Oid, Relation, Result, Symbols, Windows, quote_identifier, row, sqlstate,
};

pub use chunk::{bound, chosen_before, drop_before, time_of};
pub use create::{Plan, create, greatest_common_divisor, of_label};
pub use interval::{DAY, HOUR, TimeType, micros};
pub use parameters::apply as parameters;

pub fn symbols() -> Symbols {
    [create::symbols(), chunk::symbols()].into_iter().flatten().collect()
}

/// Codes of TimescaleDB's own class.
mod code {
    use aegis_engine::extension::sqlstate::SqlState;

    pub const NOT_A_HYPERTABLE: SqlState = SqlState(*b"TS001");
    pub const ALREADY_A_HYPERTABLE: SqlState = SqlState(*b"TS110");
    pub const ALREADY_A_DIMENSION: SqlState = SqlState(*b"TS160");
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(sqlstate::INVALID_PARAMETER_VALUE, message)
}

/// A table that must be there. 42P01 otherwise.
fn relation(catalog: &Catalog, oid: Oid) -> Result<Arc<Relation>> {
    let found = catalog.relation(oid).cloned();
    found.ok_or_else(|| Error::new(sqlstate::UNDEFINED_TABLE, format!("relation with OID {oid} does not exist")))
}

/// A hypertable and how its windows are. TS001 if it is none.
pub fn hypertable(caller: &Caller<'_>, oid: Oid) -> Result<(Arc<Relation>, Windows)> {
    let relation = relation(&*caller.catalog()?, oid)?;
    match relation.windows().cloned() {
        Some(windows) => Ok((relation, windows)),
        None => {
            let message = format!("\"{}\" is not a hypertable or a continuous aggregate", relation.name);
            Err(Error::new(code::NOT_A_HYPERTABLE, message).with_hint("Only hypertables have chunks."))
        }
    }
}

/// `schema.table`, quoted for SQL.
pub fn qualified(catalog: &Catalog, relation: &Relation) -> String {
    let schema = catalog.schema(relation.schema).map_or("", |schema| schema.name.as_str());
    format!("{}.{}", quote_identifier(schema), quote_identifier(&relation.name))
}

/// The number of a hypertable in the extension's catalog.
pub async fn number(caller: &mut Caller<'_>, table: Oid) -> Result<i32> {
    const SQL: &str = "SELECT id FROM _timescaledb_catalog.hypertable WHERE relation = $1";
    let rows = caller.query_as_owner(SQL, row![table]).await?;
    rows.first().ok_or_else(|| Error::internal("a hypertable without a number"))?.get(0)
}
