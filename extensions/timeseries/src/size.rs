//! How much there is in a table.

use aegis_engine::extension::{Caller, Result, Row, Symbols, row, session};

pub fn symbols() -> Symbols {
    vec![("ts_approximate_row_count", session!(approximate_row_count))]
}

/// The store knows how many rows there are without reading them.
async fn approximate_row_count(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let relation = arguments.get::<u32>(0)?;
    let names = caller.query("SELECT $1::regclass::text", row![relation]).await?;
    let Some(name) = names.first() else { return Ok(Vec::new()) };
    let count = format!("SELECT count(*) FROM {}", name.get::<&str>(0)?);
    caller.query(&count, row![]).await
}
