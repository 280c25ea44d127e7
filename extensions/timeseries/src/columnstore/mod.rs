//! The columnstore. Rows are always in columns here; that a chunk is compressed says that its rows were sorted and written anew as one.

mod settings;

use aegis_engine::extension::{
    Caller, ColumnEncoding, Error, Oid, Relation, Result, Row, Symbols, quote_identifier, row, session, sqlstate,
};

use crate::hypertable::hypertable;
pub use settings::{Wanted, set};

pub fn symbols() -> Symbols {
    vec![
        ("ts_compress_chunk", session!(compress_chunk)),
        ("ts_decompress_chunk", session!(decompress_chunk)),
        ("ts_column_encodings", session!(column_encodings)),
    ]
}

/// Does the table say how its chunks are to be sorted?
pub async fn is_enabled(caller: &mut Caller<'_>, table: Oid) -> Result<bool> {
    const SQL: &str = "SELECT columnstore FROM _timescaledb_catalog.hypertable WHERE relation = $1";
    let rows = caller.query_as_owner(SQL, row![table]).await?;
    rows.first().map_or(Ok(false), |row| row.get(0))
}

pub async fn is_compressed(caller: &mut Caller<'_>, chunk: Oid) -> Result<bool> {
    const SQL: &str = "SELECT FROM _timescaledb_catalog.compressed_chunk WHERE chunk = $1";
    Ok(!caller.query_as_owner(SQL, row![chunk]).await?.is_empty())
}

/// A chunk that the caller may rewrite, and its table.
fn own_chunk(caller: &Caller<'_>, chunk: Oid) -> Result<(String, Oid)> {
    let catalog = caller.catalog()?;
    let missing = || Error::new(sqlstate::UNDEFINED_TABLE, format!("relation with OID {chunk} does not exist"));
    let relation: &Relation = catalog.relation(chunk).ok_or_else(missing)?;
    let Some(window) = relation.window() else {
        return Err(Error::new(sqlstate::WRONG_OBJECT_TYPE, format!("\"{}\" is not a chunk", relation.name)));
    };
    let table = hypertable(caller, window.table)?.0;
    caller.require_owner(&table)?;
    Ok((relation.name.clone(), table.oid))
}

/// `compress_chunk(chunk, if_not_compressed, recompress)`
async fn compress_chunk(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let Some(chunk) = arguments.get::<Option<Oid>>(0)? else { return Ok(Vec::new()) };
    let (name, table) = own_chunk(&caller, chunk)?;
    if !is_enabled(&mut caller, table).await? {
        let catalog = caller.catalog()?;
        let table = catalog.relation(table).map_or("", |table| table.name.as_str());
        let message = format!("columnstore not enabled on \"{table}\"");
        return Err(Error::new(sqlstate::FEATURE_NOT_SUPPORTED, message)
            .with_detail("It is not possible to convert chunks to columnstore on a hypertable that does not have columnstore enabled.")
            .with_hint(format!("ALTER TABLE {} SET (timescaledb.enable_columnstore);", quote_identifier(table))));
    }
    if is_compressed(&mut caller, chunk).await? {
        let again =
            Error::new(sqlstate::DUPLICATE_OBJECT, format!("chunk \"{name}\" is already converted to columnstore"));
        if !arguments.get::<Option<bool>>(1)?.unwrap_or(true) {
            return Err(again);
        }
        caller.notice(again);
    }
    compress(&mut caller, chunk).await?;
    Ok(vec![row![chunk]])
}

/// Sorts and writes the committed rows of a chunk anew, and notes what they took before and take now.
pub async fn compress(caller: &mut Caller<'_>, chunk: Oid) -> Result<()> {
    let before = caller.window_size(chunk).await?;
    caller.compact_window(chunk).await?;
    let after = caller.window_size(chunk).await?;
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    const SQL: &str = "DELETE FROM _timescaledb_catalog.compressed_chunk c WHERE NOT EXISTS (SELECT FROM pg_class k WHERE k.oid = c.chunk);
        INSERT INTO _timescaledb_catalog.compressed_chunk AS c (chunk, before_bytes, after_bytes) VALUES ($1, $2, $3)
        ON CONFLICT (chunk) DO UPDATE SET before_bytes = greatest(c.before_bytes, excluded.before_bytes), after_bytes = excluded.after_bytes, compressed = now()";
    caller.query_as_owner(SQL, row![chunk, bytes(before.bytes()), bytes(after.bytes())]).await.map(drop)
}

/// `decompress_chunk(chunk, if_compressed)`: the chunk is not kept compressed any more. Its rows stay as they are.
async fn decompress_chunk(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let Some(chunk) = arguments.get::<Option<Oid>>(0)? else { return Ok(Vec::new()) };
    let (name, _) = own_chunk(&caller, chunk)?;
    const SQL: &str = "DELETE FROM _timescaledb_catalog.compressed_chunk WHERE chunk = $1 RETURNING chunk";
    if caller.query_as_owner(SQL, row![chunk]).await?.is_empty() {
        let message = format!("chunk \"{name}\" is not converted to columnstore");
        let not = Error::new(sqlstate::OBJECT_NOT_IN_PREREQUISITE_STATE, message);
        if !arguments.get::<Option<bool>>(1)?.unwrap_or(true) {
            return Err(not);
        }
        caller.notice(not);
        return Ok(vec![row![None::<u32>]]);
    }
    Ok(vec![row![chunk]])
}

/// Rows of `timescaledb_information.column_encodings`.
async fn column_encodings(mut caller: Caller<'_>, arguments: Row) -> Result<Vec<Row>> {
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let row = |of: ColumnEncoding| {
        // A column behind an index over an expression is none of the table's.
        let attnum = i16::try_from(of.column).ok()?;
        let (least, greatest) = of.window.unzip();
        let encodings = of.encodings.join(", ");
        let (rows, size, encoded) = (bytes(of.rows), bytes(of.bytes), bytes(of.encoded_bytes));
        let segment = i32::try_from(of.unit).unwrap_or(i32::MAX);
        Some(row![segment, attnum, encodings, of.compression, rows, size, encoded, least, greatest])
    };
    Ok(caller.column_encodings(arguments.get(0)?).await?.into_iter().filter_map(row).collect())
}
